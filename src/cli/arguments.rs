//! What is typed: the flags that every command takes, and the tree of commands.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use super::config::ConfigCommand;
use super::dlq::DlqCommand;
use super::doctor::DoctorCommand;
use super::effects::EffectsCommand;
use super::key::KeyCommand;
use super::openapi::OpenapiCommand;
use super::outbox::OutboxCommand;
use super::prune::PruneCommand;
use super::storm::StormCommand;
use crate::config::{self, Config, Flag, Loaded, Secret, Sources};

/// Makes payment APIs effectively-once: a Redis hot path in front of a Postgres ledger.
#[derive(Debug, Parser)]
#[command(
    name = "oncely",
    version,
    max_term_width = 100,
    propagate_version = true
)]
#[command(arg_required_else_help = true, after_help = PRECEDENCE)]
pub struct Arguments {
    /// The flags that every command takes.
    #[command(flatten)]
    pub settings: Settings,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

const PRECEDENCE: &str = "\
Settings, strongest first: flags, ONCELY_* environment variables, the configuration file, defaults.
`oncely config print --origin` shows every setting and where it comes from.
Exit codes: 0 fine, 1 failed, 2 usage or configuration.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start private servers, migrate, serve, and print lines to paste; Ctrl-C removes all of it
    Dev(DevCommand),
    /// Serve the API, relay events and act on them, on a database and a Redis that are there
    Serve(ServeCommand),
    /// Publish events, as a process of its own
    Relay(RelayCommand),
    /// Act on events, as a process of its own
    Consume(ConsumeCommand),
    /// Bring the database to this binary's schema
    Migrate(MigrateCommand),
    /// Look whether servers and settings keep the promise
    ///
    /// Each line is good (√), a warning (!) or an error (×), and the last two say the next step. Nothing
    /// is changed, but for a race of two sessions on a key of the doctor's own, which is cleaned up. A
    /// server that does not answer is a line. Exit codes: 0 all good, 1 warnings, 2 errors.
    Doctor(DoctorCommand),
    /// Look after the ledger as a whole
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Look at single keys, and settle by hand what nobody else can know
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look at events on their way to the broker
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// Look at dead letters, redrive or discard them
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Look whether operations and their effects agree
    #[command(subcommand)]
    Effects(EffectsCommand),
    /// Delete records past their retention now, batch by batch
    Prune(PruneCommand),
    /// Place orders while servers are killed, and show that each took effect once
    Storm(StormCommand),
    /// Ask a running process whether it is ready
    Healthcheck(HealthcheckCommand),
    /// Print the OpenAPI 3.1 document of the API
    Openapi(OpenapiCommand),
    /// Show or check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// `oncely dev`.
#[derive(Debug, Args)]
pub struct DevCommand {
    /// Keep the private servers' directories at the end
    #[arg(long)]
    pub retain: bool,
    /// Accept a database that may forget confirmed charges in a crash (fsync or
    /// `synchronous_commit` off)
    #[arg(long)]
    pub allow_unsafe_durability: bool,
}

/// `oncely serve`.
#[derive(Debug, Args)]
pub struct ServeCommand {
    /// What this process does: api, relay, consumer, separated by commas [default: all three]
    #[arg(long, value_name = "ROLES")]
    pub role: Option<String>,
}

/// `oncely relay`.
#[derive(Debug, Args)]
pub struct RelayCommand {}

/// `oncely consume`.
#[derive(Debug, Args)]
pub struct ConsumeCommand {
    /// Only these consumers; may come several times [default: all]
    #[arg(long = "consumer", value_name = "NAME")]
    pub consumers: Vec<String>,
}

/// `oncely healthcheck`.
#[derive(Debug, Args)]
pub struct HealthcheckCommand {}

/// `oncely migrate`.
#[derive(Debug, Args)]
pub struct MigrateCommand {
    /// What to do [default: up]
    #[command(subcommand)]
    pub action: Option<MigrateAction>,
}

/// What `oncely migrate` does.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum MigrateAction {
    /// Apply what is missing; safe to run twice, and from several processes at once
    Up,
    /// Show whether anything is missing: exit 0 where nothing is, 1 otherwise
    Status,
}

/// `oncely ledger`.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Start a new epoch: every answer in Redis is stale from now on. Belongs into every restore
    NewEpoch,
    /// Show the epoch
    Epoch,
}

/// The flags that set something. Their words are the settings' own.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Settings (each wins over the environment and the file)")]
pub struct Settings {
    /// Configuration file [default: `ONCELY_CONFIG`, else ./oncely.toml where there is one]
    #[arg(long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Postgres; a password shows in `ps`, so prefer `ONCELY_DATABASE_URL`
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Redis; a password shows in `ps`, so prefer `ONCELY_REDIS_URL`
    #[arg(long, global = true, value_name = "URL")]
    pub redis_url: Option<String>,
    /// Address of the API; port 0 takes a free one [env: `ONCELY_HTTP_ADDR`]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub http_addr: Option<String>,
    /// Address of health and metrics, without credentials [env: `ONCELY_ADMIN_ADDR`]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub admin_addr: Option<String>,
    /// Any other setting, such as `ledger.pool_size=8`; may come several times
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub set: Vec<(String, String)>,
}

impl Settings {
    /// Loads the settings from the file, the environment of this process and these flags.
    pub fn load(&self) -> Result<Loaded, config::Error> {
        config::load(self.sources())
    }

    /// What the settings are loaded from.
    pub fn sources(&self) -> Sources {
        Sources::of_process(self.config.clone(), self.flags())
    }

    /// Loads the settings of a command that needs the database and nothing else.
    pub(super) fn load_with_database(&self) -> anyhow::Result<(Config, Secret)> {
        let config = self.load()?.config;
        let url = config.database_url.clone().context(
            "`database_url` is not set: give --database-url, or set ONCELY_DATABASE_URL",
        )?;
        Ok((config, url))
    }

    /// The flags that were given; one with a name of its own wins over `--set`.
    fn flags(&self) -> Vec<Flag> {
        let named = [
            ("--database-url", "database_url", &self.database_url),
            ("--redis-url", "redis_url", &self.redis_url),
            ("--http-addr", "http_addr", &self.http_addr),
            ("--admin-addr", "admin_addr", &self.admin_addr),
        ];
        let set = self.set.iter().map(|(key, value)| Flag {
            name: "--set".to_owned(),
            key: key.clone(),
            value: value.clone(),
        });
        let named = named.into_iter().filter_map(|(name, key, value)| {
            Some(Flag {
                name: name.to_owned(),
                key: key.to_owned(),
                value: value.clone()?,
            })
        });
        set.chain(named).collect()
    }
}

/// The message does not repeat the text: it may hold a secret.
fn key_and_value(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("there is no `=` in it")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
