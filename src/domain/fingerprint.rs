//! What makes two requests the same request: a keyed digest of all that they ask for.
//!
//! The digest is HMAC-SHA-256, because a body may hold a card number and a plain hash of one can
//! be searched backwards. Algorithm and secret are named inside the stored fingerprint, so that
//! a deploy that changes either still recognises the honest retry of an older request.

use std::fmt;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::canonical_json::{BodyError, canonicalize};

/// How a body enters the digest. The number is stored, first byte of a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// 1: the body's bytes as they came.
    Bytes,
    /// 2: a JSON body in canonical form (`docs/http-api.md`), any other body as it came.
    CanonicalJson,
}

/// What is digested. Parts are length-prefixed, so none can run into its neighbour.
#[derive(Clone, Default)]
pub struct Subject {
    /// The method, upper case.
    pub method: String,
    /// The path as it was asked for, with its ids, without the query.
    pub path: String,
    /// The query as it was sent, without `?`; empty where there is none.
    pub query: String,
    /// The `Content-Type` as it was sent; empty where there is none.
    pub content_type: String,
    /// Further headers that change what is asked for, such as an API version: name and value.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Bytes,
}

/// The digest of a request, with the algorithm and the secret that made it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    algorithm: u8,
    secret_id: [u8; 4],
    digest: [u8; 32],
}

/// How a stored fingerprint compares with the request at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same request.
    Same,
    /// Another request under the same key: 422.
    Different,
    /// Made by an algorithm or secret that this process does not have: neither run nor replayed.
    Unknown,
}

/// Makes and compares fingerprints with the current secret, and with earlier ones.
#[derive(Clone)]
pub struct Fingerprinter {
    /// The current secret first.
    secrets: Vec<Secret>,
}

#[derive(Clone)]
struct Secret {
    id: [u8; 4],
    mac: Hmac<Sha256>,
}

impl Algorithm {
    const fn number(self) -> u8 {
        match self {
            Self::Bytes => 1,
            Self::CanonicalJson => 2,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Bytes),
            2 => Some(Self::CanonicalJson),
            _ => None,
        }
    }
}

impl Fingerprinter {
    /// Takes the secret that makes new fingerprints, and those that made older ones.
    pub fn new(current: &[u8], previous: &[&[u8]]) -> Self {
        let all = std::iter::once(current).chain(previous.iter().copied());
        Self {
            secrets: all.map(Secret::new).collect(),
        }
    }

    /// Digests `subject` with the current secret.
    pub fn compute(
        &self,
        algorithm: Algorithm,
        subject: &Subject,
    ) -> Result<Fingerprint, BodyError> {
        let secret = self
            .secrets
            .first()
            .expect("invariant: there is a current secret");
        secret.digest(algorithm, subject)
    }

    /// Compares `stored` with `subject`, whose own fingerprint is `ours`.
    ///
    /// Where another algorithm or an earlier secret made `stored`, the digest is made again with
    /// that one, so that a retry over a deploy is still the same request.
    pub fn compare(&self, stored: &Fingerprint, ours: &Fingerprint, subject: &Subject) -> Verdict {
        if stored.algorithm == ours.algorithm && stored.secret_id == ours.secret_id {
            return Verdict::of(stored == ours);
        }
        let Some(algorithm) = Algorithm::from_number(stored.algorithm) else {
            return Verdict::Unknown;
        };
        let Some(secret) = self.secrets.iter().find(|it| it.id == stored.secret_id) else {
            return Verdict::Unknown;
        };
        // A body with no canonical form cannot be the one that had one.
        secret
            .digest(algorithm, subject)
            .map_or(Verdict::Different, |it| Verdict::of(it == *stored))
    }
}

impl Verdict {
    fn of(same: bool) -> Self {
        if same { Self::Same } else { Self::Different }
    }
}

