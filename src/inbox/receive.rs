//! The loop that takes messages from the broker, has them applied, and acknowledges them only then.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::backoff;
use super::batch::{self, Halt};
use super::desk::Desk;
use super::plan::{Key, key, order};
use super::redelivered::take_over;
use super::trouble::{self, Trouble};
use crate::broker::{self, Broker, Delivery, Receipt, Subscription};
use crate::domain::Message;
use crate::telemetry::messages as metrics;

/// How long one question to the broker waits for messages. A stop waits for that as well, because a
/// message that is on its way when the question is dropped would count as delivered.
const RECEIVE_PATIENCE: Duration = Duration::from_millis(500);
/// How long the broker may take beyond that before it counts as gone.
const BROKER_PATIENCE: Duration = Duration::from_secs(10);
/// How many messages of one batch may fail before each gets a transaction of its own.
const CULPRITS_MAX: u32 = 3;
/// How often a single message is tried on end when only trouble meets it.
const TROUBLES_MAX: u32 = 3;

/// How often such a pause is doubled at most, so that after an outage messages go on soon.
const PAUSE_DOUBLINGS_MAX: u32 = 5;

/// What ends the work with one subscription.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error(transparent)]
    Broker(#[from] broker::Error),
    #[error("the broker did not answer within {0:?}")]
    Late(Duration),
    #[error("stopped while the ledger was away")]
    Stopped,
}

/// Takes and applies messages until it is told to stop.
pub(super) async fn receive(
    desk: &Desk,
    broker: &dyn Broker,
    member: &str,
    stop: &CancellationToken,
) {
    let mut n_failures = 0;
    while !stop.is_cancelled() {
        let Err(lost) = serve(desk, broker, member, stop, &mut n_failures).await else {
            return;
        };
        n_failures = n_failures.saturating_add(1);
        tracing::warn!(
            consumer = desk.name(),
            error = trouble::chain(&lost),
            "receive messages"
        );
        pause(desk, n_failures, stop).await;
    }
}

async fn serve(
    desk: &Desk,
    broker: &dyn Broker,
    member: &str,
    stop: &CancellationToken,
    n_failures: &mut u32,
) -> Result<(), Lost> {
    let topic = desk.consumer.topic();
    let joining = broker.subscribe(&topic, desk.name(), member);
    let mut seat = Seat {
        desk,
        subscription: bounded(joining, Duration::ZERO).await?,
        stop,
    };
    match seat.take_turns(n_failures).await {
        Ok(()) | Err(Lost::Stopped) => bounded(seat.subscription.leave(), Duration::ZERO).await,
        Err(lost) => Err(lost),
    }
}

/// One member's place while it works.
struct Seat<'a> {
    desk: &'a Desk,
    subscription: Box<dyn Subscription>,
    stop: &'a CancellationToken,
}

