//! Starts the hot path, and says how it is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::Secret;

use super::connection::Connections;
use super::{Class, Error, Hot, Inner, Operation, Settings};
use crate::breaker::{Breaker, State};
use crate::shutdown::Tasks;

/// How the hot path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It serves.
    Up,
    /// It does not, or not fully: the ledger serves alone.
    Degraded {
        /// Why.
        reason: Reason,
    },
}

/// Why the hot path does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The store has no Redis.
    Absent,
    /// There is no connection.
    Disconnected,
    /// Redis failed too often in a row; it is asked again soon.
    Failing,
    /// Redis had no room for the last write. What is there is still read.
    Full,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Degraded { reason } => match reason {
                Reason::Absent => "degraded: there is no Redis",
                Reason::Disconnected => "degraded: no connection to Redis",
                Reason::Failing => "degraded: Redis failed too often in a row",
                Reason::Full => "degraded: Redis is full",
            },
        })
    }
}

impl Hot {
    /// Connects to Redis and keeps connected. Fails only on a URL that can't be used: a Redis that
    /// is not there yet may come later. Takes no longer than `settings.connect_timeout`.
    ///
    /// After a drain of `tasks` the connections that are there still serve, but are no longer
    /// checked or replaced.
    pub async fn start(
        redis_url: &Secret,
        settings: &Settings,
        tasks: &Tasks,
    ) -> Result<Self, Error> {
        let connections = Connections::start(redis_url, settings, tasks)
            .await
            .map_err(|cause| Error::new(Operation::Connect, Class::Unusable, cause))?;
        Ok(Self::with(settings.clone(), Some(connections)))
    }

    /// The hot path of a store without Redis: each step says [`Class::Open`] at once.
    pub fn absent() -> Self {
        Self::with(Settings::default(), None)
    }

    /// How the hot path is, as far as the last steps have shown.
    pub fn status(&self) -> Status {
        let reason = match &self.inner.connections {
            None => Reason::Absent,
            Some(it) if !it.is_up() => Reason::Disconnected,
            // Past its pause the breaker waits for a request to try; an idle process has none, and
            // its connections are looked after all the same.
            Some(_) if self.inner.breaker.state() == State::Open => Reason::Failing,
            Some(_) if self.inner.is_full.load(Ordering::Relaxed) => Reason::Full,
            Some(_) => return Status::Up,
        };
        Status::Degraded { reason }
    }

    fn with(settings: Settings, connections: Option<Arc<Connections>>) -> Self {
        let breaker = Breaker::new(settings.breaker_failures, settings.breaker_pause);
        Self {
            inner: Arc::new(Inner {
                settings,
                connections,
                breaker,
                is_full: AtomicBool::new(false),
            }),
        }
    }
}
