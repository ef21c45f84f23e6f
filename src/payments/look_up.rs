//! Reads what a `GET` shows: one row of the caller's tenant, by the id in the path.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use sqlx::FromRow;
use sqlx::postgres::PgRow;

use super::charges::is_text;
use crate::domain::Tenant;
use crate::http::{Code, Problem};
use crate::ledger::Ledger;

/// Runs `statement` with the tenant and the id. The problem is 404 where the tenant has no such
/// `thing`, and 503 where nobody can look.
pub(super) async fn look_up<T>(
    ledger: &Ledger,
    statement: &'static str,
    tenant: &Tenant,
    path: Result<Path<String>, PathRejection>,
    thing: &str,
) -> Result<T, Problem>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    // What can't be an id, such as a NUL that Postgres would refuse as text, is nobody's id.
    let id = path.ok().map(|it| it.0).filter(|it| is_text(it));
    let found = match id {
        Some(id) => find(ledger, statement, tenant, &id).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(row)) => Ok(row),
        Ok(None) => {
            let detail = format!("This tenant has no such {thing}.");
            Err(Problem::new(Code::NotFound, detail))
        }
        Err(error) => {
            tracing::warn!(error = &*error as &dyn std::error::Error, thing, "read it");
            let detail = "Ask again after Retry-After.";
            Err(Problem::new(Code::StoreUnavailable, detail))
        }
    }
}

async fn find<T>(
    ledger: &Ledger,
    statement: &'static str,
    tenant: &Tenant,
    id: &str,
) -> Result<Option<T>, Box<dyn std::error::Error + Send + Sync>>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let mut reader = ledger.reader().await?;
    let found = sqlx::query_as(statement)
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(&mut *reader)
        .await?;
    reader.finish();
    Ok(found)
}
