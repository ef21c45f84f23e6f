//! How many messages wait.

use super::desk::{Desk, answer};
use super::trouble::Trouble;
use crate::telemetry::messages as metrics;

const COUNT: &str = "
SELECT count(*) FROM oncely.inbox_waiting WHERE consumer = $1";

/// Sets the gauge from what the database says.
pub(super) async fn set(desk: &Desk) -> Result<(), Trouble> {
    let mut reader = answer(async { Ok(desk.ledger.reader().await) }).await??;
    let query = sqlx::query_scalar(COUNT).bind(desk.name());
    let waiting: i64 = answer(query.fetch_one(&mut *reader)).await?;
    reader.finish();
    metrics::set_waiting(desk.name(), u64::try_from(waiting).unwrap_or(0));
    Ok(())
}
