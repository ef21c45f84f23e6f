//! Writes an invoice and its lines in the caller's transaction: a new one, or in the place of another.

use sqlx::PgConnection;

use super::amounts::Amounts;
use super::find::find;
use super::invoice::{Invoice, InvoiceRequest};
use crate::domain::Tenant;

const INSERT: &str = "
INSERT INTO public.invoices
    (tenant, id, customer, country, currency, subtotal, tax_rate_ppm, tax, total, version,
     created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, now(), now())";

/// The version guards against a writer that was not locked out.
const UPDATE: &str = "
UPDATE public.invoices SET
    customer = $3, country = $4, currency = $5, subtotal = $6, tax_rate_ppm = $7, tax = $8, total = $9,
    version = version + 1, updated_at = now()
WHERE tenant = $1 AND id = $2 AND version = $10";

const DELETE_LINES: &str = "
DELETE FROM public.invoice_lines WHERE tenant = $1 AND invoice_id = $2";

const INSERT_LINES: &str = "
INSERT INTO public.invoice_lines (tenant, invoice_id, line, description, amount)
SELECT $1, $2, it.line, it.description, it.amount
FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS it (description, amount, line)";

/// What is to be written, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) id: &'a str,
    pub(super) request: &'a InvoiceRequest,
    pub(super) amounts: Amounts,
}

impl Draft<'_> {
    /// Inserts it, and reads it back.
    pub(super) async fn insert(self, connection: &mut PgConnection) -> sqlx::Result<Invoice> {
        self.bound(INSERT).execute(&mut *connection).await?;
        self.insert_lines(connection).await
    }

    /// Puts it in the place of the invoice that has this version, and reads it back.
    pub(super) async fn replace(
        self,
        version: i64,
        connection: &mut PgConnection,
    ) -> sqlx::Result<Invoice> {
        let update = self.bound(UPDATE).bind(version);
        let updated = update.execute(&mut *connection).await?;
        if updated.rows_affected() != 1 {
            return Err(sqlx::Error::RowNotFound);
        }
        sqlx::query(DELETE_LINES)
            .bind(self.tenant.as_str())
            .bind(self.id)
            .execute(&mut *connection)
            .await?;
        self.insert_lines(connection).await
    }

    fn bound(
        &self,
        statement: &'static str,
    ) -> sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments> {
        sqlx::query(statement)
            .bind(self.tenant.as_str())
            .bind(self.id)
            .bind(&self.request.customer)
            .bind(&self.request.country)
            .bind(&self.request.currency)
            .bind(self.amounts.subtotal)
            .bind(self.amounts.tax_rate_ppm)
            .bind(self.amounts.tax)
            .bind(self.amounts.total)
    }

    async fn insert_lines(self, connection: &mut PgConnection) -> sqlx::Result<Invoice> {
        let lines = self.request.lines.iter();
        let (descriptions, amounts): (Vec<&str>, Vec<i64>) =
            lines.map(|it| (&*it.description, it.amount)).unzip();
        sqlx::query(INSERT_LINES)
            .bind(self.tenant.as_str())
            .bind(self.id)
            .bind(descriptions)
            .bind(amounts)
            .execute(&mut *connection)
            .await?;
        let written = find(connection, self.tenant, self.id).await?;
        written.ok_or(sqlx::Error::RowNotFound)
    }
}
