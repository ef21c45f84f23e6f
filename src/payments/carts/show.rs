//! `GET /carts/{id}`: the cart as it is, to its own tenant.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use sqlx::FromRow;

use super::cart::{Cart, CartError, CartLine, id_of, unavailable};
use crate::domain::Tenant;
use crate::http::{Code, Problem};
use crate::ledger::Ledger;

/// One statement, so that a cart is never seen half written. An empty cart is a row without a line.
const SELECT: &str = "
SELECT l.sku, l.quantity
FROM public.carts c
LEFT JOIN public.cart_lines l ON l.tenant = c.tenant AND l.cart_id = c.id
WHERE c.tenant = $1 AND c.id = $2
ORDER BY l.position";

/// A row of [`SELECT`].
#[derive(FromRow)]
struct Row {
    sku: Option<String>,
    quantity: Option<i64>,
}

/// Shows one cart, 404 where the tenant has none of this id.
pub(crate) async fn show(
    State(ledger): State<Ledger>,
    Extension(tenant): Extension<Tenant>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let Some(id) = id_of(path) else {
        return no_such_cart();
    };
    match find(&ledger, &tenant, &id).await {
        Ok(rows) if rows.is_empty() => no_such_cart(),
        Ok(rows) => {
            let lines = rows.into_iter().filter_map(|row| {
                let (sku, quantity) = row.sku.zip(row.quantity)?;
                Some(CartLine { sku, quantity })
            });
            let lines = lines.collect();
            Json(Cart { id, lines }).into_response()
        }
        Err(error) => unavailable(&*error),
    }
}

async fn find(ledger: &Ledger, tenant: &Tenant, id: &str) -> Result<Vec<Row>, CartError> {
    let mut reader = ledger.reader().await?;
    let found = sqlx::query_as(SELECT)
        .bind(tenant.as_str())
        .bind(id)
        .fetch_all(&mut *reader)
        .await?;
    reader.finish();
    Ok(found)
}

fn no_such_cart() -> Response {
    Problem::new(Code::NotFound, "This tenant has no such cart.").into_response()
}
