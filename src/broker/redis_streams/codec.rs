//! A message as the fields of a stream entry, and back. Pure.
//!
//! Fields that are not known are ignored, so that a later version may add some.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::broker::Malformed;
use crate::domain::{Aggregate, Message, Tenant, Topic};

const ID: &str = "id";
const TENANT: &str = "tenant";
const KIND: &str = "kind";
const AGGREGATE: &str = "aggregate";
const SEQ: &str = "seq";
/// Absent in an aggregate's first message.
const PREVIOUS: &str = "previous";
/// A JSON object of strings.
const HEADERS: &str = "headers";
const PAYLOAD: &str = "payload";
/// Nanoseconds since 1970.
const CREATED_AT: &str = "created_at";

/// The message's fields, name by value. Its topic is the stream's name.
pub(super) fn encode(message: &Message) -> Vec<(&'static str, Cow<'_, [u8]>)> {
    let headers = serde_json::to_vec(&message.headers);
    let headers = headers.expect("invariant: a map of strings is JSON");
    let created_at = message.created_at.unix_timestamp_nanos();
    let own = |text: String| Cow::Owned(text.into_bytes());
    let lent = |text| Cow::Borrowed(str::as_bytes(text));
    let mut fields = vec![
        (ID, own(message.id.to_string())),
        (TENANT, lent(message.aggregate.tenant().as_str())),
        (KIND, lent(message.aggregate.kind())),
        (AGGREGATE, lent(message.aggregate.id())),
        (SEQ, own(message.seq.to_string())),
        (HEADERS, Cow::Owned(headers)),
        (PAYLOAD, Cow::Borrowed(message.payload.as_ref())),
        (CREATED_AT, own(created_at.to_string())),
    ];
    if let Some(previous) = message.previous {
        fields.push((PREVIOUS, own(previous.to_string())));
    }
    fields
}

/// Reads an entry: names and values by turns.
pub(super) fn decode(topic: &Topic, entry: Vec<Vec<u8>>) -> Result<Message, Malformed> {
    let mut fields = Fields::of(entry);
    let tenant = Tenant::new(fields.text(TENANT)?).map_err(|why| wrong(TENANT, &why))?;
    let (kind, aggregate) = (fields.text(KIND)?, fields.text(AGGREGATE)?);
    let aggregate = Aggregate::new(tenant, kind, aggregate);
    let headers = fields.bytes(HEADERS)?;
    let created_at = fields.parsed(CREATED_AT)?;
    let created_at = OffsetDateTime::from_unix_timestamp_nanos(created_at);
    let has_previous = fields.0.contains_key(PREVIOUS.as_bytes());
    let previous = has_previous.then(|| fields.parsed::<Uuid>(PREVIOUS));
    Ok(Message {
        id: fields.parsed(ID)?,
        topic: topic.clone(),
        aggregate: aggregate.map_err(|why| wrong(AGGREGATE, &why))?,
        seq: fields.parsed(SEQ)?,
        previous: previous.transpose()?,
        headers: serde_json::from_slice::<BTreeMap<String, String>>(&headers)
            .map_err(|why| wrong(HEADERS, &why))?,
        payload: Bytes::from(fields.bytes(PAYLOAD)?),
        created_at: created_at.map_err(|why| wrong(CREATED_AT, &why))?,
    })
}

struct Fields(BTreeMap<Vec<u8>, Vec<u8>>);

impl Fields {
    fn of(entry: Vec<Vec<u8>>) -> Self {
        let mut fields = BTreeMap::new();
        let mut parts = entry.into_iter();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            fields.insert(name, value);
        }
        Self(fields)
    }

    fn bytes(&mut self, name: &str) -> Result<Vec<u8>, Malformed> {
        let value = self.0.remove(name.as_bytes());
        value.ok_or_else(|| Malformed(format!("it has no `{name}`")))
    }

    fn text(&mut self, name: &str) -> Result<String, Malformed> {
        String::from_utf8(self.bytes(name)?).map_err(|why| wrong(name, &why))
    }

    fn parsed<T>(&mut self, name: &str) -> Result<T, Malformed>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        self.text(name)?.parse().map_err(|why| wrong(name, &why))
    }
}

/// Says what is wrong with a field, never what is in it: it may be anybody's.
fn wrong(name: &str, why: &dyn std::fmt::Display) -> Malformed {
    Malformed(format!("its `{name}` can't be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    fn topic() -> Topic {
        Topic::new("t").unwrap()
    }

    fn flat(fields: Vec<(&'static str, Cow<'_, [u8]>)>) -> Vec<Vec<u8>> {
        let both = |(name, value): (&str, Cow<'_, [u8]>)| [name.into(), value.into_owned()];
        fields.into_iter().flat_map(both).collect()
    }

    prop_compose! {
        fn message()(
            id in any::<u128>(),
            (kind, aggregate) in ("[ -~]{1,100}", "[ -~]{1,255}"),
            seq in any::<i64>(),
            previous in any::<Option<u128>>(),
            headers in btree_map(any::<String>(), any::<String>(), 0..4),
            payload in vec(any::<u8>(), 0..200),
            nanos in -62_135_596_800_000_000_000_i128..253_402_300_799_000_000_000,
        ) -> Message {
            let tenant = Tenant::new("demo").unwrap();
            Message {
                id: Uuid::from_u128(id),
                topic: topic(),
                aggregate: Aggregate::new(tenant, kind, aggregate).unwrap(),
                seq,
                previous: previous.map(Uuid::from_u128),
                headers,
                payload: payload.into(),
                created_at: OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap(),
            }
        }
    }

    proptest! {
        #[test]
        fn a_message_comes_back_as_it_was(message in message()) {
            prop_assert_eq!(decode(&topic(), flat(encode(&message))), Ok(message));
        }

        #[test]
        fn a_field_less_or_spoilt_is_malformed_and_no_panic(
            message in message(),
            at in 0_usize..8,
            spoilt in proptest::option::of(vec(any::<u8>(), 0..20)),
        ) {
            let mut fields = encode(&message);
            if let Some(value) = spoilt {
                // Whatever it makes of it, it must not panic.
                fields[at].1 = value.into();
                drop(decode(&topic(), flat(fields)));
            } else {
                fields.remove(at);
                prop_assert!(decode(&topic(), flat(fields)).is_err());
            }
        }

        #[test]
        fn garbage_is_malformed(entry in vec(vec(any::<u8>(), 0..20), 0..20)) {
            prop_assert!(decode(&topic(), entry).is_err());
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_not_shown() {
        let why = decode(&topic(), vec![b"tenant".to_vec(), b"\xff".to_vec()]).unwrap_err();
        assert!(
            why.to_string().contains("its `tenant` can't be read"),
            "{why}"
        );
        let why = decode(&topic(), Vec::new()).unwrap_err();
        assert_eq!(why.to_string(), "not a message: it has no `tenant`");
    }
}
