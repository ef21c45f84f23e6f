//! `PUT /carts/{id}`: the cart is as it was sent, whatever it was before.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;

use super::cart::{Cart, CartError, id_of, unavailable};
use crate::domain::Tenant;
use crate::http::{Code, JsonBody, Problem};
use crate::ledger::Ledger;

/// Its row's lock keeps two writers of one cart apart. `xmax` is 0 in a row that was just inserted.
const UPSERT: &str = "
INSERT INTO public.carts (tenant, id, updated_at) VALUES ($1, $2, now())
ON CONFLICT (tenant, id) DO UPDATE SET updated_at = excluded.updated_at
RETURNING xmax = 0";

const EMPTY: &str = "
DELETE FROM public.cart_lines WHERE tenant = $1 AND cart_id = $2";

const FILL: &str = "
INSERT INTO public.cart_lines (tenant, cart_id, position, sku, quantity)
SELECT $1, $2, position, sku, quantity
FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS line (sku, quantity, position)";

/// Writes the whole cart: 201 where there was none, else 200.
pub(crate) async fn put(
    State(ledger): State<Ledger>,
    Extension(tenant): Extension<Tenant>,
    path: Result<Path<String>, PathRejection>,
    JsonBody(mut cart): JsonBody<Cart>,
) -> Response {
    let Some(id) = id_of(path) else {
        let detail = "A cart's id must be 1 to 255 printable characters.";
        return Problem::new(Code::NotFound, detail).into_response();
    };
    cart.id = id;
    match replace(&ledger, &tenant, &cart).await {
        Ok(true) => (StatusCode::CREATED, Json(cart)).into_response(),
        Ok(false) => Json(cart).into_response(),
        Err(error) => unavailable(&*error),
    }
}

/// Whether there was none before.
///
/// # Cancellation
///
/// It is rolled back, unless COMMIT was sent: whoever sends the same again gets the same either way.
async fn replace(ledger: &Ledger, tenant: &Tenant, cart: &Cart) -> Result<bool, CartError> {
    let mut tx = ledger.begin().await?;
    let is_new = sqlx::query_scalar(UPSERT)
        .bind(tenant.as_str())
        .bind(&cart.id)
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query(EMPTY)
        .bind(tenant.as_str())
        .bind(&cart.id)
        .execute(&mut *tx)
        .await?;
    let lines = cart.lines.iter();
    let (skus, quantities): (Vec<&str>, Vec<i64>) =
        lines.map(|it| (it.sku.as_str(), it.quantity)).unzip();
    sqlx::query(FILL)
        .bind(tenant.as_str())
        .bind(&cart.id)
        .bind(&skus)
        .bind(&quantities)
        .execute(&mut *tx)
        .await?;
    ledger.commit(tx).await?;
    Ok(is_new)
}
