//! Leases of shards: who relays what, by the database's clock, with a fence for each take-over.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::failure::Failure;
use crate::domain::SHARDS;
use crate::ledger::Ledger;

/// Says that this relay is there, so that others leave it its share.
const SHOW_UP: &str = "
INSERT INTO oncely.outbox_relay AS it (owner, owner_name, live_until)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (owner) DO UPDATE SET live_until = excluded.live_until";

/// How many relays are there.
const COUNT: &str = "
SELECT count(*) FROM oncely.outbox_relay WHERE clock_timestamp() < live_until";

/// A lease that has run out is not renewed: it is taken anew, with another fence. Rows are locked in
/// their order, here and wherever several of them are, so that nobody waits in a circle.
const RENEW: &str = "
WITH mine AS MATERIALIZED (
    SELECT shard FROM oncely.outbox_shard
    WHERE owner = $1 AND clock_timestamp() < lease_until
    ORDER BY shard
    FOR UPDATE
)
UPDATE oncely.outbox_shard held
SET lease_until = clock_timestamp() + make_interval(secs => $2)
FROM mine
WHERE held.shard = mine.shard
RETURNING held.shard, held.fence";

/// Rows that another relay is taking right now are skipped.
const TAKE: &str = "
WITH free AS MATERIALIZED (
    SELECT shard FROM oncely.outbox_shard
    WHERE lease_until <= clock_timestamp()
    ORDER BY shard
    LIMIT $4
    FOR UPDATE SKIP LOCKED
)
UPDATE oncely.outbox_shard held
SET owner = $1, owner_name = $2, fence = held.fence + 1,
    lease_until = clock_timestamp() + make_interval(secs => $3)
FROM free
WHERE held.shard = free.shard
RETURNING held.shard, held.fence";

const RELEASE: &str = "
WITH mine AS MATERIALIZED (
    SELECT s.shard FROM oncely.outbox_shard s
    JOIN unnest($2::smallint[], $3::bigint[]) AS given (shard, fence)
      ON s.shard = given.shard AND s.fence = given.fence
    WHERE s.owner = $1
    ORDER BY s.shard
    FOR UPDATE OF s
)
UPDATE oncely.outbox_shard held
SET lease_until = '-infinity'
FROM mine
WHERE held.shard = mine.shard";

const LEAVE: &str = "DELETE FROM oncely.outbox_relay WHERE owner = $1";

/// Relays that are gone for good.
const FORGET: &str = "
DELETE FROM oncely.outbox_relay WHERE live_until < clock_timestamp() - interval '1 hour'";

/// A shard of ours, and the fence that what we settle there has to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) shard: i16,
    pub(super) fence: i64,
}

/// The leases of one relay.
#[derive(Debug)]
pub(super) struct Leases {
    pub(super) owner: Uuid,
    name: String,
    ledger: Ledger,
    lease: Duration,
    /// Held while leases are asked for or given back: neither forgets what the other has done.
    turn: tokio::sync::Mutex<()>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    shards: BTreeMap<i16, Hold>,
    n_live: u16,
}

#[derive(Debug, Clone, Copy)]
struct Hold {
    fence: i64,
    /// Until when it is surely ours: counted from before the lease was asked for.
    until: Instant,
    /// Somebody else's share: given up when no batch of it is in flight.
    is_leaving: bool,
}

impl Leases {
    pub(super) fn new(ledger: Ledger, lease: Duration, name: String) -> Self {
        Self {
            owner: Uuid::new_v4(),
            name,
            ledger,
            lease,
            turn: tokio::sync::Mutex::new(()),
            inner: Mutex::new(Inner {
                shards: BTreeMap::new(),
                n_live: 1,
            }),
        }
    }

