//! The bytes of an envelope: versioned, with a checksum, and absent where in doubt.
//!
//! ```text
//!   "onc"  version  payload (postcard)                                  checksum
//!   3      1        identity, epoch, fingerprint, latch | completed     8
//! ```
//!
//! The checksum is the first eight bytes of SHA-256 over everything before it. Whatever can't be
//! read for certain counts as absent, and the ledger is asked: bytes of another version, of
//! another program, of another key (a proxy or a client mixed replies up), or with a bit flipped.
//!
//! Times are kept in microseconds, which is what Postgres keeps.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{Completed, Content, Envelope, Latch};
use crate::domain::{Epoch, Fingerprint, Identity, Response, Stored};

/// What each value begins with: ours, version 1. Readable in `redis-cli`.
const HEADER: [u8; 4] = *b"onc\x01";

/// 64 bits: one accident in 10¹⁹ passes, and it must also carry the right identity.
const CHECKSUM_BYTES: usize = 8;

/// Version 1 as it is written. The order of fields and variants is the format.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    identity: [u8; 32],
    epoch_number: i64,
    timeline: u32,
    #[serde(borrow)]
    fingerprint: Cow<'a, [u8]>,
    #[serde(borrow)]
    content: WireContent<'a>,
}

#[derive(Serialize, Deserialize)]
enum WireContent<'a> {
    Latch {
        token: [u8; 16],
        started_at_us: i64,
        attempt: u32,
    },
    Whole {
        status: u16,
        #[serde(borrow)]
        header_lines: Cow<'a, [u8]>,
        #[serde(borrow)]
        body: Cow<'a, [u8]>,
        completed_at_us: i64,
        expires_at_us: i64,
    },
    TooLarge {
        status: u16,
        completed_at_us: i64,
        expires_at_us: i64,
    },
}

impl Envelope<Latch> {
    /// The bytes that [`Envelope::decode`] reads.
    pub fn encode(&self, identity: &Identity) -> Vec<u8> {
        let content = WireContent::Latch {
            token: self.content.token,
            started_at_us: to_us(self.content.started_at),
            attempt: self.content.attempt,
        };
        write(identity, self.epoch, self.fingerprint, content)
    }
}

impl Envelope<Completed> {
    /// The bytes that [`Envelope::decode`] reads.
    pub fn encode(&self, identity: &Identity) -> Vec<u8> {
        let completed_at_us = to_us(self.content.completed_at);
        let expires_at_us = to_us(self.content.expires_at);
        let content = match &self.content.stored {
            Stored::Whole(response) => WireContent::Whole {
                status: response.status.as_u16(),
                header_lines: Cow::Owned(response.header_lines()),
                body: Cow::Borrowed(&response.body),
                completed_at_us,
                expires_at_us,
            },
            Stored::TooLarge { status } => WireContent::TooLarge {
                status: status.as_u16(),
                completed_at_us,
                expires_at_us,
            },
        };
        write(identity, self.epoch, self.fingerprint, content)
    }
}

impl Envelope {
    /// Reads what is held for `identity`; `None` where it can't be read for certain.
    pub fn decode(identity: &Identity, bytes: &[u8]) -> Option<Self> {
        let (covered, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        let payload = covered.strip_prefix(&HEADER)?;
        if checksum_of(covered) != *checksum {
            return None;
        }
        let (wire, rest) = postcard::take_from_bytes::<Wire<'_>>(payload).ok()?;
        if !rest.is_empty() || wire.identity != *identity.digest() {
            return None;
        }
        Some(Self {
            epoch: Epoch {
                number: wire.epoch_number,
                timeline: wire.timeline,
            },
            fingerprint: Fingerprint::from_bytes(&wire.fingerprint)?,
            content: read(wire.content)?,
        })
    }
}

fn write(
    identity: &Identity,
    epoch: Epoch,
    fingerprint: Fingerprint,
    content: WireContent<'_>,
) -> Vec<u8> {
    let fingerprint = fingerprint.to_bytes();
    let wire = Wire {
        identity: *identity.digest(),
        epoch_number: epoch.number,
        timeline: epoch.timeline,
        fingerprint: Cow::Borrowed(&fingerprint),
        content,
    };
    let mut bytes = postcard::to_extend(&wire, HEADER.to_vec())
        .expect("invariant: a vector takes what is written, and each length is known");
    let checksum = checksum_of(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

fn read(content: WireContent<'_>) -> Option<Content> {
    let (stored, completed_at_us, expires_at_us) = match content {
        WireContent::Latch {
            token,
            started_at_us,
            attempt,
        } => {
            return Some(Content::Latch(Latch {
                token,
                started_at: from_us(started_at_us)?,
                attempt,
            }));
        }
        WireContent::Whole {
            status,
            header_lines,
            body,
            completed_at_us,
            expires_at_us,
        } => {
            let response = Response {
                status: StatusCode::from_u16(status).ok()?,
                headers: Response::parse_header_lines(&header_lines)?,
                body: Bytes::copy_from_slice(&body),
            };
            (Stored::Whole(response), completed_at_us, expires_at_us)
        }
        WireContent::TooLarge {
            status,
            completed_at_us,
            expires_at_us,
        } => {
            let status = StatusCode::from_u16(status).ok()?;
            (Stored::TooLarge { status }, completed_at_us, expires_at_us)
        }
    };
    Some(Content::Completed(Completed {
        stored,
        completed_at: from_us(completed_at_us)?,
        expires_at: from_us(expires_at_us)?,
    }))
}

fn checksum_of(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let (checksum, _) = digest
        .split_first_chunk()
        .expect("invariant: a digest has 32 bytes");
    *checksum
}

fn to_us(instant: OffsetDateTime) -> i64 {
    i64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000))
        .expect("invariant: years up to 9999 fit into 64 bits of microseconds")
}

fn from_us(us: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Key, Operation, Tenant};
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;
    use std::fmt::Write as _;
    use time::macros::datetime;

