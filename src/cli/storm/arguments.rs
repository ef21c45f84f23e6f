//! The flags of `oncely storm`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::storm::MayKill;

/// So many operations fit into the shortest storm; more of them make it longer.
const OPERATIONS_A_SECOND: u32 = 50;
/// The usual length of a storm.
const DURATION: Duration = Duration::from_secs(40);

/// `oncely storm`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct StormCommand {
    /// How many operations there are: charges, and some payments
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=400_000))]
    pub(super) operations: u32,
    /// How many of them are under way at once, their waits included
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) concurrency: u32,
    /// What orders and faults are drawn from; the same one draws the same [default: another one each
    /// time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How long operations begin and faults happen [default: 40s, or longer for more than 2,000
    /// operations]
    #[arg(long, value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// How long the last answers, and then the last events, may take when the faults are over
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = humantime::parse_duration)]
    pub(super) patience: Duration,
    /// No faults at all: the same operations in fair weather
    #[arg(long)]
    pub(super) calm: bool,
    /// Where the report is written, by default `./oncely-storm-SEED`
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Attack this API instead of a private stack; its database is that of --database-url
    #[arg(long, help_heading = GIVEN, requires = "token_file")]
    pub(super) url: Option<String>,
    /// A file with a token of --tenant
    #[arg(long, help_heading = GIVEN, value_name = "PATH", requires = "url")]
    pub(super) token_file: Option<PathBuf>,
    /// Whose token it is
    #[arg(long, help_heading = GIVEN, default_value = "demo")]
    pub(super) tenant: String,
    /// An admin port to scrape; may come several times
    #[arg(long, help_heading = GIVEN, value_name = "URL", requires = "url")]
    pub(super) admin_url: Vec<String>,
    /// A process that may be paused, and killed once, such as redis=1234; who runs it starts it
    /// again. redis, postgres, api, relay or consumer; may come several times
    #[arg(long, help_heading = GIVEN, value_name = "PART=PID", requires = "url")]
    pub(super) may_kill: Vec<MayKill>,
    /// The Redis of --redis-url may be flushed
    #[arg(long, help_heading = GIVEN, requires = "url")]
    pub(super) may_flush: bool,
    /// Attack hosts that are not this machine
    #[arg(long, help_heading = GIVEN, requires = "url")]
    pub(super) allow_remote: bool,
    /// Break the private stack on purpose: the storm has to notice
    #[cfg(feature = "sabotage")]
    #[arg(long, value_enum, conflicts_with = "url")]
    pub(super) sabotage: Option<crate::storm::Sabotage>,
}

const GIVEN: &str = "To attack a stack that is there (only its network, unless more is allowed)";

const EXAMPLES: &str = "\
Without --url it starts Redis, Postgres and the service for itself, kills them as it likes, and leaves
nothing behind but the report. What it does and how to read it: docs/storm.md.
Exit codes: 0 the promise held, 1 it did not or the storm was interrupted, 2 usage or configuration.";

impl StormCommand {
    pub(super) fn duration(&self) -> Duration {
        let least = Duration::from_secs((self.operations / OPERATIONS_A_SECOND).into());
        self.duration.unwrap_or(DURATION.max(least))
    }

    pub(super) fn seed(&self) -> u64 {
        // Short enough to be typed again.
        self.seed.unwrap_or_else(|| fastrand::u64(..1_000_000))
    }

    pub(super) fn out(&self, seed: u64) -> PathBuf {
        let usual = || PathBuf::from(format!("oncely-storm-{seed}"));
        self.out.clone().unwrap_or_else(usual)
    }
}
