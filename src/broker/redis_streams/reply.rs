//! Replies in the shapes that streams answer with. Pure.

use std::collections::HashMap;

use redis::{FromRedisValue, Value};

use super::line::Cause;
use super::place::Place;

/// Named values, as `XINFO` answers.
pub(super) type Fields = HashMap<String, Value>;

/// An entry as it stands in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    /// Names and values by turns.
    pub(super) fields: Vec<Vec<u8>>,
}

/// A reply of another shape.
#[derive(Debug, thiserror::Error)]
#[error("the reply is not what {0} answers")]
pub(super) struct Unexpected(pub(super) &'static str);

/// A field as a whole number.
pub(super) fn whole(fields: &Fields, name: &'static str) -> Result<u64, Cause> {
    read(fields, name)
}

/// A field as a place in the stream.
pub(super) fn place(fields: &Fields, name: &'static str) -> Result<Place, Cause> {
    Ok(read::<String>(fields, name)?.parse()?)
}

/// A field.
pub(super) fn read<T: FromRedisValue>(fields: &Fields, name: &'static str) -> Result<T, Cause> {
    let value = fields.get(name).ok_or(Unexpected("XINFO"))?;
    Ok(redis::from_redis_value_ref(value)?)
}

/// What `XREADGROUP` of one stream gave out; nothing where it waited in vain.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the driver's values are open-ended; the others are no answer to what was asked"
)]
pub(super) fn of_read(reply: Value) -> Result<Vec<Entry>, Cause> {
    let unexpected = || Unexpected("XREADGROUP");
    let entries = match reply {
        Value::Nil => return Ok(Vec::new()),
        Value::Array(streams) => match streams.into_iter().next().ok_or_else(unexpected)? {
            Value::Array(stream) => stream.into_iter().nth(1),
            _ => None,
        },
        Value::Map(streams) => streams.into_iter().next().map(|(_, entries)| entries),
        _ => None,
    };
    match entries {
        Some(Value::Array(entries)) => Ok(entries.into_iter().filter_map(entry).collect()),
        _ => Err(unexpected().into()),
    }
}

/// What `XAUTOCLAIM` gave out, and where to go on.
pub(super) fn of_claim(reply: Value) -> Result<(Vec<Entry>, String), Cause> {
    let unexpected = || Unexpected("XAUTOCLAIM");
    let Value::Array(parts) = reply else {
        return Err(unexpected().into());
    };
    // The third part, from 7.0 on, names those that are gone: the server struck them off itself.
    let mut parts = parts.into_iter();
    let next = parts.next().ok_or_else(unexpected)?;
    let Some(Value::Array(entries)) = parts.next() else {
        return Err(unexpected().into());
    };
    let entries = entries.into_iter().filter_map(entry).collect();
    Ok((entries, redis::from_redis_value(next)?))
}

/// An entry; none where it was deleted while somebody held it, which older servers show as nil.
fn entry(value: Value) -> Option<Entry> {
    let Value::Array(parts) = value else {
        return None;
    };
    let mut parts = parts.into_iter();
    let id = redis::from_redis_value(parts.next()?).ok()?;
    let fields = redis::from_redis_value::<Option<Vec<Vec<u8>>>>(parts.next()?).ok()??;
    Some(Entry { id, fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn there() -> Value {
        let fields = Value::Array(vec![bytes("f"), bytes("\0v")]);
        Value::Array(vec![bytes("1-0"), fields])
    }

    fn expected() -> Vec<Entry> {
        let (id, fields) = ("1-0".to_owned(), vec![b"f".to_vec(), b"\0v".to_vec()]);
        vec![Entry { id, fields }]
    }

    #[test]
    fn entries_that_are_gone_are_left_out() {
        let gone = Value::Array(vec![bytes("0-9"), Value::Nil]);
        let entries = Value::Array(vec![gone, Value::Nil, there()]);
        let claim = Value::Array(vec![bytes("2-0"), entries.clone()]);
        assert_eq!(of_claim(claim).unwrap(), (expected(), "2-0".to_owned()));
        let read = Value::Array(vec![Value::Array(vec![bytes("s"), entries.clone()])]);
        assert_eq!(of_read(read).unwrap(), expected());
        let read = Value::Map(vec![(bytes("s"), entries)]);
        assert_eq!(of_read(read).unwrap(), expected());
        assert_eq!(of_read(Value::Nil).unwrap(), Vec::new());
    }

    #[test]
    fn a_reply_of_another_shape_is_an_error() {
        for reply in [
            Value::Okay,
            Value::Array(Vec::new()),
            Value::Array(vec![there()]),
        ] {
            assert!(of_claim(reply.clone()).is_err(), "{reply:?}");
        }
        assert!(of_read(Value::Okay).is_err());
        assert!(of_read(Value::Array(vec![Value::Nil])).is_err());
    }
}
