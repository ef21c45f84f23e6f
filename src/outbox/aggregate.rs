//! The proof that an aggregate is locked, without which no event of it can be enqueued.

use uuid::Uuid;

use crate::domain::Aggregate;
use crate::ledger::Tx;

/// Makes the counter where there is none, and locks it either way.
const LOCK: &str = "
INSERT INTO oncely.outbox_aggregate AS held (tenant, kind, id, seq)
VALUES ($1, $2, $3, 0)
ON CONFLICT (tenant, kind, id) DO UPDATE SET seq = held.seq
RETURNING held.seq, held.last, held.topic";

/// An aggregate whose events nobody else can count, until this transaction ends.
///
/// Lock it before you read what the event is about: then the order of an aggregate's events is the
/// order in which their transactions committed.
///
/// ```compile_fail
/// # async fn f(tx: &mut oncely::ledger::Tx, event: oncely::outbox::Event, it: oncely::domain::Aggregate) {
/// // An aggregate that is not locked has no events.
/// oncely::outbox::enqueue(tx, &mut it, event).await;
/// # }
/// ```
#[derive(Debug)]
pub struct LockedAggregate {
    pub(super) aggregate: Aggregate,
    /// How many events it has had.
    pub(super) seq: i64,
    /// The latest of them.
    pub(super) last: Option<Uuid>,
    /// Where they go.
    pub(super) topic: Option<String>,
}

impl LockedAggregate {
    /// Locks `aggregate` until `tx` ends. Waits for whoever has it locked.
    pub async fn lock(tx: &mut Tx, aggregate: Aggregate) -> sqlx::Result<Self> {
        let (seq, last, topic) = sqlx::query_as(LOCK)
            .bind(aggregate.tenant().as_str())
            .bind(aggregate.kind())
            .bind(aggregate.id())
            .fetch_one(&mut **tx)
            .await?;
        Ok(Self {
            aggregate,
            seq,
            last,
            topic,
        })
    }

    /// An aggregate that this transaction creates: there is nothing to lock yet, and its first event
    /// makes the counter. Where somebody else has made it, that event is refused.
    pub fn created(aggregate: Aggregate) -> Self {
        Self {
            aggregate,
            seq: 0,
            last: None,
            topic: None,
        }
    }
}
