//! One cell of the matrix: a point, what happens there, with Redis or without; and what must be true.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use nix::sys::signal::Signal;
use oncely::failpoint::FailPoints;
use oncely::history::Log;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::books::{N_OPERATIONS, check, come_to_rest, n_effects};
use super::client::{Client, Heard};
use super::rows::Row;
use super::story::Story;
use super::victim::Victim;
use super::world::{Place, World};
use crate::harness::Process;

/// How long the story may take to come to the point.
const ARRIVAL: Duration = Duration::from_mins(1);

/// What is said of a story that did not come to it.
pub(super) const NOT_THERE: &str = "not there after";

/// What happens at the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Error,
    Panic,
    Hang,
    Cancel,
    Abort,
}

/// One cell.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    pub(super) row: &'static Row,
    pub(super) fault: Fault,
    pub(super) has_redis: bool,
}

impl Fault {
    pub(super) const ALL: [Self; 5] = [
        Self::Error,
        Self::Panic,
        Self::Hang,
        Self::Cancel,
        Self::Abort,
    ];

    /// As `ONCELY_FAILPOINTS` takes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::Cancel => "cancel",
            Self::Abort => "abort",
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redis = if self.has_redis { "up" } else { "absent" };
        write!(f, "{}={}, Redis {redis}", self.row.point, self.fault.name())
    }
}

impl Cell {
    /// Lives through it. What the caller saw, or what is wrong.
    pub(super) async fn run(self, place: &Place) -> Result<String, String> {
        let world = World::new(place, self.row.story, self.has_redis).await;
        let log = Log::default();
        let mut client = Client::new(&log, &world, 1);
        let victim = if self.fault == Fault::Abort {
            self.outside(&world, &mut client).await?
        } else {
            self.inside(&world, &mut client, &log).await?
        };
        if self.row.story == Story::Dead {
            wait("a dead letter", || async {
                let dead = "SELECT count(*) FROM oncely.dead_letter WHERE state = 'dead'";
                world.count(dead).await == 1
            })
            .await?;
            world.heal().await;
            wait("a redrive", || world.redrive()).await?;
        }
        // Whoever serves now serves others too.
        let mut next = Client::new(&log, &world, N_OPERATIONS);
        next.until_done(&world, &victim.url, || false).await?;
        come_to_rest(&world).await?;
        client.until_done(&world, &victim.url, || false).await?;
        victim.end().await;
        check(&world, &log).await?;
        match client.trail.pop() {
            Some(last) if last == "201 replayed" => Ok(client.summary()),
            last => Err(format!("in the end, the replay was {last:?}")),
        }
    }

    /// The fail points as a process takes them.
    fn list(self) -> String {
        let own = format!("{}={}", self.row.point, self.fault.name());
        match self.row.story.also() {
            Some((point, action)) => format!("{point}={action},{own}"),
            None => own,
        }
    }

    /// The fault in a service of this process, which then has to go on. Where what is gone or hangs is
    /// a relay's or a consumer's, whoever watches over them ends it and starts another.
    async fn inside(self, world: &World, client: &mut Client, log: &Log) -> Result<Victim, String> {
        let is_race = self.row.story == Story::Race;
        let (config, point) = (world.config(), self.row.point);
        let points = FailPoints::parse(&self.list())?;
        let victim = Victim::start(config.clone(), points.clone(), is_race).await;
        let is_hit = || !points.is_armed(point);
        if is_race {
            self.race(world, client, log, (&victim, &points)).await?;
        } else {
            self.operate(world, client, &victim.url, (is_hit, || false))
                .await?;
        }
        wait(point, || async { is_hit() }).await?;
        if self.row.story.has_messages() && matches!(self.fault, Fault::Hang | Fault::Cancel) {
            victim.end().await;
            return Ok(Victim::start(config, FailPoints::default(), false).await);
        }
        Ok(victim)
    }

