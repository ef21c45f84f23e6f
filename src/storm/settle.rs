//! After the storm: waits until every event has reached every consumer, within a bound.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

const GLANCE: Duration = Duration::from_millis(200);

/// What is still on its way. Operations that wait for their lease's end are among it.
const LEFT: &str = "
SELECT (SELECT count(*) FROM oncely.outbox_pending),
    (SELECT count(*) FROM oncely.inbox_waiting),
    (SELECT count(*) FROM oncely.outbox_event AS e
        JOIN oncely.inbox_consumer AS c ON c.topic = e.topic
        WHERE NOT EXISTS (SELECT FROM oncely.inbox AS i
            WHERE i.id = e.id AND i.consumer = c.consumer AND i.tenant = e.tenant))";

/// What is still on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) pending: i64,
    pub(super) waiting: i64,
    /// Events, counted once for each consumer that has not applied them.
    pub(super) unapplied: i64,
}

impl Left {
    pub(super) fn is_nothing(self) -> bool {
        self.pending == 0 && self.waiting == 0 && self.unapplied == 0
    }
}

/// Waits at most `patience`, and returns what is left then.
pub(super) async fn settle(url: &str, patience: Duration, tell: impl Fn(Left)) -> Result<Left> {
    let began_at = Instant::now();
    let mut books = PgConnection::connect(url)
        .await
        .context("connect to the database that was stormed")?;
    loop {
        let (pending, waiting, unapplied) = sqlx::query_as(LEFT)
            .fetch_one(&mut books)
            .await
            .context("ask what is still on its way")?;
        let left = Left {
            pending,
            waiting,
            unapplied,
        };
        tell(left);
        if left.is_nothing() || patience < began_at.elapsed() {
            books.close().await.context("close a connection")?;
            return Ok(left);
        }
        sleep(GLANCE).await;
    }
}
