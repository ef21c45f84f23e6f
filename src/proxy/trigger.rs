//! One-shot cuts: what to look for in the bytes that pass, and where to cut them.

use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use tokio::sync::oneshot;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Request,
    /// From the server to the client.
    Reply,
}

/// Tells when a cut has happened.
#[derive(Debug)]
pub struct Fired(oneshot::Receiver<()>);

impl Fired {
    /// Waits until the connection was cut. It fails if that can no longer happen, because the proxy
    /// is gone or another cut was armed.
    pub async fn wait(self) -> anyhow::Result<()> {
        self.0.await.context("the proxy's cut was taken back")
    }
}

/// What a trigger waits for.
#[derive(Debug)]
pub(super) enum Rule {
    /// These bytes of a request: cut in front of them.
    Before(Vec<u8>),
    /// These bytes of a request: forward them, swallow replies until `reply` is seen, then cut.
    After { request: Vec<u8>, reply: Vec<u8> },
    /// So many more bytes.
    Bytes { direction: Direction, left: usize },
}

/// What to do with a piece of bytes.
#[derive(Debug)]
pub(super) enum Verdict {
    Forward,
    /// Forward so many bytes of the piece and cut.
    Cut(usize, Cut),
    /// Forward all, and cut when this reply was seen.
    CutAtReply(Vec<u8>, Cut),
}

/// A cut that is under way. It is told to the test when it is dropped as done.
#[derive(Debug)]
pub(super) struct Cut {
    /// Whether the client sees a reset; else the connection ends as if the server had closed it.
    pub(super) is_reset: bool,
    pub(super) fired: oneshot::Sender<()>,
}

/// The place of a proxy's trigger; at most one is armed.
#[derive(Debug, Default)]
pub(super) struct Trigger(Mutex<Option<(Rule, oneshot::Sender<()>)>>);

impl Trigger {
    pub(super) fn arm(&self, rule: Rule) -> Fired {
        let (sender, receiver) = oneshot::channel();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((rule, sender));
        Fired(receiver)
    }

    pub(super) fn disarm(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Looks at a piece of bytes before it is forwarded.
    pub(super) fn inspect(&self, direction: Direction, seen: &Seen, piece: &[u8]) -> Verdict {
        let mut armed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((mut rule, fired)) = armed.take() else {
            return Verdict::Forward;
        };
        let found = match &mut rule {
            Rule::Before(needle) if direction == Direction::Request => seen.find(piece, needle),
            Rule::After { request, .. } if direction == Direction::Request => {
                seen.find(piece, request)
            }
            Rule::Bytes {
                direction: wanted,
                left,
            } if *wanted == direction => {
                let is_reached = piece.len() >= *left;
                let at = *left;
                *left = left.saturating_sub(piece.len());
                is_reached.then_some(at)
            }
            Rule::Before(_) | Rule::After { .. } | Rule::Bytes { .. } => None,
        };
        match (found, rule) {
            (Some(at), Rule::After { reply, .. }) => {
                debug_assert!(at <= piece.len());
                Verdict::CutAtReply(
                    reply,
                    Cut {
                        is_reset: true,
                        fired,
                    },
                )
            }
            (Some(at), Rule::Before(_)) => Verdict::Cut(
                at,
                Cut {
                    is_reset: true,
                    fired,
                },
            ),
            // A reset could make the client lose bytes that were forwarded.
            (Some(at), Rule::Bytes { .. }) => Verdict::Cut(
                at,
                Cut {
                    is_reset: false,
                    fired,
                },
            ),
            (None, rule) => {
                *armed = Some((rule, fired));
                Verdict::Forward
            }
        }
    }
}

/// The last bytes that passed in one direction of one connection, so that a needle is found although
/// the network tore it apart.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<u8>);

impl Seen {
    /// Longer needles may be missed when they arrive in pieces.
    const LEN_MAX: usize = 1024;

    /// Where in `piece` the needle begins; 0 if it began before.
    pub(super) fn find(&self, piece: &[u8], needle: &[u8]) -> Option<usize> {
        if needle.is_empty() {
            return Some(0);
        }
        // With one byte less than the needle, what is found always ends in the piece.
        let n_before = self.0.len().min(needle.len() - 1);
        let before = self.0.get(self.0.len() - n_before..).unwrap_or_default();
        let joined = [before, piece].concat();
        let at = joined
            .windows(needle.len())
            .position(|window| window == needle)?;
        Some(at.saturating_sub(n_before))
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(piece);
        let excess = self.0.len().saturating_sub(Self::LEN_MAX);
        self.0.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_needle_is_found_at_every_tear() {
        let (text, needle) = (b"Q\0\0\0\x0bCOMMIT\0Z", b"COMMIT");
        for tear in 0..=text.len() {
            let (one, other) = text.split_at(tear);
            let mut seen = Seen::default();
            let first = seen.find(one, needle);
            seen.push(one);
            let second = seen.find(other, needle);
            let expected = match tear {
                0..=5 => (None, Some(5 - tear)),
                6..=10 => (None, Some(0)),
                _ => (Some(5), None),
            };
            assert_eq!((first, second), expected, "torn at {tear}");
        }
    }

    #[test]
    fn bytes_are_counted_in_their_own_direction() {
        let trigger = Trigger::default();
        let rule = Rule::Bytes {
            direction: Direction::Reply,
            left: 5,
        };
        let _fired = trigger.arm(rule);
        let seen = Seen::default();
        let look = |direction, piece: &[u8]| match trigger.inspect(direction, &seen, piece) {
            Verdict::Cut(at, _) => Some(at),
            Verdict::Forward | Verdict::CutAtReply(..) => None,
        };
        assert_eq!(look(Direction::Reply, b"123"), None);
        assert_eq!(look(Direction::Request, b"12345"), None);
        assert_eq!(look(Direction::Reply, b"4567"), Some(2));
        assert_eq!(look(Direction::Reply, b"89"), None, "a cut happens once");
    }
}