impl Secret {
    fn new(secret: &[u8]) -> Self {
        let hash = Sha256::digest(secret);
        let id = std::array::from_fn(|at| hash.get(at).copied().unwrap_or_default());
        let mac = Hmac::new_from_slice(secret).expect("invariant: HMAC takes keys of any length");
        Self { id, mac }
    }

    fn digest(&self, algorithm: Algorithm, subject: &Subject) -> Result<Fingerprint, BodyError> {
        let mut mac = self.mac.clone();
        let mut part = |bytes: &[u8]| {
            mac.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(bytes);
        };
        let json = json_type(&subject.content_type);
        part(&[algorithm.number()]);
        part(subject.method.as_bytes());
        part(subject.path.as_bytes());
        part(subject.query.as_bytes());
        // Parameters of a JSON type mean nothing (RFC 8259, section 11), and clients vary them.
        match (&json, algorithm) {
            (Some(essence), Algorithm::CanonicalJson) => part(essence.as_bytes()),
            (_, Algorithm::Bytes | Algorithm::CanonicalJson) => {
                part(subject.content_type.as_bytes());
            }
        }
        for (name, value) in &subject.headers {
            part(name.as_bytes());
            part(value);
        }
        // A body that is empty is no JSON, and some clients send the type all the same.
        let is_canonical = algorithm == Algorithm::CanonicalJson && json.is_some();
        if is_canonical && !subject.body.is_empty() {
            part(&canonicalize(&subject.body)?);
        } else {
            part(&subject.body);
        }
        let digest = mac.finalize().into_bytes().into();
        Ok(Fingerprint {
            algorithm: algorithm.number(),
            secret_id: self.id,
            digest,
        })
    }
}

/// The type without parameters, in lower case, where it is a JSON one (RFC 6839's `+json` too).
pub(crate) fn json_type(content_type: &str) -> Option<String> {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    (essence == "application/json" || essence.ends_with("+json")).then_some(essence)
}

impl Fingerprint {
    /// The length of the stored form, in bytes.
    pub const BYTES: usize = 37;

    /// The stored form: algorithm, four bytes that name the secret, 32 bytes of digest.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let parts = [self.algorithm]
            .into_iter()
            .chain(self.secret_id)
            .chain(self.digest);
        bytes
            .iter_mut()
            .zip(parts)
            .for_each(|(to, from)| *to = from);
        bytes
    }

    /// Reads the stored form; `None` where the length is another.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (algorithm, rest) = bytes.split_first()?;
        let (secret_id, digest) = rest.split_first_chunk::<4>()?;
        let digest = <[u8; 32]>::try_from(digest).ok()?;
        Some(Self {
            algorithm: *algorithm,
            secret_id: *secret_id,
            digest,
        })
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({}, …)", self.algorithm)
    }
}

