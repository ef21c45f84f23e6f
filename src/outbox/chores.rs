//! What goes with shard 0: is the broker the same, is anything missing, partitions, trimming.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::broker_watch::{look, remember, topics};
use super::failure::{Failure, within};
use super::forget::{forget_dead_letters, forget_events, forget_inbox};
use super::gate::Gate;
use super::lease::Leases;
use super::partitions::{Table, create_ahead};
use super::reconcile::{Repeats, Round, reconcile};
use crate::config;
use crate::failpoint::FailPoints;
use crate::ledger::Ledger;
use crate::telemetry::messages::{self, Cause};

const NOW: &str = "SELECT clock_timestamp()";

/// How often partitions are seen to. The first is made ahead of three spans of a minute or more.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// How long a whole chore may take. Each of its statements is bounded by the ledger's settings.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often it is looked whether a chore is due.
const TICK: Duration = Duration::from_millis(50);

/// More messages than this before the consumers of a topic are a backlog: what is missing in the
/// inbox is most likely among them.
const BEHIND: u64 = 1_000;

/// Older than this, what is missing is published again even so.
const ANYWAY: Duration = Duration::from_hours(1);

/// The chores of one relay.
#[derive(Debug)]
pub(super) struct Chores<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) gate: &'a Gate,
    pub(super) leases: &'a Leases,
    pub(super) outbox: &'a config::Outbox,
    pub(super) inbox: Option<&'a config::Inbox>,
    pub(super) keep: Duration,
    pub(super) points: &'a FailPoints,
}

/// When each chore is due.
#[derive(Debug)]
struct Due {
    epoch: Instant,
    reconcile: Instant,
    housekeeping: Instant,
}

impl Chores<'_> {
    /// Does the chores for ever, while they are ours.
    ///
    /// # Cancellation
    ///
    /// Dropped, a transaction is rolled back; each chore begins anew.
    pub(super) async fn run(&self) {
        let now = Instant::now();
        let mut due = Due {
            epoch: now,
            reconcile: now,
            housekeeping: now,
        };
        let mut repeats = Repeats::default();
        loop {
            tokio::time::sleep(TICK).await;
            if self.leases.has_chores(Instant::now()) {
                self.round(&mut due, &mut repeats).await;
            }
        }
    }

    async fn round(&self, due: &mut Due, repeats: &mut Repeats) {
        if is_due(&mut due.epoch, self.outbox.epoch_interval) {
            told(self.watch(repeats).await, "looking at the broker");
        }
        if is_due(&mut due.reconcile, self.outbox.reconcile_interval) {
            // Bounded slice by slice: a round over many of them may take its time.
            told(
                self.reconcile(repeats).await,
                "comparing the outbox with the inbox",
            );
        }
        if is_due(&mut due.housekeeping, HOUSEKEEPING) {
            self.keep_house().await;
        }
    }

    /// Looks at the broker. Where it changed, all that is not confirmed is pending again before the
    /// new look is written down.
    async fn watch(&self, repeats: &mut Repeats) -> Result<(), Failure> {
        self.points.reach("outbox.watch.before_look").await?;
        let topics = topics(self.ledger).await?;
        let seen = look(self.ledger, self.gate, &topics).await?;
        if seen.change.is_some() {
            let now = self.now().await?;
            let round = Round {
                cause: Cause::Broker,
                // Ids are made before they are seen, by the same clock.
                sealed: now + Duration::from_secs(1),
                behind: Vec::new(),
                anyway: now,
                pause: self.outbox.reconcile_after,
                points: self.points,
            };
            reconcile(self.ledger, &round, repeats).await?;
        }
        self.points.reach("outbox.watch.before_remember").await?;
        remember(self.ledger, self.gate, &seen).await?;
        self.points.reach("outbox.watch.after_remember").await?;
        Ok(())
    }

    async fn reconcile(&self, repeats: &mut Repeats) -> Result<(), Failure> {
        let mut behind = Vec::new();
        for topic in topics(self.ledger).await? {
            // A broker that does not answer takes nothing now either: what is missing can wait.
            if self.gate.lag_of(&topic).await.is_ok_and(|it| BEHIND < it) {
                behind.push(topic.as_str().to_owned());
            }
        }
        let now = self.now().await?;
        let round = Round {
            cause: Cause::Reconcile,
            sealed: now - self.outbox.reconcile_after,
            behind,
            anyway: now - ANYWAY,
            pause: self.outbox.reconcile_after,
            points: self.points,
        };
        reconcile(self.ledger, &round, repeats).await.map(|_| ())
    }

    /// Each part by itself: one that is blocked does not hold up the others.
    async fn keep_house(&self) {
        let reached = self.points.reach("outbox.housekeeping.before_round").await;
        if let Err(injected) = reached {
            return Failure::from(injected).log("keeping house");
        }
        let now = match self.now().await {
            Ok(now) => now,
            Err(failure) => return failure.log("reading the time"),
        };
        let (ledger, outbox) = (self.ledger, self.outbox);
        let made = create_ahead(ledger, Table::Event, outbox.partition_span, now);
        let made = within(PATIENCE, "a partition", made).await;
        told(made.map(|_| ()), "making partitions of the log");
        let dropped = forget_events(ledger, outbox.retention, now);
        let dropped = within(PATIENCE, "a drop", dropped).await;
        told(dropped.map(|_| ()), "dropping partitions of the log");
        if let Some(inbox) = self.inbox {
            let made = create_ahead(ledger, Table::Inbox, inbox.partition_span, now);
            let made = within(PATIENCE, "a partition", made).await;
            told(made.map(|_| ()), "making partitions of the inbox");
            let kept = (inbox.retention, inbox.partition_span);
            let dropped = within(PATIENCE, "a drop", forget_inbox(ledger, kept, now)).await;
            told(dropped.map(|_| ()), "dropping partitions of the inbox");
        }
        let gone = within(PATIENCE, "a delete", forget_dead_letters(ledger)).await;
        told(gone, "deleting dead letters that were dealt with");
        let trimmed = within(PATIENCE, "trimming", self.trim(now)).await;
        told(trimmed, "trimming topics");
        let reached = self.points.reach("outbox.housekeeping.after_round").await;
        told(reached.map_err(Failure::from), "keeping house");
    }

    async fn trim(&self, now: OffsetDateTime) -> Result<(), Failure> {
        messages::set_broker_durability(self.gate.durability().await?.as_str());
        // The broker keeps what any of its groups has not finished; a single event that is held up
        // somewhere must not fill its memory.
        let before = now - self.keep;
        for topic in topics(self.ledger).await? {
            self.gate.trim(&topic, before).await?;
        }
        Ok(())
    }

    async fn now(&self) -> Result<OffsetDateTime, Failure> {
        let mut reader = self.ledger.reader().await?;
        let now = sqlx::query_scalar(NOW).fetch_one(&mut *reader).await?;
        reader.finish();
        Ok(now)
    }
}

fn is_due(at: &mut Instant, every: Duration) -> bool {
    let now = Instant::now();
    let is_due = *at <= now;
    if is_due {
        *at = now + every;
    }
    is_due
}

fn told(done: Result<(), Failure>, what: &'static str) {
    if let Err(failure) = done {
        failure.log(what);
    }
}
