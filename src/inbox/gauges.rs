//! How many messages wait, and how many dead letters nobody has dealt with.

use super::desk::{Desk, answer};
use super::trouble::Trouble;
use crate::telemetry::messages as metrics;

const COUNT: &str = "
SELECT (SELECT count(*) FROM oncely.inbox_waiting WHERE consumer = $1),
    (SELECT count(*) FROM oncely.dead_letter WHERE state = 'dead')";

/// Sets the gauges from what the database says.
pub(super) async fn set(desk: &Desk) -> Result<(), Trouble> {
    let mut reader = answer(async { Ok(desk.ledger.reader().await) }).await??;
    let query = sqlx::query_as(COUNT).bind(desk.name());
    let (waiting, dead): (i64, i64) = answer(query.fetch_one(&mut *reader)).await?;
    reader.finish();
    metrics::set_waiting(desk.name(), u64::try_from(waiting).unwrap_or(0));
    metrics::set_dead_letters_open(u64::try_from(dead).unwrap_or(0));
    Ok(())
}