impl Seat<'_> {
    async fn take_turns(&mut self, n_failures: &mut u32) -> Result<(), Lost> {
        let n_max = usize::try_from(self.desk.settings.batch.max(1)).unwrap_or(usize::MAX);
        while !self.stop.is_cancelled() {
            let receiving = self.subscription.receive(n_max, RECEIVE_PATIENCE);
            let deliveries = bounded(receiving, RECEIVE_PATIENCE).await?;
            *n_failures = 0;
            if !deliveries.is_empty() {
                self.work_off(deliveries).await?;
            }
            metrics::turned(self.desk.name());
        }
        Ok(())
    }

    async fn work_off(&mut self, deliveries: Vec<Delivery>) -> Result<(), Lost> {
        if let Err(injected) = self.desk.points.reach("inbox.consume.after_receive").await {
            tracing::warn!(error = %injected, "receive messages");
            return Ok(());
        }
        let (mut fresh, mut again, mut malformed) = (Vec::new(), Vec::new(), Vec::new());
        for it in deliveries {
            match it.message {
                Err(error) => malformed.push((error, it.receipt)),
                Ok(message) if 1 < it.n_deliveries => {
                    again.push(((message, it.n_deliveries), it.receipt));
                }
                Ok(message) => fresh.push((message, it.receipt)),
            }
        }
        if !malformed.is_empty() {
            self.pass_over(malformed).await?;
        }
        if !again.is_empty() {
            let (again, receipts): (Vec<_>, Vec<Receipt>) = again.into_iter().unzip();
            let desk = self.desk;
            insist(desk, self.stop, || Box::pin(take_over(desk, &again))).await?;
            self.acknowledge(&receipts).await?;
        }
        self.apply(fresh).await
    }

    /// There is nothing in it to apply, now or ever.
    async fn pass_over(
        &mut self,
        malformed: Vec<(broker::Malformed, Receipt)>,
    ) -> Result<(), Lost> {
        for (error, receipt) in &malformed {
            let (consumer, receipt) = (self.desk.name(), &receipt.0);
            tracing::error!(consumer, receipt, %error, "passed over what is no message");
            metrics::failed(consumer, 1);
        }
        let receipts: Vec<Receipt> = malformed.into_iter().map(|it| it.1).collect();
        self.acknowledge(&receipts).await
    }

    async fn apply(&mut self, fresh: Vec<(Message, Receipt)>) -> Result<(), Lost> {
        let (mut left, receipts) = in_order(fresh);
        let (mut n_culprits, mut n_troubles) = (0, 0);
        while !left.is_empty() {
            let is_single = CULPRITS_MAX <= n_culprits || TROUBLES_MAX <= n_troubles;
            let n = if is_single { 1 } else { left.len() };
            let batch = left.get(..n).unwrap_or_default();
            let desk = self.desk;
            match batch::apply(desk, batch).await {
                Ok(settled) => {
                    left.retain(|it| !settled.contains(&key(it)));
                    // In singles, the next one gets its own tries.
                    n_troubles = n_troubles.min(TROUBLES_MAX);
                    self.acknowledge_of(&receipts, |it| settled.contains(it))
                        .await?;
                }
                Err(Halt::Culprit(culprit, failure)) => {
                    n_culprits += 1;
                    if let Some(place) = left.iter().position(|it| key(it) == culprit) {
                        let message = left.remove(place);
                        let error = failure.to_string();
                        insist(desk, self.stop, || {
                            Box::pin(batch::fail(desk, &message, &error))
                        })
                        .await?;
                    }
                    self.acknowledge_of(&receipts, |it| *it == culprit).await?;
                }
                Err(Halt::Unclear(failure)) => {
                    tracing::warn!(consumer = desk.name(), error = %failure, "apply a batch");
                    n_culprits = CULPRITS_MAX;
                }
                Err(Halt::Trouble(trouble)) => {
                    n_troubles += 1;
                    bear(desk, self.stop, &trouble, n_troubles).await?;
                    if is_single && 2 * TROUBLES_MAX <= n_troubles {
                        let message = left.remove(0);
                        let error = trouble::chain(&trouble);
                        insist(desk, self.stop, || {
                            Box::pin(batch::postpone(desk, &message, &error))
                        })
                        .await?;
                        self.acknowledge_of(&receipts, |it| *it == key(&message))
                            .await?;
                        n_troubles = TROUBLES_MAX;
                    }
                }
            }
        }
        Ok(())
    }

    async fn acknowledge_of(
        &mut self,
        receipts: &[(Key, Receipt)],
        is_done: impl Fn(&Key) -> bool,
    ) -> Result<(), Lost> {
        let done = receipts.iter().filter(|it| is_done(&it.0));
        let done: Vec<Receipt> = done.map(|it| it.1.clone()).collect();
        self.acknowledge(&done).await
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), Lost> {
        if receipts.is_empty() {
            return Ok(());
        }
        if let Err(injected) = self.desk.points.reach("inbox.consume.before_ack").await {
            tracing::warn!(error = %injected, "acknowledge messages");
            return Ok(());
        }
        bounded(self.subscription.acknowledge(receipts), Duration::ZERO).await?;
        if let Err(injected) = self.desk.points.reach("inbox.consume.after_ack").await {
            tracing::warn!(error = %injected, "acknowledge messages");
        }
        Ok(())
    }
}

/// Does `work` until it is done: nothing of a message may be lost for a trouble that passes.
async fn insist<'a>(
    desk: &Desk,
    stop: &CancellationToken,
    work: impl Fn() -> BoxFuture<'a, Result<(), Trouble>>,
) -> Result<(), Lost> {
    let mut n_troubles = 0;
    while let Err(trouble) = work().await {
        n_troubles += 1;
        bear(desk, stop, &trouble, n_troubles).await?;
    }
    Ok(())
}

/// Waits out a trouble; an error where a stop comes first. What is in hand comes again then.
async fn bear(
    desk: &Desk,
    stop: &CancellationToken,
    trouble: &Trouble,
    n: u32,
) -> Result<(), Lost> {
    let consumer = desk.name();
    tracing::warn!(consumer, error = trouble::chain(trouble), "try again");
    pause(desk, n, stop).await;
    if stop.is_cancelled() {
        return Err(Lost::Stopped);
    }
    Ok(())
}

/// Each message once and in order, and every receipt with the message that it is for.
fn in_order(fresh: Vec<(Message, Receipt)>) -> (Vec<Message>, Vec<(Key, Receipt)>) {
    let receipts = fresh.iter().map(|it| (key(&it.0), it.1.clone())).collect();
    let mut messages: Vec<Message> = fresh.into_iter().map(|it| it.0).collect();
    messages.sort_by_key(order);
    messages.dedup_by(|one, other| key(one) == key(other));
    (messages, receipts)
}

/// Waits by chance, longer after each failure on end, and no longer than until a stop.
async fn pause(desk: &Desk, n: u32, stop: &CancellationToken) {
    let wait = backoff::wait(&desk.settings, n.min(PAUSE_DOUBLINGS_MAX));
    tokio::select! {
        () = stop.cancelled() => (),
        () = tokio::time::sleep(wait) => (),
    }
}

async fn bounded<T>(
    asked: impl Future<Output = Result<T, broker::Error>>,
    own: Duration,
) -> Result<T, Lost> {
    let patience = BROKER_PATIENCE + own;
    match timeout(patience, asked).await {
        Ok(answered) => Ok(answered?),
        Err(_elapsed) => Err(Lost::Late(patience)),
    }
}