    /// The fault in a process of its own, which is gone then; and a service that comes after it.
    async fn outside(self, world: &World, client: &mut Client) -> Result<Victim, String> {
        let mut variables = world.variables();
        let list = self.list();
        variables.push(("ONCELY_FAILPOINTS", &list));
        let mut child = Process::start(&["serve"], &variables);
        let url = child.serves_or_ends().await;
        let mut death = JoinSet::new();
        let watch = death.spawn(child.ended());
        let is_dead = || watch.is_finished();
        let mut heard = Heard::Dead;
        if let Some(url) = url {
            heard = self
                .operate(world, client, &url, (is_dead, is_dead))
                .await?;
        }
        let ended = death.join_next().await.ok_or("nobody watched")?;
        let (status, _, complaints) = ended.map_err(|it| format!("it did not end: {it}"))?;
        if status.signal() != Some(Signal::SIGKILL as i32) {
            return Err(format!("it was not killed: {status}: {complaints}"));
        }
        if let Some(is_done) = self.row.is_done {
            let n = n_effects(world).await;
            if n != i64::from(is_done) {
                return Err(format!("{n} effects are committed at its death"));
            }
        }
        let answers = "SELECT count(*) FROM oncely.records WHERE state = 'completed'";
        let is_answered = world.count(answers).await == 1;
        let victim = Victim::start(world.config(), FailPoints::default(), false).await;
        if let Heard::Dead = heard {
            client.until_done(world, &victim.url, || false).await?;
            self.healed(world, || true).await?;
            let answer = client.trail.last().map(String::as_str);
            if is_answered && answer != Some("201 replayed") {
                return Err(format!(
                    "its answer was there, and the retry got {answer:?}"
                ));
            }
        }
        Ok(victim)
    }

    /// The operation, until it is answered.
    async fn operate(
        self,
        world: &World,
        client: &mut Client,
        url: &str,
        (is_hit, is_dead): (
            impl Fn() -> bool + Send + Sync,
            impl Fn() -> bool + Send + Sync,
        ),
    ) -> Result<Heard, String> {
        if self.row.story == Story::Rescue {
            client.send(url).await;
            wait(self.row.point, || async { is_hit() }).await?;
            if is_dead() {
                return Ok(Heard::Dead);
            }
        }
        let heard = client.until_done(world, url, is_dead).await?;
        if let Heard::Done = heard {
            self.healed(world, is_hit).await?;
        }
        Ok(heard)
    }

    /// Repairs what a consumer can't do, when it is time for that.
    async fn healed(
        self,
        world: &World,
        is_hit: impl Fn() -> bool + Send + Sync,
    ) -> Result<(), String> {
        let waiting = "SELECT count(*) FROM oncely.inbox_waiting";
        let story = self.row.story;
        if story == Story::Failing {
            let set_aside = || async { is_hit() || 0 < world.count(waiting).await };
            wait("a message that is set aside", set_aside).await?;
        } else if story == Story::FailingTwice {
            wait(self.row.point, || async { is_hit() }).await?;
        } else {
            // The others need none, or an operator.
            return Ok(());
        }
        world.heal().await;
        Ok(())
    }

    /// Two callers, and a lock that does not hold: the first waits before its COMMIT until the second
    /// has done its work too, which then finds the key taken.
    async fn race(
        self,
        world: &World,
        client: &mut Client,
        log: &Log,
        (victim, points): (&Victim, &FailPoints),
    ) -> Result<(), String> {
        let mut first = Client::new(log, world, 1);
        let mut at_commit = points.hold("store.transactional.before_commit");
        let url = victim.url.clone();
        let racing = async {
            at_commit.arrived().await;
            let mut at_work = points.hold("store.transactional.after_work");
            let second = client.until_done(world, &url, || false);
            let meet = async {
                at_work.arrived().await;
                at_commit.release();
                wait("the first one's record", || async {
                    n_effects(world).await == 1
                })
                .await?;
                at_work.release();
                Ok::<_, String>(())
            };
            tokio::try_join!(second, meet)
        };
        let sending = async { Ok::<_, String>(first.send(&url).await) };
        tokio::try_join!(sending, racing).map(|_| ())
    }
}

/// Waits until `is_so`.
async fn wait<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) -> Result<(), String> {
    let began = Instant::now();
    while !is_so().await {
        if ARRIVAL < began.elapsed() {
            return Err(format!("{what}: {NOT_THERE} {ARRIVAL:?}"));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
