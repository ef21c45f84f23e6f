//! Reads one invoice with its lines, in one statement: both of the same moment.

use sqlx::PgConnection;

use super::invoice::Invoice;
use crate::domain::Tenant;

/// Index: the primary keys of both tables.
pub(super) const SELECT: &str = "
SELECT i.id, i.customer, i.country, i.currency, i.subtotal, i.tax_rate_ppm, i.tax, i.total, i.version,
    i.created_at, i.updated_at,
    ARRAY(SELECT l.description FROM public.invoice_lines l
          WHERE l.tenant = i.tenant AND l.invoice_id = i.id ORDER BY l.line) AS descriptions,
    ARRAY(SELECT l.amount FROM public.invoice_lines l
          WHERE l.tenant = i.tenant AND l.invoice_id = i.id ORDER BY l.line) AS amounts
FROM public.invoices i
WHERE i.tenant = $1 AND i.id = $2";

pub(super) async fn find(
    connection: &mut PgConnection,
    tenant: &Tenant,
    id: &str,
) -> sqlx::Result<Option<Invoice>> {
    sqlx::query_as(SELECT)
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(connection)
        .await
}
