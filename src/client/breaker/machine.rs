//! The machine: who is admitted, and what each sample changes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::window::Window;
use crate::backoff;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Hard failures in a row that open it.
    pub failures_max: u32,
    /// The fewest samples in ten seconds from which a share is made.
    pub samples_min: u32,
    /// The share of successes, in percent, below which retries are refused.
    pub retries_percent: u32,
    /// The share of successes, in percent, below which first tries are refused as well.
    pub first_tries_percent: u32,
    /// The first pause; each failed probe doubles it.
    pub pause: Duration,
    /// The longest pause, 5 s. A breaker that refuses first tries has seen two calls a second or
    /// more, so that a probe each five seconds is under a tenth of the usual load, and a server that
    /// is well again is used again within five seconds.
    pub pause_max: Duration,
    /// The longest pause that a server can ask for, 1 min.
    pub hint_max: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            failures_max: 5,
            samples_min: 20,
            retries_percent: 50,
            first_tries_percent: 10,
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(5),
            hint_max: Duration::from_mins(1),
        }
    }
}

/// The breaker of one call site.
#[derive(Debug)]
pub struct Breaker {
    policy: Policy,
    /// Held for a few instructions and never across an await.
    inner: Mutex<Inner>,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    /// The first request of an operation.
    First,
    /// A later one.
    Retry,
}

/// How a request went, as the breaker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// The server did its part, whatever it said.
    Good,
    /// 429, with the wait that it asked for.
    Throttled(Option<Duration>),
    /// 5xx or no answer, with the wait that it asked for.
    Failed(Option<Duration>),
}

/// What a breaker does with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It passes.
    Closed,
    /// It passes if it is a first try.
    RetriesRefused,
    /// It is refused.
    Open,
    /// It is refused, save for one probe.
    Probing,
}

impl State {
    /// The value of the gauge.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::RetriesRefused => 1,
            Self::Open => 2,
            Self::Probing => 3,
        }
    }
}

/// Leave to send one request. Say how it went with [`Permit::tell`].
#[derive(Debug)]
#[must_use = "a permit that is dropped counts for nothing"]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    role: Role,
}

#[derive(Debug, Clone, Copy)]
enum Role {
    Probe,
    /// The closed period that it is from: what an earlier one learnt late counts no more.
    Sample(u64),
    Told,
}

#[derive(Debug)]
struct Inner {
    phase: Phase,
    window: Window,
    /// Hard failures in a row.
    n_failures: u32,
    /// Probes in a row that failed.
    n_probes: u32,
    /// How many times the breaker has closed.
    period: u64,
    /// Whether first tries are refused as well, while it is not closed.
    refuses_all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { until: Instant },
    Probing,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            inner: Mutex::new(Inner {
                phase: Phase::Closed,
                window: Window::new(),
                n_failures: 0,
                n_probes: 0,
                period: 0,
                refuses_all: false,
            }),
        }
    }

    /// Leave to send one request, or how long to wait before asking again.
    pub fn admit(&self, kind: Try) -> Result<Permit<'_>, Duration> {
        let mut inner = self.lock();
        let passes = kind == Try::First && !inner.refuses_all;
        let role = match inner.phase {
            Phase::Closed => Role::Sample(inner.period),
            Phase::Open { until } if until <= Instant::now() => {
                inner.phase = Phase::Probing;
                Role::Probe
            }
            Phase::Open { .. } | Phase::Probing if passes => Role::Sample(inner.period),
            Phase::Open { until } => return Err(until - Instant::now()),
            Phase::Probing => return Err(self.policy.pause),
        };
        Ok(Permit {
            breaker: self,
            role,
        })
    }

    /// How long a call that would be made after `delay` is still refused: no use to wait for it.
    pub fn refuses(&self, kind: Try, delay: Duration) -> Option<Duration> {
        let inner = self.lock();
        let passes = kind == Try::First && !inner.refuses_all;
        match inner.phase {
            Phase::Open { until } if !passes && Instant::now() + delay < until => {
                Some(until - Instant::now())
            }
            Phase::Closed | Phase::Open { .. } | Phase::Probing => None,
        }
    }

    /// What would happen to a call now.
    pub fn state(&self) -> State {
        let inner = self.lock();
        match inner.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } | Phase::Probing if !inner.refuses_all => State::RetriesRefused,
            Phase::Open { until } if Instant::now() < until => State::Open,
            Phase::Open { .. } | Phase::Probing => State::Probing,
        }
    }

    fn judge(&self, role: Role, sample: Sample) {
        let mut inner = self.lock();
        match role {
            Role::Probe => self.judge_probe(&mut inner, sample),
            Role::Sample(period) if period == inner.period => {
                self.judge_sample(&mut inner, sample);
            }
            Role::Sample(_) | Role::Told => (),
        }
    }

    fn judge_probe(&self, inner: &mut Inner, sample: Sample) {
        match sample {
            Sample::Good => {
                inner.phase = Phase::Closed;
                inner.window = Window::new();
                (inner.n_failures, inner.n_probes) = (0, 0);
                inner.period = inner.period.wrapping_add(1);
                inner.refuses_all = false;
            }
            Sample::Throttled(hint) | Sample::Failed(hint) => {
                inner.n_probes = inner.n_probes.saturating_add(1);
                self.open(inner, hint);
            }
        }
    }

    fn judge_sample(&self, inner: &mut Inner, sample: Sample) {
        inner.window.push(sample == Sample::Good);
        let hint = match sample {
            Sample::Good => {
                inner.n_failures = 0;
                None
            }
            Sample::Throttled(hint) => hint,
            Sample::Failed(hint) => {
                inner.n_failures = inner.n_failures.saturating_add(1);
                hint
            }
        };
        let is_below = |percent| {
            inner
                .window
                .is_below(percent, u64::from(self.policy.samples_min))
        };
        let is_bad = is_below(self.policy.retries_percent);
        inner.refuses_all |= is_below(self.policy.first_tries_percent);
        if inner.phase == Phase::Closed {
            if is_bad || self.policy.failures_max.max(1) <= inner.n_failures {
                self.open(inner, hint);
            } else {
                inner.refuses_all = false;
            }
        }
    }

    /// Half of the pause is certain, so that it is one; the other half is drawn, so that callers do
    /// not probe together.
    fn open(&self, inner: &mut Inner, hint: Option<Duration>) {
        let factor = 1_u32.checked_shl(inner.n_probes).unwrap_or(u32::MAX);
        let pause = self.policy.pause.saturating_mul(factor);
        let half = pause.min(self.policy.pause_max) / 2;
        let pause = half + backoff::up_to(half, backoff::draw());
        let hint = hint.unwrap_or_default().min(self.policy.hint_max);
        inner.phase = Phase::Open {
            until: Instant::now() + pause.max(hint),
        };
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Whether the breaker's next move hangs on this request alone.
    pub fn is_probe(&self) -> bool {
        matches!(self.role, Role::Probe)
    }

    /// Says how the request went.
    pub fn tell(mut self, sample: Sample) {
        let role = std::mem::replace(&mut self.role, Role::Told);
        self.breaker.judge(role, sample);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if matches!(self.role, Role::Probe) {
            let mut inner = self.breaker.lock();
            if inner.phase == Phase::Probing {
                inner.phase = Phase::Open {
                    until: Instant::now(),
                };
            }
        }
    }
}