impl fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprinter({} secrets)", self.secrets.len())
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({}, {} bytes)", self.method, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const JSON: Algorithm = Algorithm::CanonicalJson;

    fn charge(body: &'static str) -> Subject {
        Subject {
            method: "POST".to_owned(),
            path: "/charge".to_owned(),
            content_type: "application/json".to_owned(),
            body: Bytes::from_static(body.as_bytes()),
            ..Subject::default()
        }
    }

    fn print(subject: &Subject) -> Fingerprint {
        Fingerprinter::new(b"secret", &[])
            .compute(JSON, subject)
            .unwrap()
    }

    #[test]
    fn json_that_says_the_same_is_the_same_request() {
        let one = charge(r#"{"amount":1,"currency":"USD"}"#);
        let mut other = charge("{ \"currency\": \"USD\", \"amount\": 1 }");
        other.content_type = "Application/JSON; charset=utf-8".to_owned();
        assert_eq!(print(&one), print(&other));
    }

    #[test]
    fn numbers_that_floats_would_merge_are_different_requests() {
        for (one, other) in [
            (
                r#"{"amount":9007199254740993}"#,
                r#"{"amount":9007199254740992}"#,
            ),
            (r#"{"amount":1.0}"#, r#"{"amount":1.00}"#),
        ] {
            assert_ne!(print(&charge(one)), print(&charge(other)));
        }
    }

    #[test]
    fn every_part_of_the_request_counts() {
        let base = charge("{}");
        let with = |change: fn(&mut Subject)| {
            let mut subject = base.clone();
            change(&mut subject);
            print(&subject)
        };
        let changed = [
            with(|it| it.method = "PUT".to_owned()),
            with(|it| it.path = "/charges".to_owned()),
            with(|it| it.query = "v=2".to_owned()),
            with(|it| it.content_type = "application/vnd.a+json".to_owned()),
            with(|it| it.headers.push(("api-version".to_owned(), b"2".to_vec()))),
            with(|it| it.body = Bytes::from_static(b"[]")),
            print(&base),
        ];
        for (at, one) in changed.iter().enumerate() {
            assert!(
                changed.iter().skip(at + 1).all(|other| other != one),
                "{at}"
            );
        }
    }

    #[test]
    fn a_body_that_is_not_json_counts_byte_for_byte() {
        let mut one = charge("a=1&b=2");
        one.content_type = "application/x-www-form-urlencoded".to_owned();
        let mut other = one.clone();
        assert_eq!(print(&one), print(&other));
        other.body = Bytes::from_static(b"b=2&a=1");
        assert_ne!(print(&one), print(&other));
    }

    #[test]
    fn the_secret_is_part_of_the_digest() {
        let other = Fingerprinter::new(b"other", &[])
            .compute(JSON, &charge("{}"))
            .unwrap();
        assert_ne!(print(&charge("{}")).digest, other.digest);
    }

    #[test]
    fn a_retry_over_a_change_of_algorithm_or_secret_is_still_the_same_request() {
        let (subject, another) = (charge("{\"a\": 1}"), charge("{\"a\": 2}"));
        let old = Fingerprinter::new(b"old", &[]);
        let new = Fingerprinter::new(b"new", &[b"old"]);
        let stored = old.compute(Algorithm::Bytes, &subject).unwrap();
        let compare = |it: &Subject| new.compare(&stored, &new.compute(JSON, it).unwrap(), it);
        assert_eq!(compare(&subject), Verdict::Same);
        assert_eq!(compare(&another), Verdict::Different);
    }

    #[test]
    fn a_fingerprint_of_unknown_making_is_neither_same_nor_different() {
        let subject = charge("{}");
        let ours = Fingerprinter::new(b"new", &[]);
        let print = ours.compute(JSON, &subject).unwrap();
        let foreign = Fingerprinter::new(b"lost", &[])
            .compute(JSON, &subject)
            .unwrap();
        assert_eq!(ours.compare(&foreign, &print, &subject), Verdict::Unknown);
        let future = Fingerprint {
            algorithm: 200,
            ..print
        };
        assert_eq!(ours.compare(&future, &print, &subject), Verdict::Unknown);
    }

    #[test]
    fn the_stored_form_is_read_back() {
        let print = print(&charge("{}"));
        assert_eq!(Fingerprint::from_bytes(&print.to_bytes()), Some(print));
        assert_eq!(Fingerprint::from_bytes(&print.to_bytes()[1..]), None);
        assert_eq!(Fingerprint::from_bytes(&[0; 38]), None);
    }

    proptest! {
        #[test]
        fn parts_do_not_run_into_each_other(
            a in ("[ab]{0,2}", "[ab]{0,2}", "[ab]{0,2}"), b in ("[ab]{0,2}", "[ab]{0,2}", "[ab]{0,2}"),
        ) {
            let subject = |it: &(String, String, String)| Subject {
                path: it.0.clone(), query: it.1.clone(), body: it.2.clone().into(), ..Subject::default()
            };
            prop_assert_eq!(print(&subject(&a)) == print(&subject(&b)), a == b);
        }
    }
}
