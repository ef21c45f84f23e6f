//! The client's parameters, with the reason of each default.

use std::time::Duration;

use super::breaker;
use super::budget::{self, TOKEN_MILLI};
use super::classify::Class;
use crate::backoff::Backoff;

/// How a client retries. Start from [`Policy::default`] or [`Policy::background`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The most attempts of one operation, the first included. Three: what three quick attempts do
    /// not mend is seldom mended by the fourth. At least one.
    pub attempts_max: u32,
    /// The longest wait before the first retry after a failure, 50 ms: a lost connection is mended
    /// at once by the next.
    pub fault_base: Duration,
    /// The longest wait before the first retry where the server has too much to do, or works on the
    /// key, and does not say how long: 1 s, because it was not a blip.
    pub throttled_base: Duration,
    /// The longest wait without a hint: 5 s where a person waits, 20 s in the background.
    pub backoff_cap: Duration,
    /// The longest time that one attempt may take, 10 s. The deadline may cut it shorter.
    pub attempt_timeout: Duration,
    /// How old a key may be, 24 h: the shortest time that APIs keep one. After it, a retry could
    /// be taken for a new operation, so that none is sent.
    pub key_lifetime: Duration,
    /// The retry budget of each call site.
    pub budget: budget::Policy,
    /// The price of a retry after a throttling that the server spoke out (429, 503 with a hint, 409
    /// in flight), in thousandths of a token: it is cheap for a server to say no.
    pub throttled_cost_milli: u32,
    /// The breaker of each call site.
    pub breaker: breaker::Policy,
}

impl Default for Policy {
    /// For calls that a person waits for.
    fn default() -> Self {
        Self {
            attempts_max: 3,
            fault_base: Duration::from_millis(50),
            throttled_base: Duration::from_secs(1),
            backoff_cap: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(10),
            key_lifetime: Duration::from_hours(24),
            budget: budget::Policy::default(),
            throttled_cost_milli: 400,
            breaker: breaker::Policy::default(),
        }
    }
}

impl Policy {
    /// For calls that nobody waits for: waits of up to 20 s.
    pub fn background() -> Self {
        Self {
            backoff_cap: Duration::from_secs(20),
            ..Self::default()
        }
    }

    /// The waits after a failure of this class.
    pub(super) fn backoff(&self, class: Class) -> Backoff {
        let base = match class {
            Class::Fault => self.fault_base,
            Class::Throttled | Class::InFlight => self.throttled_base,
        };
        Backoff::new(base, self.backoff_cap)
    }

    /// The price of a retry, in thousandths of a token.
    pub(super) fn cost_milli(&self, class: Class, is_spoken_out: bool) -> u32 {
        match class {
            Class::InFlight => self.throttled_cost_milli,
            Class::Throttled if is_spoken_out => self.throttled_cost_milli,
            Class::Throttled | Class::Fault => TOKEN_MILLI,
        }
    }
}
