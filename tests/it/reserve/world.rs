//! What the tests of stock share: a shelf, a request, and what the books say of both.

use crate::harness::{App, Caller, Reply};

/// `POST /reserve` of some pieces of `sku-1`.
pub(super) async fn reserve(caller: &Caller, key: &str, quantity: i64) -> Reply {
    caller.post("/reserve", key, &body("sku-1", quantity)).await
}

pub(super) fn body(sku: &str, quantity: i64) -> String {
    format!(r#"{{"sku": "{sku}", "quantity": {quantity}}}"#)
}

impl App {
    /// Puts so many `sku-1` of tenant `demo` on the shelf.
    pub(super) async fn stock(&self, n_pieces: i64) {
        self.execute(&format!(
            "INSERT INTO public.inventory (tenant, sku, available) VALUES ('demo', 'sku-1', {n_pieces})"
        ))
        .await;
    }

    /// Asserts how many `sku-1` are left and how many are reserved, and that the reservations say the
    /// same.
    pub(super) async fn has_stock(&self, available: i64, reserved: i64, what: &str) {
        let of = |column: &str| {
            format!("SELECT {column} FROM public.inventory WHERE tenant = 'demo' AND sku = 'sku-1'")
        };
        let stock = (
            self.count(&of("available")).await,
            self.count(&of("reserved")).await,
        );
        assert_eq!(stock, (available, reserved), "{what}");
        let noted = "SELECT coalesce(sum(quantity), 0)::bigint FROM public.reservations \
                     WHERE tenant = 'demo' AND sku = 'sku-1' AND status = 'reserved'";
        assert_eq!(self.count(noted).await, reserved, "{what}");
    }

    /// How many reservations there are.
    pub(super) async fn n_reservations(&self) -> i64 {
        self.count("SELECT count(*) FROM public.reservations").await
    }
}
