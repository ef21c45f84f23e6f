//! What a drill stands on: private servers, processes of the real binary, a Prometheus that watches them, and the
//! course of an incident.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use tokio::time::Instant;

use nix::sys::signal::Signal;
use oncely::servers::free_port;
use oncely::testkit::{Backend, Database, Postgres, PostgresOptions, Redis, RedisOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::prometheus::Prometheus;
use super::runbook::{Kind, Section, section};
use super::shell::Shell;
use crate::harness::{Caller, Process, migrated};

/// Short times, so that a drill meets in seconds what takes minutes in production.
const HURRIED: [(&str, &str); 17] = [
    ("ONCELY_LEDGER__OPERATION_TIMEOUT", "1500ms"),
    ("ONCELY_LEDGER__STATEMENT_TIMEOUT", "1500ms"),
    ("ONCELY_LEDGER__ACQUIRE_TIMEOUT", "1s"),
    ("ONCELY_LEDGER__PRUNE_INTERVAL", "1s"),
    ("ONCELY_BROKER__TIMEOUT", "700ms"),
    ("ONCELY_BROKER__BREAKER_PAUSE", "100ms"),
    ("ONCELY_OUTBOX__LEASE", "1s"),
    ("ONCELY_OUTBOX__RECONCILE_AFTER", "2s"),
    ("ONCELY_OUTBOX__RECONCILE_INTERVAL", "200ms"),
    ("ONCELY_INBOX__HANDLER_TIMEOUT", "1s"),
    ("ONCELY_INBOX__REDELIVER_AFTER", "1500ms"),
    ("ONCELY_INBOX__BACKOFF_BASE", "20ms"),
    ("ONCELY_INBOX__BACKOFF_MAX", "100ms"),
    ("ONCELY_INBOX__ATTEMPTS_MAX", "3"),
    ("ONCELY_AUTH_TOKENS", "demo:demo-token"),
    (
        "ONCELY_IDEMPOTENCY__FINGERPRINT_SECRET",
        "a secret of the drills",
    ),
    ("ONCELY_LOG__FILTER", "info"),
];

/// A process of a world: its name, what is typed, and its own settings.
pub(super) type Part<'a> = (&'static str, &'a str, &'a [(&'a str, &'a str)]);

/// Servers, processes and a Prometheus of a drill's own.
pub(super) struct World {
    pub(super) postgres: Postgres,
    pub(super) database: Database,
    /// The hot path's Redis.
    pub(super) hot: Redis,
    /// The broker's Redis.
    pub(super) broker: Redis,
    pub(super) prometheus: Prometheus,
    processes: BTreeMap<&'static str, Process>,
    /// The ports of each process: its API's and its admin's.
    ports: BTreeMap<&'static str, (u16, u16)>,
}

impl World {
    /// Starts everything, and waits until each process does its work.
    pub(super) async fn start(typed: &[Part<'_>]) -> Self {
        // Servers are started by large futures, and whoever waits for this would carry them along.
        Box::pin(Self::set_up(typed)).await
    }

    async fn set_up(typed: &[Part<'_>]) -> Self {
        let postgres = Postgres::start_on(Backend::Local, PostgresOptions::default());
        let (postgres, hot, broker) = tokio::join!(postgres, redis(), redis());
        let postgres = postgres.unwrap();
        let database = migrated(postgres.url()).await;
        let ports: BTreeMap<_, _> = typed
            .iter()
            .map(|(name, ..)| (*name, (free_port().unwrap(), free_port().unwrap())))
            .collect();
        let targets: Vec<String> = ports
            .values()
            .map(|it| format!("127.0.0.1:{}", it.1))
            .collect();
        let mut world = Self {
            postgres,
            database,
            hot,
            broker,
            prometheus: Prometheus::start(&targets).await,
            processes: BTreeMap::new(),
            ports,
        };
        world
            .execute("INSERT INTO public.inventory (tenant, sku, available) VALUES ('demo', 'sku-1', 1000000)")
            .await;
        for part in typed {
            world.begin(*part).await;
        }
        world
    }

    /// Starts a process, in the place of the one that had its name, and waits until it works.
    pub(super) async fn begin(&mut self, (name, typed, own): Part<'_>) {
        self.processes.remove(name);
        let (http, admin) = self.ports[name];
        let addresses = [
            ("ONCELY_DATABASE_URL", self.database.url().to_owned()),
            ("ONCELY_REDIS_URL", self.hot.url().to_owned()),
            ("ONCELY_BROKER__URL", self.broker.url().to_owned()),
            ("ONCELY_HTTP_ADDR", format!("127.0.0.1:{http}")),
            ("ONCELY_ADMIN_ADDR", format!("127.0.0.1:{admin}")),
        ];
        let addresses = addresses.iter().map(|(name, value)| (*name, &**value));
        let variables: Vec<_> = HURRIED
            .into_iter()
            .chain(addresses)
            .chain(own.iter().copied())
            .collect();
        let arguments: Vec<&str> = typed.split(' ').skip(1).collect();
        let mut process = Process::start(&arguments, &variables);
        process.works().await;
        self.processes.insert(name, process);
    }

    /// Sends a signal to a process.
    pub(super) fn signal(&self, name: &str, signal: Signal) {
        self.processes[name].signal(signal);
    }

    /// Somebody who calls the API of a process.
    pub(super) fn caller(&self, name: &str) -> Caller {
        Caller::new(&self.api(name), "demo-token")
    }

    /// Where the API of a process is.
    pub(super) fn api(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.ports[name].0)
    }

    /// Somebody who asks the admin port of a process.
    pub(super) fn admin(&self, name: &str) -> Caller {
        Caller::new(&format!("http://127.0.0.1:{}", self.ports[name].1), "none")
    }

    /// The shell of whoever was woken, looking at a process.
    pub(super) fn shell(&self, name: &str) -> Shell {
        let mut shell = Shell::default();
        let admin = format!("127.0.0.1:{}", self.ports[name].1);
        shell.set("ONCELY_DATABASE_URL", self.database.url());
        shell.set("ONCELY_REDIS_URL", self.broker.url());
        shell.set("ADMIN", format!("http://{admin}"));
        shell.set("ONCELY_ADMIN_ADDR", admin);
        shell.set("TENANT", "demo");
        shell.set("WHO", "whoever was woken");
        shell
    }

    /// What a process has written to its log.
    pub(super) fn log(&self, name: &str) -> String {
        self.processes[name].complaints()
    }

    pub(super) async fn execute(&self, statement: &str) {
        let mut session = self.session().await;
        run(&mut session, statement).await;
        session.close().await.unwrap();
    }

    pub(super) async fn count(&self, statement: &str) -> i64 {
        let mut session = self.session().await;
        let statement = AssertSqlSafe(statement.to_owned());
        sqlx::query_scalar(statement)
            .fetch_one(&mut session)
            .await
            .unwrap()
    }

    /// A session of somebody beside us: a console, a script.
    pub(super) async fn session(&self) -> PgConnection {
        PgConnection::connect(self.database.url()).await.unwrap()
    }
}

/// Runs statements in a session.
pub(super) async fn run(session: &mut PgConnection, statements: &str) {
    let statements = AssertSqlSafe(statements.to_owned());
    sqlx::raw_sql(statements).execute(session).await.unwrap();
}

async fn redis() -> Redis {
    Redis::start_on(Backend::Local, RedisOptions::default())
        .await
        .unwrap()
}

/// The course of one incident, as somebody lives through it who has nothing but the runbook.
pub(super) struct Incident<'a> {
    world: &'a World,
    pub(super) shell: Shell,
    section: Section,
    protocol: String,
    since: Instant,
}

