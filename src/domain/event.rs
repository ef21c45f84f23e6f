//! What happened, as it is told to others: an event, the aggregate it is about, and the message that
//! carries it.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Tenant, trace_id};

/// How many shards the outbox has. Part of the schema: the migration's `CHECK` holds the same number.
pub const SHARDS: u16 = 16;

/// The version of the aggregate hash's layout, the first byte that is hashed.
const LAYOUT: u8 = 1;

/// The longest topic and the longest kind, in bytes; `CHECK`s hold the same bound.
const NAME_BYTES_MAX: usize = 100;

/// The longest id of an aggregate, in bytes; a `CHECK` holds the same bound.
const ID_BYTES_MAX: usize = 255;

/// Where an event is published, such as `charge.succeeded`: lower-case letters, digits, `.`, `_` and
/// `-`, 1 to 100 of them, the first a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(String);

/// What an event is about, such as one charge. Events of one aggregate take effect in their order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Aggregate {
    tenant: Tenant,
    kind: String,
    id: String,
}

/// Why a topic or an aggregate was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The topic.
    #[error(
        "the topic must be 1 to 100 of a-z, 0-9, `.`, `_` and `-`, the first a letter or digit"
    )]
    Topic,
    /// The aggregate's kind.
    #[error("the aggregate's kind must be 1 to 100 printable ASCII characters")]
    Kind,
    /// The aggregate's id.
    #[error("the aggregate's id must be 1 to 255 printable ASCII characters")]
    Id,
}

/// A message: one event on its way from the outbox to the inbox of each consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The event's id, a UUIDv7 whose time is the database's. The same on every delivery.
    pub id: Uuid,
    /// Where it is published.
    pub topic: Topic,
    /// What it is about, and whose that is.
    pub aggregate: Aggregate,
    /// Which of the aggregate's events it is, from 1, without a gap.
    pub seq: i64,
    /// The aggregate's event before it; `None` for the first.
    pub previous: Option<Uuid>,
    /// Text by name, such as `traceparent`.
    pub headers: BTreeMap<String, String>,
    /// The event itself, byte for byte as it was enqueued.
    pub payload: Bytes,
    /// When it was enqueued, by the database's clock.
    pub created_at: OffsetDateTime,
}

impl Message {
    /// The id of the trace that the event's request belonged to.
    pub fn trace_id(&self) -> Option<&str> {
        self.headers.get("traceparent").and_then(|it| trace_id(it))
    }
}

impl Topic {
    /// Takes a topic's name.
    pub fn new(name: impl Into<String>) -> Result<Self, EventError> {
        let name = name.into();
        let is_plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
        let begins = name.bytes().next().is_some_and(is_plain);
        let goes_on = name.bytes().all(|it| is_plain(it) || b"._-".contains(&it));
        if begins && goes_on && name.len() <= NAME_BYTES_MAX {
            Ok(Self(name))
        } else {
            Err(EventError::Topic)
        }
    }

    /// The topic's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Aggregate {
    /// Names an aggregate by its kind, such as `charge`, and its id.
    pub fn new(
        tenant: Tenant,
        kind: impl Into<String>,
        id: impl Into<String>,
    ) -> Result<Self, EventError> {
        let (kind, id) = (kind.into(), id.into());
        if !is_printable(&kind, NAME_BYTES_MAX) {
            return Err(EventError::Kind);
        }
        if !is_printable(&id, ID_BYTES_MAX) {
            return Err(EventError::Id);
        }
        Ok(Self { tenant, kind, id })
    }

