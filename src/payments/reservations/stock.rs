//! Stock for a first try: what `oncely dev` puts on the shelf.

use sqlx::PgConnection;

use crate::domain::Tenant;

/// What there is, and how many of it.
const SHELF: [(&str, i64); 2] = [("sku-1", 100), ("sku-2", 1)];

const INSERT: &str = "
INSERT INTO public.inventory (tenant, sku, available) VALUES ($1, $2, $3)
ON CONFLICT (tenant, sku) DO NOTHING";

/// Gives a tenant a hundred `sku-1` and the last `sku-2`, where it has no such item yet.
pub async fn stock_up(connection: &mut PgConnection, tenant: &Tenant) -> sqlx::Result<()> {
    for (sku, n_pieces) in SHELF {
        sqlx::query(INSERT)
            .bind(tenant.as_str())
            .bind(sku)
            .bind(n_pieces)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
