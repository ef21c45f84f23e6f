//! Callers: they send, wait, and retry as the client does.

use http::StatusCode;
use oncely::backoff::Backoff;
use oncely::client::Policy;
use oncely::client::classify::{Class, KeySign, Next, Signs, Trace, classify, trace};
use std::time::Duration;

use super::faults::Fault;
use super::world::{S, Task, World};
use crate::protocol::{Reply, Who};

/// The most requests of one key while there are faults; the rest is for the end.
const REQUESTS_MAX: usize = 24;
/// The most requests of one key.
const REQUESTS_EVER: usize = 60;

/// Somebody who uses a key.
#[derive(Debug, Default)]
pub(super) struct Caller {
    pub(super) body: u8,
    pub(super) waits_for: Option<Who>,
    /// How many attempts this call has made.
    pub(super) n_attempts: u32,
    /// Whether the operation may be done, as the client keeps it.
    pub(super) may_be_done: bool,
    /// Since when it is told that somebody works on it.
    pub(super) in_flight_since: Option<u64>,
    /// Whose answers it got, a bit for each.
    pub(super) answers: u64,
    pub(super) end: Option<End>,
}

/// How it ended for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// 422.
    Refused,
}

impl World {
    pub(super) fn send(&mut self, key: usize, caller: usize) {
        let site = &mut self.sites[key];
        let n = site.requests.len();
        let it = &mut site.callers[caller];
        if it.end.is_some() || it.waits_for.is_some() {
            return;
        }
        if n >= REQUESTS_EVER {
            return; // The check will find that it has not ended.
        }
        if self.is_faulty && REQUESTS_MAX <= n {
            return self.after(S, Task::Send { key, caller });
        }
        if self.strikes(Fault::RequestDoubled, 5) && n + 2 < REQUESTS_EVER {
            self.request(key, caller, true);
        }
        let who = self.request(key, caller, false);
        let it = &mut self.sites[key].callers[caller];
        it.n_attempts += 1;
        it.waits_for = Some(who);
    }

    /// No answer: the connection broke, or the time is over.
    pub(super) fn lost(&mut self, key: usize, caller: usize, who: Who) {
        let it = &mut self.sites[key].callers[caller];
        if it.waits_for != Some(who) {
            return;
        }
        it.waits_for = None;
        it.may_be_done = true;
        self.again(key, caller, Class::Fault, None);
    }

    pub(super) fn answer(&mut self, key: usize, who: Who) {
        let site = &mut self.sites[key];
        let Some(caller) = site.requests[usize::from(who)].caller else {
            return;
        };
        let it = &mut site.callers[caller];
        let reply = site.cell.handlers[usize::from(who)].reply;
        let Some(reply) = reply.filter(|_| it.waits_for == Some(who)) else {
            return;
        };
        it.waits_for = None;
        if let Reply::Done(by) = reply {
            it.answers |= 1 << by;
        }
        let since = match reply {
            Reply::InFlight => Some(it.in_flight_since.unwrap_or(self.now)),
            _ => None,
        };
        let waited = since.map_or(0, |it| self.now - it);
        it.in_flight_since = since;
        let (status, signs) = signs(reply, who);
        it.may_be_done = match trace(status, &signs) {
            Trace::Settled => false,
            Trace::Silent => it.may_be_done,
            Trace::MayBeDone => true,
        };
        self.longest_in_flight = self.longest_in_flight.max(waited);
        match classify(status, &signs) {
            Next::Done => {
                it.end = Some(End::Done);
                self.budget.deposit();
            }
            // An operator has to look first; then the same key goes on.
            Next::Rejected if reply == Reply::OperationUnknown => {
                let delay = self.up_to(2 * S);
                self.after(delay, Task::Operator { key });
                self.pauses(key, caller);
            }
            Next::Rejected => it.end = Some(End::Refused),
            Next::Retry(class) => {
                let hint = signs.has_hint.then_some(Duration::from_secs(1));
                self.again(key, caller, class, hint);
            }
            Next::Redirected | Next::Unknown => self.pauses(key, caller),
        }
    }

    /// The next attempt, if the policy and the budget allow it.
    fn again(&mut self, key: usize, caller: usize, class: Class, hint: Option<Duration>) {
        let policy = Policy::default();
        let it = &self.sites[key].callers[caller];
        let cost = match class {
            Class::InFlight => policy.throttled_cost_milli,
            Class::Throttled | Class::Fault => oncely::client::budget::TOKEN_MILLI,
        };
        let n = it.n_attempts;
        if policy.attempts_max <= n {
            return self.pauses(key, caller);
        }
        let Some(paid) = self.budget.withdraw(cost) else {
            return self.pauses(key, caller);
        };
        paid.spend();
        let base = match class {
            Class::Fault => policy.fault_base,
            Class::Throttled | Class::InFlight => policy.throttled_base,
        };
        let draw = self.random.u64(..);
        let delay = Backoff::new(base, policy.backoff_cap).delay(n.saturating_sub(1), draw);
        let delay = delay.max(hint.unwrap_or_default()).as_micros();
        let delay = u64::try_from(delay).unwrap_or(S);
        self.after(delay + 1, Task::Send { key, caller });
    }

    /// The call has ended without an answer; its operation is kept, and resolved later.
    fn pauses(&mut self, key: usize, caller: usize) {
        self.sites[key].callers[caller].n_attempts = 0;
        let delay = S + self.up_to(3 * S);
        self.after(delay, Task::Send { key, caller });
    }

    /// An operator resolves what is unknown, once no call is on its way any more, nor can be: who says
    /// that a call did not happen says that it never will.
    pub(super) fn operator(&mut self, key: usize) {
        let cell = &mut self.sites[key].cell;
        let may_still = !self.is_operator_hasty && cell.may_still_call();
        if cell.outside.under_way == 0 && !may_still {
            cell.resolve();
        } else {
            self.after(S, Task::Operator { key });
        }
    }
}

/// What an answer looks like to the client: status, problem and headers, as `http::problem` has them.
fn signs(reply: Reply, who: Who) -> (StatusCode, Signs) {
    let advised = |retryable, key| Signs {
        retryable: Some(retryable),
        retry_same_key: Some(true),
        safe_new_key: Some(false),
        key,
        has_hint: retryable,
        ..Signs::default()
    };
    match reply {
        Reply::Done(by) => {
            let key = if by == who {
                KeySign::Created
            } else {
                KeySign::Replayed
            };
            let signs = Signs {
                key,
                ..Signs::default()
            };
            (StatusCode::CREATED, signs)
        }
        Reply::InFlight => (StatusCode::CONFLICT, advised(true, KeySign::InFlight)),
        Reply::Mismatch => {
            let signs = Signs {
                retry_same_key: Some(false),
                ..advised(false, KeySign::Absent)
            };
            (StatusCode::UNPROCESSABLE_ENTITY, signs)
        }
        Reply::OperationUnknown => (StatusCode::CONFLICT, advised(false, KeySign::Unknown)),
        Reply::Unavailable => {
            let signs = advised(true, KeySign::Absent);
            (StatusCode::SERVICE_UNAVAILABLE, signs)
        }
        Reply::OutcomeUnknown => {
            let signs = advised(true, KeySign::Unknown);
            (StatusCode::SERVICE_UNAVAILABLE, signs)
        }
    }
}
