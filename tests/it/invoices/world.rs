//! What the tests of invoices share: a tax service, an app that asks it, and requests.

use std::time::Duration;

use http::Method;
use oncely::testkit::TaxService;

use crate::harness::{App, Caller, Recipe, RedisChoice, Reply};

/// With and without Redis.
pub(super) const BOTH: [RedisChoice; 2] = [RedisChoice::Shared, RedisChoice::Absent];

/// An app that asks `service`, with little patience.
pub(super) fn asking(service: &TaxService) -> Recipe {
    let url = service.url().to_owned();
    Recipe::default().with(move |config| {
        config.tax.url = Some(url.into());
        config.tax.timeout = Duration::from_millis(700);
        // Nobody rescues unless a test asks for it.
        config.ledger.rescue_interval = Duration::from_hours(1);
    })
}

/// Two lines, the first of this amount; together it is `amount` + 5.
pub(super) fn body(amount: i64) -> String {
    format!(
        r#"{{"customer": "cus_1", "country": "DE", "currency": "EUR", "lines": [
            {{"description": "a book", "amount": {amount}}}, {{"description": "a bag", "amount": 5}}]}}"#
    )
}

/// `POST /invoices`.
pub(super) async fn invoice(caller: &Caller, key: &str, amount: i64) -> Reply {
    caller.post("/invoices", key, &body(amount)).await
}

/// `PUT /invoices/{id}` with these conditions.
pub(super) async fn put(
    caller: &Caller,
    id: &str,
    conditions: &[(&str, &str)],
    amount: i64,
) -> Reply {
    let path = format!("/invoices/{id}");
    caller
        .send(Method::PUT, &path, conditions, &body(amount))
        .await
}

impl App {
    /// How many invoices there are.
    pub(super) async fn n_invoices(&self) -> i64 {
        self.count("SELECT count(*) FROM public.invoices").await
    }

    /// How many lines all invoices have.
    pub(super) async fn n_lines(&self) -> i64 {
        self.count("SELECT count(*) FROM public.invoice_lines")
            .await
    }

    /// How many events of this topic there are.
    pub(super) async fn n_told(&self, topic: &str) -> i64 {
        self.count(&format!(
            "SELECT count(*) FROM oncely.outbox_event WHERE topic = '{topic}'"
        ))
        .await
    }
}
