//! The outbox's lag over time, from its table: how many events wait, and how old the oldest is.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{sleep, timeout};

use super::timeline::Timeline;

const EVERY: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_millis(700);

const LOOK: &str = "
SELECT count(*) AS n_pending,
    coalesce(extract(epoch FROM clock_timestamp() - min(e.created_at)), 0)::float8 AS lag
FROM oncely.outbox_pending AS p
JOIN oncely.outbox_event AS e ON e.id = p.id AND e.tenant = p.tenant";

/// One look. There is none while Postgres is down.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Sample {
    /// Seconds since the beginning.
    pub(crate) at: f64,
    pub(crate) n_pending: i64,
    /// Seconds.
    pub(crate) lag: f64,
}

/// All looks.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    samples: Mutex<Vec<Sample>>,
}

impl Sampler {
    /// Looks for ever.
    pub(super) async fn watch(&self, url: &str, timeline: &Timeline) {
        loop {
            let connecting = timeout(PATIENCE, PgConnection::connect(url));
            if let Ok(Ok(mut books)) = connecting.await {
                self.look(&mut books, timeline).await;
            }
            sleep(EVERY).await;
        }
    }

    pub(super) fn samples(&self) -> Vec<Sample> {
        let samples = self.samples.lock();
        samples.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks until the connection breaks.
    async fn look(&self, books: &mut PgConnection, timeline: &Timeline) {
        loop {
            let asked = sqlx::query_as(LOOK).fetch_one(&mut *books);
            let Ok(Ok((n_pending, lag))) = timeout(PATIENCE, asked).await else {
                return;
            };
            let sample = Sample {
                at: timeline.elapsed().as_secs_f64(),
                n_pending,
                lag,
            };
            let samples = self.samples.lock();
            samples.unwrap_or_else(PoisonError::into_inner).push(sample);
            sleep(EVERY).await;
        }
    }
}
