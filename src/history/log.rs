//! A log that many tasks write to, and its form in a file: one JSON object in a line.

use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::event::{Answer, Event};

/// A history under way. Cloning shares it.
///
/// The order of the events is the order in which they were logged: log a request before it is sent,
/// and its end after it has come.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    began: Instant,
    next: AtomicU64,
    events: Mutex<Vec<Event>>,
}

/// A file that is no history.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file can't be read.
    #[error("the history can't be read")]
    Io(#[from] io::Error),
    /// A line is no event.
    #[error("line {line} of the history is no event")]
    Line {
        /// The line's number, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Default for Log {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner {
                began: Instant::now(),
                next: AtomicU64::new(1),
                events: Mutex::default(),
            }),
        }
    }
}

impl Log {
    /// Logs that a request is about to be sent, and returns its number.
    pub fn invoke(&self, key: impl Into<String>, asks: impl Into<String>) -> u64 {
        let call = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let (key, asks) = (key.into(), asks.into());
        self.timed(|at_ms| Event::Invoke {
            call,
            at_ms,
            key,
            asks,
        });
        call
    }

    /// Logs that the request `call` was answered.
    pub fn answer(&self, call: u64, answer: Answer) {
        self.timed(|at_ms| Event::Answer {
            call,
            at_ms,
            answer,
        });
    }

    /// Logs that nobody waits for the request `call` any more.
    pub fn lost(&self, call: u64) {
        self.timed(|at_ms| Event::Lost { call, at_ms });
    }

    /// Logs what a table holds.
    pub fn push(&self, event: Event) {
        self.timed(|_| event);
    }

    /// What was logged so far.
    pub fn events(&self) -> Vec<Event> {
        let events = self.inner.events.lock();
        events.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn timed(&self, event: impl FnOnce(u64) -> Event) {
        let events = self.inner.events.lock();
        let mut events = events.unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that times never run against the order of the lines.
        let at_ms = self.inner.began.elapsed().as_millis();
        events.push(event(u64::try_from(at_ms).unwrap_or(u64::MAX)));
    }
}

/// Writes one line for each event.
pub fn write(to: &mut impl Write, events: &[Event]) -> io::Result<()> {
    for event in events {
        writeln!(to, "{}", event.to_line())?;
    }
    to.flush()
}

/// Reads what [`write`](write()) wrote. Empty lines are skipped.
pub fn read(from: impl BufRead) -> Result<Vec<Event>, LogError> {
    let mut events = Vec::new();
    for (n, line) in (1..).zip(from.lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let event = serde_json::from_str(&line);
        events.push(event.map_err(|source| LogError::Line { line: n, source })?);
    }
    Ok(events)
}
