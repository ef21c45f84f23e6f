//! The loop over attempts: waits, pays, asks the breaker, sends, and decides whether to go on.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::Client;
use super::attempt::{Tried, attempt};
use super::breaker::Try;
use super::budget::{TOKEN_MILLI, Withdrawal};
use super::classify::{Class, Next};
use super::deadline::Deadline;
use super::operation::Operation;
use super::outcome::{Error, Outcome, Why};
use super::response::Response;
use super::site::{Site, spread, spread_out};
use super::transcript::{Event, Reason};
use super::transport::{Lost, Sent};
use crate::backoff;
use crate::clock;
use crate::telemetry::client as metrics;

impl Client {
    /// Sends the operation until it is done, refused, or not worth another attempt; at most until
    /// `deadline`. All its attempts together, over all calls of this method, are at most
    /// [`Policy::attempts_max`](super::Policy::attempts_max).
    ///
    /// An `Err` says that nothing was done; where that is not certain, the outcome is
    /// [`Outcome::Unknown`].
    ///
    /// # Cancellation
    ///
    /// A call that is dropped sends nothing later, and what it took from the budget for a request
    /// that was not sent is put back. The operation remembers whether it may be done.
    pub async fn run(
        &self,
        operation: &mut Operation,
        deadline: Deadline,
    ) -> Result<Outcome, Error> {
        let n_left = self
            .attempts_max(operation)
            .saturating_sub(operation.n_attempts);
        Call::new(self, operation, deadline, n_left).run().await
    }

    /// Asks what became of an operation, by sending it again with the same key and the same bytes:
    /// a server that has done it repeats its answer, and one that has not does it now. It may be
    /// asked for as often as the retry budget allows.
    ///
    /// # Cancellation
    ///
    /// As [`Client::run`].
    pub async fn resolve(
        &self,
        operation: &mut Operation,
        deadline: Deadline,
    ) -> Result<Outcome, Error> {
        let n_left = self.attempts_max(operation);
        Call::new(self, operation, deadline, n_left).run().await
    }

    fn attempts_max(&self, operation: &Operation) -> u32 {
        if operation.is_nested {
            1
        } else {
            self.policy.attempts_max.max(1)
        }
    }
}

/// One call of [`Client::run`] or [`Client::resolve`].
struct Call<'a> {
    client: &'a Client,
    operation: &'a mut Operation,
    deadline: Deadline,
    site: Arc<Site>,
    n_left: u32,
    last: Option<Box<Response>>,
    lost: Option<Lost>,
}

/// The next attempt: when, why then, and at what price.
#[derive(Debug, Clone, Copy)]
struct Due {
    delay: Duration,
    why: Reason,
    cost_milli: u32,
    kind: Try,
    /// Whether a success gives the price back: the first attempt of a call for an operation that
    /// was tried before. A dead server is thus not asked beyond the budget, and a healthy one tells
    /// what became of any number of operations.
    is_refunded: bool,
}

/// Why the next attempt is not made.
#[derive(Debug, Clone, Copy)]
struct Stop {
    why: Why,
    retry_after: Option<Duration>,
}

impl<'a> Call<'a> {
    fn new(
        client: &'a Client,
        operation: &'a mut Operation,
        deadline: Deadline,
        n_left: u32,
    ) -> Self {
        let site = client.sites.of(operation.site(), &client.policy);
        Self {
            client,
            operation,
            deadline,
            site,
            n_left,
            last: None,
            lost: None,
        }
    }

    async fn run(mut self) -> Result<Outcome, Error> {
        let ended = self.attempts().await;
        let state = match &ended {
            Ok(Outcome::Done(_)) => metrics::Ended::Done,
            Ok(Outcome::Rejected(_)) => metrics::Ended::Rejected,
            Ok(Outcome::Unknown { .. }) => metrics::Ended::Unknown,
            Err(_) => metrics::Ended::GaveUp,
        };
        metrics::ended(&self.site.label, state);
        metrics::set_site(
            &self.site.label,
            self.site.budget.level_milli(),
            self.site.breaker.state().code(),
        );
        ended
    }

    async fn attempts(&mut self) -> Result<Outcome, Error> {
        let site = Arc::clone(&self.site);
        let age = clock::now() - self.operation.minted_at();
        if self.operation.may_be_done && self.client.policy.key_lifetime < age {
            return self.give_up(Stop::because(Why::Expired));
        }
        let mut due = self.first();
        loop {
            let paid = match self.prepare(&site, due).await {
                Ok(paid) => paid,
                Err(stop) => return self.give_up(stop),
            };
            let permit = match site.breaker.admit(due.kind) {
                Ok(permit) => permit,
                Err(wait) => {
                    let stop = Stop::because(Why::Breaker).retry_after(Some(wait));
                    return self.give_up(stop);
                }
            };
            if let Some(paid) = paid {
                paid.spend();
                metrics::retried(&site.label);
            }
            self.n_left = self.n_left.saturating_sub(1);
            let tried = attempt(self.client, self.operation, self.deadline, &site, permit).await;
            match self.judge(&site, due, tried) {
                ControlFlow::Continue(again) => due = again,
                ControlFlow::Break(ended) => return ended,
            }
        }
    }

    /// The first attempt of this call. One that follows on earlier calls is a retry.
    fn first(&self) -> Due {
        let policy = &self.client.policy;
        let n_earlier = self.operation.n_attempts;
        let is_first = n_earlier == 0;
        let backoff = policy.backoff(Class::Fault);
        Due {
            delay: if is_first {
                Duration::ZERO
            } else {
                backoff.delay(n_earlier - 1, backoff::draw())
            },
            why: Reason::Resumed,
            cost_milli: if is_first { 0 } else { TOKEN_MILLI },
            kind: if is_first { Try::First } else { Try::Retry },
            is_refunded: !is_first,
        }
    }

