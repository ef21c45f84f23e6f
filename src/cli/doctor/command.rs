//! The command: gathers all facts side by side, each within its time, judges, and prints.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::time::timeout;

use super::report::{Check, Level, Report, Section, chain};
use super::{
    anchor, broker, flow, postgres, postgres_facts, print, race, redis, redis_facts, sessions,
    settings,
};
use crate::cli::Settings;
use crate::cli::output::say;
use crate::cli::runtime::block_on;
use crate::cli::table::Form;
use crate::config::{self, Config, Error, Secret};
use crate::hot::Hot;
use crate::ledger::{Ledger, Refusal};
use crate::shutdown::Tasks;

/// How long one section may take: a server that hangs is a line, and the doctor goes home.
const PATIENCE: Duration = Duration::from_secs(10);

/// The race takes a few round trips; it is part of the time above.
const RACE_PATIENCE: Duration = Duration::from_secs(5);

/// `oncely doctor`.
#[derive(Debug, Args)]
pub struct DoctorCommand {
    /// Only race two sessions on one key in this database: whether an engine may be trusted at all
    #[arg(long)]
    pub engine: bool,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

impl DoctorCommand {
    /// 0 where all is good, 1 where there are warnings, 2 where there are errors.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (form, engine) = (self.output, self.engine);
        let config = match settings.load() {
            Ok(loaded) => loaded.config,
            Err(Error::Invalid(violations)) => {
                let checks = settings::judge_violations(&violations);
                return finish(
                    &Report {
                        sections: vec![section("settings", None, checks)],
                    },
                    form,
                );
            }
            Err(error @ Error::Read { .. }) => return Err(error.into()),
        };
        block_on(async move {
            let report = if engine {
                Report {
                    sections: vec![engine_of(&config).await],
                }
            } else {
                examine(&config).await
            };
            finish(&report, form)
        })
    }
}

fn finish(report: &Report, form: Form) -> Result<ExitCode> {
    say(&match form {
        Form::Table => print::as_text(report),
        Form::Json => print::as_json(report)?,
    })?;
    Ok(report.exit_code())
}

async fn examine(config: &Config) -> Report {
    let (ledger, hot, events) =
        tokio::join!(postgres_of(config), redis_of(config), broker_of(config));
    let mut sections = vec![section("settings", None, settings::judge(config))];
    sections.extend(ledger);
    sections.push(hot);
    sections.push(events);
    Report { sections }
}

fn section(name: &'static str, url: Option<&Secret>, checks: Vec<Check>) -> Section {
    let place = url.map(Secret::redacted_url);
    Section {
        name,
        place,
        checks,
    }
}

fn missing(setting: &'static str, example: &str) -> Vec<Check> {
    let found = format!("`{setting}` is not set");
    let hint = format!(
        "set it in the file, or ONCELY_{}={example}",
        setting.to_uppercase()
    );
    vec![Check::error("reachable", found, hint)]
}

/// Does `work`, and where it takes too long says so in its place.
async fn within(work: impl Future<Output = Vec<Check>>, anchor: &str) -> Vec<Check> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_elapsed| {
        let found = format!(
            "it did not answer within {}",
            humantime::format_duration(PATIENCE)
        );
        let hint = "look whether it is overloaded, frozen, or behind a firewall that drops";
        vec![Check::error("reachable", found, hint).see(anchor)]
    })
}

async fn postgres_of(config: &Config) -> Vec<Section> {
    let Some(url) = &config.database_url else {
        let checks = missing(
            "database_url",
            "postgres://oncely:password@127.0.0.1:5432/oncely",
        );
        return vec![section("postgres", None, checks)];
    };
    let ledger = match Ledger::new(url, &config.ledger, config.idempotency.retention) {
        Ok(ledger) => ledger,
        Err(error) => return vec![section("postgres", Some(url), unreachable(&error))],
    };
    // Boxed: the states of all these questions together are large.
    let server = Box::pin(within(look_at_server(&ledger, url, config), anchor::LEDGER));
    let waiting = Box::pin(within(look_at_flow(&ledger), anchor::LEDGER));
    let (server, waiting) = tokio::join!(server, waiting);
    let mut sections = vec![section("postgres", Some(url), server)];
    if !waiting.is_empty() {
        sections.push(section("flow", None, waiting));
    }
    sections
}