    fn identity(key: &str) -> Identity {
        Identity::of(
            &Tenant::new("demo").unwrap(),
            &Operation::new("POST /charge").unwrap(),
            &Key::from_header([key.as_bytes()]).unwrap(),
        )
    }

    fn envelope<C>(content: C) -> Envelope<C> {
        Envelope {
            epoch: Epoch {
                number: 3,
                timeline: 1,
            },
            fingerprint: Fingerprint::from_bytes(&[7; Fingerprint::BYTES]).unwrap(),
            content,
        }
    }

    fn latch() -> Envelope<Latch> {
        envelope(Latch {
            token: [9; 16],
            started_at: datetime!(2026-11-21 12:00:00.000001 UTC),
            attempt: 2,
        })
    }

    fn completed(stored: Stored) -> Envelope<Completed> {
        envelope(Completed {
            stored,
            completed_at: datetime!(2026-11-21 12:00:00.123456 UTC),
            expires_at: datetime!(2026-11-24 12:00:00.123456 UTC),
        })
    }

    fn whole(status: u16, headers: &[(&'static str, &[u8])], body: Vec<u8>) -> Stored {
        let headers = headers.iter().map(|(name, value)| {
            let value = HeaderValue::from_bytes(value).unwrap();
            (http::HeaderName::from_static(name), value)
        });
        Stored::Whole(Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect::<HeaderMap>(),
            body: Bytes::from(body),
        })
    }

    fn charge() -> Envelope<Completed> {
        let headers: [(_, &[u8]); 2] = [
            ("content-type", b"application/json"),
            ("location", b"/charge/ch_1"),
        ];
        completed(whole(201, &headers, br#"{"id":"ch_1"}"#.to_vec()))
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
    }

    #[test]
    fn the_bytes_of_version_1_never_change() {
        // A change here needs a new version: hot answers of a running fleet would all be lost.
        let head = "6f6e630168ef2226df3a413d4242a7c812393067f3288a5ab201bc368c83e8f9747ea9550601\
                    2507070707070707070707070707070707070707070707070707070707070707070707070707";
        let status = StatusCode::OK;
        for (bytes, tail) in [
            (
                latch().encode(&identity("k-1")),
                "000909090909090909090909090909090982c08b9a83b2b00602428f6d5796e61353",
            ),
            (
                charge().encode(&identity("k-1")),
                "01c90138636f6e74656e742d747970653a206170706c69636174696f6e2f6a736f6e0d0a6c6f\
                 636174696f6e3a202f6368617267652f63685f310d0a0d7b226964223a2263685f31227d80c9\
                 9a9a83b2b00680c9cbb28ec1b0062f9b8df0094e1896",
            ),
            (
                completed(Stored::TooLarge { status }).encode(&identity("k-1")),
                "02c80180c99a9a83b2b00680c9cbb28ec1b0060c4a446109a7cda1",
            ),
        ] {
            assert_eq!(hex(&bytes), [head, tail].concat());
        }
    }

    #[test]
    fn a_value_of_another_key_or_with_anything_added_counts_as_absent() {
        let bytes = charge().encode(&identity("k-1"));
        assert!(Envelope::decode(&identity("k-1"), &bytes).is_some());
        assert_eq!(Envelope::decode(&identity("k-2"), &bytes), None);
        let longer = [&bytes[..], b"\0"].concat();
        assert_eq!(Envelope::decode(&identity("k-1"), &longer), None);
    }

    #[test]
    fn a_sound_checksum_does_not_excuse_another_version_or_trailing_bytes() {
        let bytes = charge().encode(&identity("k-1"));
        let covered = &bytes[..bytes.len() - CHECKSUM_BYTES];
        let with_version_2 = [b"onc\x02", &covered[HEADER.len()..]].concat();
        let with_more = [covered, b"\0"].concat();
        for covered in [with_version_2, with_more] {
            let bytes = [&covered[..], &checksum_of(&covered)].concat();
            assert_eq!(Envelope::decode(&identity("k-1"), &bytes), None);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(
            status in 100..=999_u16,
            etag in proptest::collection::vec(0x20..=0x7e_u8, 0..32),
            body in proptest::collection::vec(any::<u8>(), 0..256),
            (number, timeline) in (any::<i64>(), any::<u32>()),
        ) {
            let mut sent = completed(whole(status, &[("etag", &etag)], body));
            sent.epoch = Epoch { number, timeline };
            let read = Envelope::decode(&identity("k"), &sent.encode(&identity("k"))).unwrap();
            prop_assert_eq!((read.epoch, read.fingerprint), (sent.epoch, sent.fingerprint));
            prop_assert_eq!(read.content, Content::Completed(sent.content));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            // A sound header and checksum, or the payload's reader is never reached.
            let covered = [&HEADER[..], &bytes].concat();
            let sound = [&covered[..], &checksum_of(&covered)].concat();
            prop_assert_eq!(Envelope::decode(&identity("k"), &sound), None);
            prop_assert_eq!(Envelope::decode(&identity("k"), &bytes), None);
        }
    }

    #[test]
    fn any_bit_that_flips_makes_it_absent() {
        let (latch, charge) = (
            latch().encode(&identity("k")),
            charge().encode(&identity("k")),
        );
        for mut bytes in [latch, charge] {
            assert!(Envelope::decode(&identity("k"), &bytes).is_some());
            for bit in 0..bytes.len() * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Envelope::decode(&identity("k"), &bytes), None, "{bit}");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}