    /// Waits for the attempt's turn, with its price in the hand.
    async fn prepare<'s>(
        &mut self,
        site: &'s Site,
        due: Due,
    ) -> Result<Option<Withdrawal<'s>>, Stop> {
        if self.n_left == 0 {
            let is_nested = self.operation.is_nested;
            let why = if is_nested {
                Why::Nested
            } else {
                Why::Attempts
            };
            let hint = matches!(due.why, Reason::Hint(_)).then_some(due.delay);
            return Err(Stop::because(why).retry_after(hint));
        }
        let is_retry = due.kind == Try::Retry;
        let useful = if is_retry {
            site.usual_time()
        } else {
            Duration::ZERO
        };
        self.has_time(due.delay, useful)?;
        if let Some(wait) = site.breaker.refuses(due.kind, due.delay) {
            return Err(Stop::because(Why::Breaker).retry_after(Some(wait)));
        }
        let paid = match due.cost_milli {
            0 => None,
            cost => Some(site.budget.withdraw(cost).ok_or_else(|| {
                let wait = site.budget.refilled_in(cost).map(|it| it.max(due.delay));
                Stop::because(Why::Budget).retry_after(wait)
            })?),
        };
        let (mut delay, mut why) = (due.delay, due.why);
        loop {
            if let Some((left, spread)) = site.held_back().filter(|(left, _)| delay < *left) {
                (delay, why) = (spread_out(left, spread), Reason::Remembered);
            }
            self.has_time(delay, useful)?;
            if delay.is_zero() {
                return Ok(paid);
            }
            self.note(Event::Waited { delay, why });
            tokio::time::sleep(delay).await;
            delay = Duration::ZERO;
        }
    }

    /// Whether an attempt after `delay` could have a `useful` time before the deadline.
    fn has_time(&self, delay: Duration, useful: Duration) -> Result<(), Stop> {
        let left = self.deadline.left();
        if left.is_zero() || left <= delay.saturating_add(useful) {
            let wait = Some(delay).filter(|it| !it.is_zero());
            return Err(Stop::because(Why::Deadline).retry_after(wait));
        }
        Ok(())
    }

    /// What follows on an attempt: another one, or the end.
    fn judge(
        &mut self,
        site: &Site,
        due: Due,
        tried: Tried,
    ) -> ControlFlow<Result<Outcome, Error>, Due> {
        let (class, hint) = match tried {
            Tried::Lost(lost) => {
                let is_none = lost.sent == Sent::Never;
                self.lost = Some(lost);
                if is_none {
                    return ControlFlow::Break(self.give_up(Stop::because(Why::Invalid)));
                }
                (Class::Fault, None)
            }
            Tried::Answered {
                response,
                hint,
                next,
            } => {
                let class = match next {
                    Next::Retry(class) => class,
                    Next::Done => {
                        if due.is_refunded {
                            site.budget.give_back(due.cost_milli);
                        }
                        site.budget.deposit();
                        return ControlFlow::Break(Ok(Outcome::Done(response)));
                    }
                    Next::Rejected if !self.operation.may_be_done => {
                        return ControlFlow::Break(Ok(Outcome::Rejected(response)));
                    }
                    Next::Rejected => return self.end(response, Why::Refused),
                    Next::Redirected => return self.end(response, Why::Redirected),
                    Next::Unknown => return self.end(response, Why::Failed),
                };
                self.last = Some(Box::new(response));
                self.lost = None;
                (class, hint)
            }
        };
        ControlFlow::Continue(self.again(class, hint))
    }

    /// The attempt after one that failed.
    fn again(&self, class: Class, hint: Option<Duration>) -> Due {
        let policy = &self.client.policy;
        let n_retries = self.operation.n_attempts.saturating_sub(1);
        let delay = policy.backoff(class).delay(n_retries, backoff::draw());
        let (delay, why) = match hint {
            None => (delay, Reason::Backoff(class)),
            Some(hint) => (
                spread_out(delay.max(hint), spread(hint)),
                Reason::Hint(hint),
            ),
        };
        Due {
            delay,
            why,
            cost_milli: policy.cost_milli(class, hint.is_some()),
            kind: Try::Retry,
            is_refunded: false,
        }
    }

    fn end(&mut self, response: Response, why: Why) -> ControlFlow<Result<Outcome, Error>, Due> {
        (self.last, self.lost) = (Some(Box::new(response)), None);
        ControlFlow::Break(self.give_up(Stop::because(why)))
    }

    /// The end without an answer of the operation's own.
    fn give_up(&mut self, stop: Stop) -> Result<Outcome, Error> {
        let may_be_done = self.operation.may_be_done;
        self.note(Event::GaveUp {
            why: stop.why,
            may_be_done,
        });
        metrics::suppressed(&self.site.label, stop.why.as_str());
        let error = Error {
            why: stop.why,
            retry_after: stop.retry_after,
            last: self.last.take(),
            source: self.lost.take().map(|it| it.source),
        };
        if may_be_done {
            let key = self.operation.key();
            return Ok(Outcome::Unknown { key, cause: error });
        }
        Err(error)
    }

    fn note(&mut self, event: Event) {
        self.operation.transcript.note(&self.site.label, event);
    }
}

impl Stop {
    const fn because(why: Why) -> Self {
        Self {
            why,
            retry_after: None,
        }
    }

    const fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }
}
