//! Every metric of the retrying client: name, meaning and labels. A site is method, host and route
//! template; a client has at most a thousand of them.

use std::time::Duration;

use http::StatusCode;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Attempts by site and answer.
const ATTEMPTS: &str = "oncely_client_attempts_total";
/// Attempts that the budget paid for, by site.
const RETRIES: &str = "oncely_client_retries_total";
/// Calls that made no further attempt, by site and reason.
const SUPPRESSED: &str = "oncely_client_suppressed_total";
/// Calls by site and outcome.
const OUTCOMES: &str = "oncely_client_outcomes_total";
/// What the site's budget holds.
const BUDGET: &str = "oncely_client_budget_tokens";
/// The site's breaker: 0 closed, 1 refuses retries, 2 refuses all, 3 waits for its probe.
const BREAKER: &str = "oncely_client_breaker_state";
/// How long servers ask to be left alone.
pub(super) const HINT: &str = "oncely_client_retry_after_seconds";

/// What came back for an attempt: the label `answer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 2xx.
    Success,
    /// 3xx.
    Redirect,
    /// 409.
    Conflict,
    /// 429.
    Throttled,
    /// Another 4xx.
    Refused,
    /// 5xx.
    Failed,
    /// Nothing, and the server may have received it.
    Lost,
    /// Nothing, because there was no connection.
    NotSent,
}

/// What a call came to: the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The operation is done.
    Done,
    /// The server refused it for good.
    Rejected,
    /// Nobody knows.
    Unknown,
    /// Nothing was done.
    GaveUp,
}

impl Answer {
    /// The label of a status.
    pub(crate) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            ..300 => Self::Success,
            300..400 => Self::Redirect,
            409 => Self::Conflict,
            429 => Self::Throttled,
            400..500 => Self::Refused,
            500.. => Self::Failed,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Redirect => "redirect",
            Self::Conflict => "conflict",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::NotSent => "not_sent",
        }
    }
}

impl Ended {
    const ALL: [Self; 4] = [Self::Done, Self::Rejected, Self::Unknown, Self::GaveUp];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::GaveUp => "gave_up",
        }
    }
}

/// Describes every metric of the client to the installed recorder.
pub(super) fn describe() {
    describe_counter!(ATTEMPTS, Unit::Count, "Requests sent, by what came back");
    describe_counter!(
        RETRIES,
        Unit::Count,
        "Requests that a retry budget paid for"
    );
    describe_counter!(
        SUPPRESSED,
        Unit::Count,
        "Calls that made no further attempt, by why"
    );
    describe_counter!(OUTCOMES, Unit::Count, "Calls, by what they came to");
    describe_gauge!(
        BUDGET,
        Unit::Count,
        "What the retry budget holds, in tokens"
    );
    describe_gauge!(
        BREAKER,
        Unit::Count,
        "0 closed, 1 refuses retries, 2 refuses all, 3 waits for its probe"
    );
    describe_histogram!(HINT, Unit::Seconds, "How long servers ask to be left alone");
}

/// Gives a site's series their first value.
pub(crate) fn register_site(site: &str) {
    for it in Ended::ALL {
        counter!(OUTCOMES, "site" => site.to_owned(), "outcome" => it.as_str()).increment(0);
    }
    counter!(RETRIES, "site" => site.to_owned()).increment(0);
}

pub(crate) fn attempted(site: &str, answer: Answer) {
    counter!(ATTEMPTS, "site" => site.to_owned(), "answer" => answer.as_str()).increment(1);
}

pub(crate) fn retried(site: &str) {
    counter!(RETRIES, "site" => site.to_owned()).increment(1);
}

pub(crate) fn suppressed(site: &str, reason: &'static str) {
    counter!(SUPPRESSED, "site" => site.to_owned(), "reason" => reason).increment(1);
}

pub(crate) fn ended(site: &str, outcome: Ended) {
    counter!(OUTCOMES, "site" => site.to_owned(), "outcome" => outcome.as_str()).increment(1);
}

/// Sets what a site is at: its budget in thousandths of a token, and its breaker's state.
pub(crate) fn set_site(site: &str, budget_milli: u32, breaker: u8) {
    gauge!(BUDGET, "site" => site.to_owned()).set(f64::from(budget_milli) / 1000.0);
    gauge!(BREAKER, "site" => site.to_owned()).set(f64::from(breaker));
}

pub(crate) fn hinted(site: &str, wait: Duration) {
    histogram!(HINT, "site" => site.to_owned()).record(wait.as_secs_f64());
}
