//! Wakes the relay: within the process at each commit, across processes by a notification.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::Notify;

use super::failure::{Failure, within};
use crate::ledger::Ledger;
use crate::shutdown::Tasks;

/// The channel of the notifications.
const CHANNEL: &str = "oncely_outbox";

/// The channel's name is spelled out because a statement is a constant.
const NOTIFY: &str = "SELECT pg_notify('oncely_outbox', '')";

/// Between two notifications of one process. Each takes a lock that all committers of the database
/// share, so there must be few of them, and none in an operation's own transaction.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// How long a notification may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before listening is tried again; the poll sees to events meanwhile.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells the relays of other processes when this one has committed events: at most once in 20 ms,
/// from a connection of its own, outside of any operation's transaction. One that is lost costs
/// `outbox.poll_max` and nothing else.
pub fn announce(ledger: &Ledger, tasks: &Tasks) {
    let (mut enqueued, apart) = (ledger.enqueued(), ledger.apart(1));
    tasks.spawn_loop(async move {
        while enqueued.changed().await.is_ok() {
            if let Err(failure) = within(PATIENCE, "a notification", notify(&apart)).await {
                failure.log("waking the relays of other processes");
            }
            tokio::time::sleep(DEBOUNCE).await;
        }
    });
}

async fn notify(ledger: &Ledger) -> Result<(), Failure> {
    let mut tx = ledger.begin().await?;
    sqlx::query(NOTIFY).execute(&mut *tx).await?;
    Ok(ledger.commit(tx).await?)
}

/// Listens for ever, on a connection of its own. Whatever happens to that connection wakes the relay
/// too: something may have been said meanwhile.
pub(super) async fn listen(ledger: &Ledger, wake: &Notify) {
    let apart = ledger.apart(1);
    loop {
        match listen_once(&apart, wake).await {
            Ok(()) => tracing::debug!("the connection for notifications was lost"),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "not listening");
            }
        }
        wake.notify_one();
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen_once(ledger: &Ledger, wake: &Notify) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(ledger.pool()).await?;
    listener.listen(CHANNEL).await?;
    wake.notify_one();
    while listener.try_recv().await?.is_some() {
        wake.notify_one();
    }
    Ok(())
}