/// An incident whose page is put by while the world is changed.
pub(super) struct Page {
    shell: Shell,
    section: Section,
    protocol: String,
    since: Instant,
}

impl Page {
    /// Goes on with it.
    pub(super) fn taken_up(self, world: &World) -> Incident<'_> {
        Incident {
            world,
            shell: self.shell,
            section: self.section,
            protocol: self.protocol,
            since: self.since,
        }
    }
}

impl<'a> Incident<'a> {
    /// Puts the page by.
    pub(super) fn put_by(self) -> Page {
        Page {
            shell: self.shell,
            section: self.section,
            protocol: self.protocol,
            since: self.since,
        }
    }

    /// Waits until the alert fires, and opens its section. Looks at the process that is named.
    pub(super) async fn of(world: &'a World, alert: &str, process: &str) -> Self {
        let since = Instant::now();
        let told = world.prometheus.fires(alert).await;
        let section = section(alert);
        let mut incident = Self {
            world,
            shell: world.shell(process),
            section,
            protocol: String::new(),
            since,
        };
        let (summary, description) = (
            &told["annotations"]["summary"],
            &told["annotations"]["description"],
        );
        let text = format!("{alert} fires.\n{summary}\n{description}\n\n");
        incident.protocol.push_str(&text.replace('"', ""));
        for real in incident.section.all(Kind::Real) {
            let found = world.prometheus.query(&real.text).await;
            assert!(
                !found.is_empty(),
                "{alert} fires, and this says no: {}",
                real.text
            );
        }
        incident
    }

    /// Runs what looks, and returns what it says.
    pub(super) async fn look(&mut self) -> String {
        let said = self.shell.look(&self.section).await;
        self.protocol.push_str(&said);
        said
    }

    /// Sets a variable as the page says, and runs what looks by it.
    pub(super) async fn look_with(
        &mut self,
        name: &'static str,
        value: impl Into<String>,
    ) -> String {
        let said = self
            .shell
            .look_with(&self.section, name, value.into())
            .await;
        self.protocol.push_str(&said);
        said
    }

    /// Runs what mends, as it is printed.
    pub(super) async fn fix(&mut self) -> String {
        let said = self.shell.fix(&self.section).await;
        self.protocol.push_str(&said);
        said
    }

    /// The command that the section has for a process that is to run again.
    pub(super) fn start(&mut self) -> String {
        let block = self.section.all(Kind::Start).next().unwrap();
        writeln!(self.protocol, "$ {}\n", block.text).unwrap();
        block.text.clone()
    }

    /// Writes down what was done beside the commands.
    pub(super) fn note(&mut self, done: &str) {
        writeln!(self.protocol, "({done})\n").unwrap();
    }

    /// Waits until the section's own query says that it is over, and the alert too.
    pub(super) async fn ends(mut self) {
        self.shell.has_run_all(&self.section);
        let (alert, done) = (self.section.title.clone(), self.section.done());
        self.world.prometheus.is_over(&alert, &done).await;
        writeln!(
            self.protocol,
            "Over: the query returns nothing, and the alert is quiet.\n\n{done}"
        )
        .unwrap();
        let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/drills");
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(format!("{folder}/{alert}.txt"), &self.protocol).unwrap();
        println!("{alert}: {:.0?}", self.since.elapsed());
    }
}

/// The first column of the first line of psql's output that contains `needle`.
pub(super) fn first_column(said: &str, needle: &str) -> String {
    let line = said
        .lines()
        .find(|it| it.contains('|') && it.contains(needle));
    let line = line.unwrap_or_else(|| panic!("no line with {needle}: {said}"));
    line.split('|').next().unwrap().trim().to_owned()
}
