//! Compares operations with their effects, over the latest events.

use crate::ledger::{Error, Ledger};
use crate::telemetry::books;

/// How many events an audit looks back. At a thousand a second that is two seconds' worth, so what is
/// wrong for long is met again and again, and what went wrong once is for the whole comparison.
const EVENTS_MAX: i64 = 2_000;

/// An effect that each event of some kind has to have, once.
#[derive(Debug, Clone, Copy)]
pub struct Effect {
    /// What it is called in the metrics.
    pub name: &'static str,
    /// Looks at the latest `$1` events and returns three numbers: how many they are, how many of them
    /// lack the effect though they are confirmed and not dead letters, and how many have too much of it.
    pub statement: &'static str,
}

/// Audits each effect and sets the gauges.
pub(super) async fn audit(ledger: &Ledger, effects: &[Effect]) -> Result<(), Error> {
    let mut reader = ledger.reader().await?;
    for effect in effects {
        let row = sqlx::query_as(effect.statement).bind(EVENTS_MAX);
        let (n, missing, extra): (i64, i64, i64) =
            row.fetch_one(&mut *reader).await.map_err(Error::inspect)?;
        let counted = [n, missing, extra].map(|it| u64::try_from(it).unwrap_or(0));
        books::set_audited(effect.name, counted);
        if 0 < missing || 0 < extra {
            let effect = effect.name;
            tracing::error!(effect, missing, extra, "effects differ from operations");
        }
    }
    reader.finish();
    Ok(())
}