    /// Whose it is.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// What it is.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Which one.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The aggregate as a number: the first eight bytes of SHA-256 over version byte 1, then for
    /// tenant, kind and id the length in bytes as a big-endian `u32` and the part itself.
    pub fn hash(&self) -> i64 {
        let mut hash = Sha256::new_with_prefix([LAYOUT]);
        for part in [self.tenant.as_str(), &self.kind, &self.id] {
            let length =
                u32::try_from(part.len()).expect("invariant: a part has at most 255 bytes");
            hash.update(length.to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let (first, _) = digest
            .split_first_chunk()
            .expect("invariant: eight of 32 bytes");
        i64::from_be_bytes(*first)
    }

    /// The shard that its events are relayed in: the lowest bits of its number.
    pub fn shard(&self) -> i16 {
        i16::try_from(self.hash().rem_euclid(i64::from(SHARDS)))
            .expect("invariant: a remainder of 16 fits")
    }
}

fn is_printable(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(|it| (0x20..=0x7e).contains(&it))
}

/// The lowest id that an event of this instant may have, by whole milliseconds: the boundary of
/// partitions and of time slices. Instants before 1970 count as 1970.
pub fn floor_id(at: OffsetDateTime) -> Uuid {
    let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
    let millis = u64::try_from(millis).unwrap_or(0) & 0xffff_ffff_ffff;
    Uuid::from_u128(u128::from(millis) << 80)
}

/// The instant that an event's id carries, by whole milliseconds.
pub fn time_of_id(id: Uuid) -> OffsetDateTime {
    let millis = i128::try_from(id.as_u128() >> 80).unwrap_or(i128::MAX);
    let end = OffsetDateTime::from_unix_timestamp(253_402_300_799);
    OffsetDateTime::from_unix_timestamp_nanos(millis.saturating_mul(1_000_000))
        .or(end)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    fn aggregate(tenant: &str, kind: &str, id: &str) -> Aggregate {
        Aggregate::new(Tenant::new(tenant).unwrap(), kind, id).unwrap()
    }

    #[test]
    fn topics_are_names_that_every_broker_takes() {
        for name in ["charge.succeeded", "a", "0-9_z"] {
            assert_eq!(Topic::new(name).unwrap().as_str(), name);
        }
        for name in ["", ".a", "Charge", "a b", "a/b", "größe", &"a".repeat(101)] {
            assert_eq!(Topic::new(name), Err(EventError::Topic), "{name}");
        }
    }

    #[test]
    fn aggregates_that_the_outbox_could_not_hold_are_refused() {
        let tenant = || Tenant::new("demo").unwrap();
        assert_eq!(Aggregate::new(tenant(), "", "1"), Err(EventError::Kind));
        assert_eq!(Aggregate::new(tenant(), "k", ""), Err(EventError::Id));
        assert_eq!(Aggregate::new(tenant(), "k", "\n"), Err(EventError::Id));
        let long = "i".repeat(256);
        assert_eq!(Aggregate::new(tenant(), "k", long), Err(EventError::Id));
    }

    #[test]
    fn an_aggregates_number_and_shard_never_change() {
        // Made with another SHA-256: `hashlib`, over the layout that the doc comment describes.
        let hash = aggregate("demo", "charge", "ch_1").hash();
        assert_eq!(
            hash, 3_721_177_634_597_309_636,
            "a new layout needs a new version byte"
        );
        assert_eq!(aggregate("demo", "charge", "ch_1").shard(), 4);
    }

    #[test]
    fn parts_of_an_aggregate_do_not_run_into_each_other() {
        assert_ne!(
            aggregate("a", "bc", "d").hash(),
            aggregate("ab", "c", "d").hash()
        );
        assert_ne!(
            aggregate("a", "b", "cd").hash(),
            aggregate("a", "bc", "d").hash()
        );
    }

    #[test]
    fn an_id_carries_its_instant() {
        let at = datetime!(2026-11-22 02:00:00.123 UTC);
        assert_eq!(time_of_id(floor_id(at)), at);
        assert_eq!(floor_id(datetime!(1969-01-01 0:00 UTC)), Uuid::nil());
        assert!(OffsetDateTime::UNIX_EPOCH < time_of_id(Uuid::max()));
        let id = Uuid::now_v7();
        assert!(floor_id(time_of_id(id)) <= id);
    }

    proptest! {
        #[test]
        fn every_shard_is_one_of_sixteen(id in "[ -~]{1,40}") {
            let shard = aggregate("demo", "charge", &id).shard();
            prop_assert!((0..16).contains(&shard));
        }
    }
}
