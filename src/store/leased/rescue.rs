//! The rescuer: brings operations to their ends whose processes died and whose clients are gone.

use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::drive::End;
use crate::ledger::Overdue;
use crate::store::open::Inner;

/// How many are rescued at once by one process.
const BATCH: i64 = 8;

/// Looks for abandoned operations, until the tasks are drained or the store is gone.
pub(in crate::store) fn start(inner: &Arc<Inner>) {
    let store = Arc::downgrade(inner);
    let period = inner.ledger_settings.rescue_interval;
    inner.tasks.spawn_rounds(period, "rescuing", move || {
        let store = Weak::clone(&store);
        async move {
            let Some(inner) = Weak::upgrade(&store) else {
                return ControlFlow::Break(());
            };
            sweep(&inner).await;
            ControlFlow::Continue(())
        }
    });
}

async fn sweep(inner: &Arc<Inner>) {
    let names = inner.registry.names();
    if names.is_empty() {
        return;
    }
    let patience = inner.ledger_settings.operation_timeout;
    if inner
        .points
        .reach("store.rescue.before_look")
        .await
        .is_err()
    {
        return;
    }
    let found = timeout(patience, inner.background.overdue(&names, BATCH)).await;
    let overdue = match found {
        Ok(Ok(overdue)) => overdue,
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "abandoned operations can't be looked for");
            return;
        }
        Err(_elapsed) => {
            tracing::warn!("abandoned operations can't be looked for in time");
            return;
        }
    };
    let rescues = overdue.into_iter().map(|it| {
        let rescuer = Arc::clone(inner);
        // In a task of its own: a shutdown waits for its end, because a call that it cut off would be
        // one whose end nobody knows.
        inner
            .tasks
            .spawn(async move { rescuer.rescue(it, patience).await })
    });
    join_all(rescues).await;
}

impl Inner {
    async fn rescue(&self, overdue: Overdue, patience: Duration) {
        let Some(leased) = self.registry.find(&overdue.operation) else {
            return;
        };
        let deadline = Instant::now() + patience;
        if self
            .points
            .reach("store.rescue.before_take_over")
            .await
            .is_err()
        {
            return;
        }
        let held = match timeout(patience, self.background.take_over(&overdue)).await {
            Ok(Ok(Some(held))) => held,
            // Its client was quicker.
            Ok(Ok(None)) => return,
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("an abandoned operation can't be taken over");
                return;
            }
        };
        if self
            .points
            .reach("store.rescue.after_take_over")
            .await
            .is_err()
        {
            return;
        }
        let (id, attempt) = (held.lease.reference(), held.lease.attempt);
        let tenant = overdue.tenant.as_str();
        let end = self.drive(held, &leased, deadline).await;
        self.ends.tell(overdue.id, None);
        match end {
            End::Completed(answer, _) => {
                let status = answer.status.as_u16();
                tracing::info!(tenant, id, attempt, status, "an operation was rescued");
            }
            End::Unfinished(cause) => {
                let error = &*cause as &dyn std::error::Error;
                tracing::warn!(tenant, id, attempt, error, "a rescue has to be tried again");
            }
            // Said where it was noticed, or somebody else's to say.
            End::Unknown | End::Lost | End::CommitUnanswered(_) => (),
        }
    }
}