async fn look_at_server(ledger: &Ledger, url: &Secret, config: &Config) -> Vec<Check> {
    // First: where a pooler mixes up sessions, all that comes after it may fail for that reason.
    let pooler = sessions::look_for_pooler(url)
        .await
        .map(sessions::judge_pooler);
    let refusals = match ledger.check(false).await {
        Ok(refusals) => refusals,
        Err(error) => {
            let mut checks = unreachable(&error);
            checks.extend(pooler.ok().filter(|it| it.level != Level::Good));
            return checks;
        }
    };
    let mut checks = vec![Check::good("reachable", "it answers")];
    match postgres_facts::gather(url).await {
        Ok(facts) => {
            let (version, commit) = (&facts.server.version, &facts.server.synchronous_commit);
            checks.extend(postgres::judge_refusals(&refusals, version, commit));
            checks.extend(postgres::judge(&facts, config));
        }
        Err(error) => {
            checks.extend(postgres::judge_refusals(
                &refusals,
                "not known",
                "not known",
            ));
            let found = format!("it can't be asked about itself: {}", chain(&error));
            checks.push(Check::error(
                "facts",
                found,
                "see docs/operating.md for the grants",
            ));
        }
    }
    match sessions::settings(ledger).await {
        Ok(found) => checks.push(sessions::judge_settings(&found, &config.ledger)),
        Err(error) => {
            let found = format!("no session can be opened: {}", chain(&error));
            checks.push(Check::error(
                "session-timeouts",
                found,
                "look at the server's log",
            ));
        }
    }
    checks.extend(pooler.ok());
    if can_race(&refusals) {
        checks.push(race_on(url, &config.ledger).await);
    }
    checks
}

/// Races in its own time: where commits wait for a standby that is gone, the other lines still show.
async fn race_on(url: &Secret, settings: &config::Ledger) -> Check {
    let raced = timeout(RACE_PATIENCE, Box::pin(race::race(url, settings))).await;
    raced.map_or_else(
        |_elapsed| race::unfinished(RACE_PATIENCE),
        |raced| race::judge(&raced, settings.claim),
    )
}

/// A standby takes no writes, and without its tables there is nothing to race on: both are lines already.
fn can_race(refusals: &[Refusal]) -> bool {
    !refusals.iter().any(|it| match it {
        Refusal::ReadReplica | Refusal::SchemaBehind(_) => true,
        Refusal::TooOld(_)
        | Refusal::UnsafeDurability { .. }
        | Refusal::Unlogged { .. }
        | Refusal::SchemaAhead => false,
    })
}

/// Nothing where the tables are not there, which the server's section says.
async fn look_at_flow(ledger: &Ledger) -> Vec<Check> {
    match flow::gather(ledger).await {
        Ok((status, survey)) => flow::judge(&status, &survey),
        Err(error) => {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "look at what waits"
            );
            Vec::new()
        }
    }
}

fn unreachable(error: &crate::ledger::Error) -> Vec<Check> {
    let hint = "start it, or set `database_url` to one that is there; nothing is served without it";
    let check = Check::error("reachable", chain(error), hint);
    vec![check.see(anchor::LEDGER)]
}

async fn redis_of(config: &Config) -> Section {
    let Some(url) = &config.redis_url else {
        return section(
            "redis",
            None,
            missing("redis_url", "redis://127.0.0.1:6379/0"),
        );
    };
    let checks = within(look_at_redis(url, config), anchor::HOT_PATH).await;
    section("redis", Some(url), checks)
}

async fn look_at_redis(url: &Secret, config: &Config) -> Vec<Check> {
    let commands = redis_facts::commands_of_the_hot_path(&config.hot.key_prefix);
    let mut checks = match redis_facts::gather(url, &commands).await {
        Ok(facts) => {
            let mut checks = vec![Check::good("reachable", "it answers")];
            checks.extend(redis::judge(&facts, config.hot.timeout));
            checks
        }
        Err(error) => {
            let hint = "start it, or set `redis_url` to one that is there; until then every request \
                        goes to the ledger alone";
            return vec![Check::error("reachable", chain(&error), hint).see(anchor::HOT_PATH)];
        }
    };
    let tasks = Tasks::default();
    match Hot::start(url, &config.hot, &tasks).await {
        Ok(hot) => checks.push(redis::judge_probe(&hot.probe().await)),
        Err(error) => checks.push(Check::error(
            "set-nx-get",
            chain(&error),
            "correct `redis_url`",
        )),
    }
    tasks.drain(Duration::from_secs(1)).await;
    checks
}

async fn broker_of(config: &Config) -> Section {
    let Some(url) = config.broker.url.as_ref().or(config.redis_url.as_ref()) else {
        return section(
            "broker",
            None,
            missing("broker_url", "redis://127.0.0.1:6379/0"),
        );
    };
    let checks = within(broker::look(url, &config.broker), anchor::OUTBOX_LAG).await;
    section("broker", Some(url), checks)
}

/// The race alone: whether an engine keeps the promise is seen by racing on it.
async fn engine_of(config: &Config) -> Section {
    let Some(url) = &config.database_url else {
        let checks = missing(
            "database_url",
            "postgres://oncely:password@127.0.0.1:5432/oncely",
        );
        return section("engine", None, checks);
    };
    let checks = vec![race_on(url, &config.ledger).await];
    section("engine", Some(url), checks)
}