    /// Renews what we hold, takes what is free up to our share, and marks what is above it. Returns
    /// whether there is something new for us to read, or to give up.
    pub(super) async fn keep(&self) -> Result<bool, Failure> {
        let turn = self.turn.lock().await;
        let asked = Instant::now();
        let seconds = self.lease.as_secs_f64();
        let mut tx = self.ledger.begin().await?;
        let show_up = sqlx::query(SHOW_UP).bind(self.owner).bind(&self.name);
        show_up.bind(seconds).execute(&mut *tx).await?;
        sqlx::query(FORGET).execute(&mut *tx).await?;
        let n_live: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *tx).await?;
        let renew = sqlx::query_as(RENEW).bind(self.owner).bind(seconds);
        let mut held: Vec<(i16, i64)> = renew.fetch_all(&mut *tx).await?;
        let n_live = u16::try_from(n_live).unwrap_or(u16::MAX).max(1);
        let wanted = usize::from(share(n_live)).saturating_sub(held.len());
        if 0 < wanted {
            let take = sqlx::query_as(TAKE).bind(self.owner).bind(&self.name);
            let take = take.bind(seconds).bind(i64::try_from(wanted).unwrap_or(0));
            held.extend::<Vec<(i16, i64)>>(take.fetch_all(&mut *tx).await?);
        }
        self.ledger.commit(tx).await?;
        held.sort_unstable();
        let is_new = self.remember(&held, n_live, asked + self.lease);
        drop(turn);
        Ok(is_new)
    }

    fn remember(&self, held: &[(i16, i64)], n_live: u16, until: Instant) -> bool {
        let mut inner = self.lock();
        inner.n_live = n_live;
        let earlier = std::mem::take(&mut inner.shards);
        let shards = held.iter().enumerate().map(|(n, &(shard, fence))| {
            let is_surplus = usize::from(share(n_live)) <= n;
            // Who is leaving goes on leaving: a batch may have been told so already.
            let was = earlier.get(&shard).filter(|it| it.fence == fence);
            let is_leaving = is_surplus || was.is_some_and(|it| it.is_leaving);
            let renewed = Hold {
                fence,
                until,
                is_leaving,
            };
            (shard, renewed)
        });
        let shards: BTreeMap<i16, Hold> = shards.collect();
        let is_same = |(shard, it): (&i16, &Hold)| {
            let was = earlier.get(shard);
            was.is_some_and(|was| was.fence == it.fence && was.is_leaving == it.is_leaving)
        };
        let is_new = !shards.iter().all(is_same);
        inner.shards = shards;
        is_new
    }

    /// The shards that we may publish now. With less than a fifth of the lease left we may not: what
    /// we send must be settled while the shard is ours.
    pub(super) fn usable(&self, now: Instant) -> Vec<Held> {
        let inner = self.lock();
        let usable = inner.shards.iter();
        let usable = usable.filter(|(_, it)| !it.is_leaving && now + self.lease / 5 < it.until);
        usable
            .map(|(&shard, it)| Held {
                shard,
                fence: it.fence,
            })
            .collect()
    }

    /// Whether the chores are ours: they go with shard 0.
    pub(super) fn has_chores(&self, now: Instant) -> bool {
        self.usable(now).iter().any(|it| it.shard == 0)
    }

    /// How many relays share the work, this one included.
    pub(super) fn n_live(&self) -> u16 {
        self.lock().n_live
    }

    /// Gives up what is above our share. To be called where no batch is in flight.
    pub(super) async fn give_up_surplus(&self) -> Result<(), Failure> {
        if !self.lock().shards.values().any(|it| it.is_leaving) {
            return Ok(());
        }
        let turn = self.turn.lock().await;
        let leaving = self.take_out(|it| it.is_leaving);
        let released = self.release(&leaving).await;
        drop(turn);
        released
    }

    /// Gives up everything, and is gone.
    pub(super) async fn leave(&self) -> Result<(), Failure> {
        let held = self.take_out(|_| true);
        self.release(&held).await?;
        let mut tx = self.ledger.begin().await?;
        sqlx::query(LEAVE)
            .bind(self.owner)
            .execute(&mut *tx)
            .await?;
        Ok(self.ledger.commit(tx).await?)
    }

    fn take_out(&self, is_meant: impl Fn(&Hold) -> bool) -> Vec<Held> {
        let mut inner = self.lock();
        let shards = std::mem::take(&mut inner.shards);
        let (meant, kept) = shards.into_iter().partition(|(_, it)| is_meant(it));
        inner.shards = kept;
        let meant: BTreeMap<i16, Hold> = meant;
        let held = meant.into_iter().map(|(shard, it)| Held {
            shard,
            fence: it.fence,
        });
        held.collect()
    }

    async fn release(&self, held: &[Held]) -> Result<(), Failure> {
        if held.is_empty() {
            return Ok(());
        }
        let shards: Vec<i16> = held.iter().map(|it| it.shard).collect();
        let fences: Vec<i64> = held.iter().map(|it| it.fence).collect();
        let mut tx = self.ledger.begin().await?;
        let release = sqlx::query(RELEASE).bind(self.owner).bind(shards);
        release.bind(fences).execute(&mut *tx).await?;
        Ok(self.ledger.commit(tx).await?)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many shards each of `n_live` relays aims at.
fn share(n_live: u16) -> u16 {
    SHARDS.div_ceil(n_live.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_cover_all_shards_however_many_relays_there_are() {
        for n_live in 1..40 {
            assert!(SHARDS <= share(n_live) * n_live, "{n_live}");
        }
        assert_eq!((share(0), share(1), share(2), share(3)), (16, 16, 8, 6));
    }
}
