//! Receiving: what others left first, then what is new.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value};
use tokio::time::Instant;

use super::codec::decode;
use super::line::Cause;
use super::refusal::is_no_group;
use super::reply::{Entry, of_claim, of_read};
use super::subscription::{Member, START};
use crate::broker::{Delivery, Error, Receipt};
use crate::domain::Topic;

/// How often a group is made again within one call before it is an error.
const LOST_MAX: u32 = 3;

/// How long a read waits at most before it looks for what others left.
const CLAIM_INTERVAL_MAX: Duration = Duration::from_secs(5);

/// How long a read waits at least, so that it does not turn in circles.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// What came of a read.
enum Read {
    Entries(Vec<Entry>),
    /// Somebody deleted the stream or the group.
    NoGroup,
}

pub(super) async fn receive(
    member: &mut Member,
    n_max: usize,
    patience: Duration,
) -> Result<Vec<Delivery>, Error> {
    let until = Instant::now() + patience;
    let mut n_lost = 0;
    loop {
        if member.claim_at <= Instant::now() {
            let claimed = claim(member, n_max).await?;
            if !claimed.is_empty() {
                return Ok(claimed);
            }
        }
        let now = Instant::now();
        let left = until.saturating_duration_since(now);
        // Up to the next claim; none at all where there is no patience left.
        let wait = left.min(member.claim_at.saturating_duration_since(now).max(WAIT_MIN));
        match read(member, n_max, wait).await? {
            Read::Entries(entries) if !entries.is_empty() => {
                let fresh = entries.into_iter().map(|it| (it, 1));
                return Ok(deliveries(&member.topic, fresh));
            }
            Read::Entries(_) if until <= Instant::now() => return Ok(Vec::new()),
            Read::Entries(_) => (),
            Read::NoGroup if n_lost == LOST_MAX => {
                return Err(Error::new(
                    "receive",
                    "its group disappears again and again",
                ));
            }
            Read::NoGroup => {
                n_lost += 1;
                tracing::warn!(topic = %member.topic, group = member.group, "the group is gone: made again, from the oldest message");
                member.join().await?;
            }
        }
    }
}

/// Takes new entries, waiting for the first.
async fn read(member: &mut Member, n_max: usize, wait: Duration) -> Result<Read, Error> {
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg(&member.group).arg(&member.name);
    read.arg("COUNT").arg(n_max);
    // `BLOCK 0` would wait for ever.
    if !wait.is_zero() {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
        read.arg("BLOCK").arg(millis);
    }
    read.arg("STREAMS").arg(&member.key).arg(">");
    let work = |mut connection: MultiplexedConnection| async move {
        match read.query_async::<Value>(&mut connection).await {
            Err(cause) if is_no_group(&cause) => Ok(Read::NoGroup),
            reply => Ok(Read::Entries(of_read(reply?)?)),
        }
    };
    member.exchange("receive", wait, work).await
}

/// Takes what is idle, a slice of the list at a time.
async fn claim(member: &mut Member, n_max: usize) -> Result<Vec<Delivery>, Error> {
    let idle = u64::try_from(member.redeliver_after.as_millis()).unwrap_or(u64::MAX);
    let mut claim = redis::cmd("XAUTOCLAIM");
    claim.arg(&member.key).arg(&member.group).arg(&member.name);
    claim
        .arg(idle)
        .arg(&member.claim_from)
        .arg("COUNT")
        .arg(n_max);
    let counts = Counts {
        key: member.key.clone(),
        group: member.group.clone(),
    };
    let work = |mut connection: MultiplexedConnection| async move {
        let (entries, next) = match claim.query_async::<Value>(&mut connection).await {
            // The read that follows makes it again.
            Err(cause) if is_no_group(&cause) => return Ok((Vec::new(), START.to_owned())),
            reply => of_claim(reply?)?,
        };
        let counted = counts.of(&mut connection, entries).await?;
        Ok((counted, next))
    };
    let (counted, next) = member.exchange("receive", Duration::ZERO, work).await?;
    // The rest of the list at once; then there is a pause.
    let pause = (member.redeliver_after / 4)
        .min(CLAIM_INTERVAL_MAX)
        .max(WAIT_MIN);
    let is_through = next == START;
    member.claim_at = Instant::now() + if is_through { pause } else { Duration::ZERO };
    member.claim_from = next;
    Ok(deliveries(&member.topic, counted.into_iter()))
}

/// Asks how often entries were given out, which `XAUTOCLAIM` counts and does not say.
struct Counts {
    key: String,
    group: String,
}

impl Counts {
    async fn of(
        &self,
        connection: &mut MultiplexedConnection,
        entries: Vec<Entry>,
    ) -> Result<Vec<(Entry, u32)>, Cause> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for entry in &entries {
            let ask = pipe.add_command(Cmd::new());
            ask.arg("XPENDING").arg(&self.key).arg(&self.group);
            ask.arg(&entry.id).arg(&entry.id).arg(1);
        }
        let replies: Vec<Value> = pipe.query_async(connection).await?;
        let mut counted = Vec::with_capacity(entries.len());
        for (entry, reply) in entries.into_iter().zip(replies) {
            // Id, member, idle, count. It was given out before this claim, so twice at least.
            let pending: Vec<Vec<Value>> = redis::from_redis_value(reply)?;
            let count = pending
                .into_iter()
                .next()
                .and_then(|it| it.into_iter().nth(3));
            let count = count.map(redis::from_redis_value::<u32>).transpose()?;
            counted.push((entry, count.unwrap_or(2).max(2)));
        }
        Ok(counted)
    }
}

fn deliveries(topic: &Topic, entries: impl Iterator<Item = (Entry, u32)>) -> Vec<Delivery> {
    let deliveries = entries.map(|(entry, n_deliveries)| Delivery {
        message: decode(topic, entry.fields),
        receipt: Receipt(entry.id),
        n_deliveries,
    });
    deliveries.collect()
}
