//! Gives a message up: out of waiting, dead in the inbox, and a dead letter with all of it.

use sqlx::PgConnection;

use crate::inbox::desk::answer;
use crate::inbox::plan::Key;
use crate::inbox::trouble::Trouble;

/// Fenced by the row's attempts. A message that was applied meanwhile is no dead letter; below the
/// horizon there is no inbox row to say so, and the row in waiting was the proof.
const BURY: &str = "
WITH gone AS (
    DELETE FROM oncely.inbox_waiting
    WHERE consumer = $1 AND id = $2 AND tenant = $3 AND attempts = $4
    RETURNING consumer, id, tenant, topic, kind, aggregate, seq, previous, headers, payload,
        created_at
), marked AS (
    INSERT INTO oncely.inbox (id, consumer, tenant, state)
    SELECT gone.id, gone.consumer, gone.tenant, 'dead'
    FROM gone CROSS JOIN oncely.inbox_horizon AS h
    WHERE h.id <= gone.id
    ON CONFLICT (id, consumer, tenant) DO NOTHING
    RETURNING id
)
INSERT INTO oncely.dead_letter AS letter
    (consumer, id, tenant, topic, kind, aggregate, seq, previous, headers, payload, created_at,
     reason, attempts, error)
SELECT gone.consumer, gone.id, gone.tenant, gone.topic, gone.kind, gone.aggregate, gone.seq,
    gone.previous, gone.headers, gone.payload, gone.created_at, $5, $6, $7
FROM gone CROSS JOIN oncely.inbox_horizon AS h
WHERE gone.id < h.id OR EXISTS (SELECT 1 FROM marked)
ON CONFLICT (consumer, id, tenant) DO UPDATE
SET reason = excluded.reason, attempts = excluded.attempts, error = excluded.error,
    dead_at = now(), state = 'dead'
RETURNING letter.id";

/// What is given up, and why.
#[derive(Debug)]
pub(in crate::inbox) struct Grave<'a> {
    pub(in crate::inbox) key: Key,
    /// The attempts of its row in waiting, which fence this.
    pub(in crate::inbox) attempts: i32,
    pub(in crate::inbox) reason: &'static str,
    /// How often it was tried.
    pub(in crate::inbox) n_attempts: i32,
    pub(in crate::inbox) error: &'a str,
}

impl<'a> Grave<'a> {
    /// Of a message whose last attempt failed.
    pub(in crate::inbox) fn failed(key: Key, attempts: i32, error: &'a str) -> Self {
        Self {
            key,
            attempts,
            reason: "failed",
            n_attempts: attempts,
            error,
        }
    }
}

/// Gives a message up. False where it is no longer this attempt's, or was applied meanwhile.
pub(in crate::inbox) async fn bury(
    connection: &mut PgConnection,
    consumer: &str,
    grave: &Grave<'_>,
) -> Result<bool, Trouble> {
    let query = sqlx::query(BURY)
        .bind(consumer)
        .bind(grave.key.0)
        .bind(&grave.key.1)
        .bind(grave.attempts)
        .bind(grave.reason)
        .bind(grave.n_attempts)
        .bind(grave.error);
    let row = answer(query.fetch_optional(connection)).await?;
    Ok(row.is_some())
}
