//! What was tried, and why: each attempt, its wait, its answer, and the end.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::classify::{Class, Next};
use super::outcome::Why;

/// The story of an operation, as far as this process knows it. `Debug` and `Display` print a line
/// for each event. No line holds a key, a body, a header or a URL.
#[derive(Clone, Default)]
pub struct Transcript {
    began_at: Option<Instant>,
    lines: Vec<Line>,
}

/// One event, and when it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Since the first event.
    pub at: Duration,
    /// What happened.
    pub event: Event,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It waited before an attempt.
    Waited {
        /// How long.
        delay: Duration,
        /// Why.
        why: Reason,
    },
    /// An attempt was answered.
    Answered {
        /// Which attempt, counted from 1.
        attempt: u32,
        /// The answer's status.
        status: StatusCode,
        /// How long the answer took.
        took: Duration,
        /// How long the server asked to wait.
        hint: Option<Duration>,
        /// What the answer means.
        next: Next,
    },
    /// An attempt was not answered.
    Failed {
        /// Which attempt, counted from 1.
        attempt: u32,
        /// How long it took.
        took: Duration,
        /// Whether the server may have received it.
        was_sent: bool,
        /// What the transport said.
        cause: String,
    },
    /// It was not tried any more.
    GaveUp {
        /// Why.
        why: Why,
        /// Whether it may have taken effect.
        may_be_done: bool,
    },
}

/// Why it waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The backoff after a failure, with full jitter.
    Backoff(Class),
    /// The server's wait, and a spread on top.
    Hint(Duration),
    /// What the server asked an earlier call of this site for, and a spread on top.
    Remembered,
    /// The backoff of an operation that was tried before.
    Resumed,
}

impl Transcript {
    /// The events, in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(super) fn note(&mut self, site: &str, event: Event) {
        let now = Instant::now();
        let began_at = *self.began_at.get_or_insert(now);
        let line = Line {
            at: now - began_at,
            event,
        };
        tracing::debug!(client.site = site, "{line}");
        self.lines.push(line);
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.3} s  ", self.at.as_secs_f64())?;
        match &self.event {
            Event::Waited { delay, why } => {
                write!(f, "waited {}: {why}", Seconds(*delay))
            }
            Event::Answered {
                attempt,
                status,
                took,
                hint,
                next,
            } => {
                write!(
                    f,
                    "attempt {attempt}: {} in {}",
                    status.as_u16(),
                    Seconds(*took)
                )?;
                if let Some(hint) = hint {
                    write!(f, ", Retry-After {}", Seconds(*hint))?;
                }
                write!(f, "; {next}")
            }
            Event::Failed {
                attempt,
                took,
                was_sent,
                cause,
            } => {
                let sent = if *was_sent {
                    "may have arrived"
                } else {
                    "was not sent"
                };
                write!(
                    f,
                    "attempt {attempt}: no answer after {}, {sent}: {cause}",
                    Seconds(*took)
                )
            }
            Event::GaveUp { why, may_be_done } => {
                let state = if *may_be_done {
                    "outcome unknown"
                } else {
                    "nothing was done"
                };
                write!(f, "gave up, {state}: {why}")
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backoff(class) => write!(f, "full jitter, {class}"),
            Self::Hint(hint) => write!(f, "the server asked for {}", Seconds(*hint)),
            Self::Remembered => f.write_str("the server asked an earlier call to wait"),
            Self::Resumed => f.write_str("full jitter, it was tried before"),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fault => "the server failed",
            Self::Throttled => "the server has too much to do",
            Self::InFlight => "the key is being worked on",
        })
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Rejected => f.write_str("refused for good"),
            Self::Redirected => f.write_str("a redirect that can't be followed"),
            Self::Unknown => f.write_str("not to be sent again"),
            Self::Retry(class) => write!(f, "again: {class}"),
        }
    }
}

/// A duration to the millisecond.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_reads_as_a_story() {
        let mut transcript = Transcript::default();
        let took = Duration::from_millis(12);
        transcript.note(
            "",
            Event::Failed {
                attempt: 1,
                took,
                was_sent: true,
                cause: "connection reset".to_owned(),
            },
        );
        let delay = Duration::from_millis(37);
        tokio::time::advance(delay).await;
        let why = Reason::Backoff(Class::Fault);
        transcript.note("", Event::Waited { delay, why });
        let hint = Duration::from_secs(2);
        transcript.note(
            "",
            Event::Answered {
                attempt: 2,
                status: StatusCode::SERVICE_UNAVAILABLE,
                took,
                hint: Some(hint),
                next: Next::Retry(Class::Throttled),
            },
        );
        let why = Reason::Hint(hint);
        transcript.note("", Event::Waited { delay: hint, why });
        let why = Why::Attempts;
        transcript.note(
            "",
            Event::GaveUp {
                why,
                may_be_done: true,
            },
        );
        let expected = "   0.000 s  attempt 1: no answer after 0.012 s, may have arrived: connection reset\n\
            \x20  0.037 s  waited 0.037 s: full jitter, the server failed\n\
            \x20  0.037 s  attempt 2: 503 in 0.012 s, Retry-After 2.000 s; again: the server has too much to do\n\
            \x20  0.037 s  waited 2.000 s: the server asked for 2.000 s\n\
            \x20  0.037 s  gave up, outcome unknown: all attempts are made\n";
        assert_eq!(transcript.to_string(), expected);
        assert_eq!(format!("{transcript:?}"), expected);
    }
}
