//! What is measured, and for how long.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// The groups of measurements, in their order.
pub(crate) const GROUPS: [&str; 5] = ["charges", "cases", "faults", "messages", "growth"];

/// What `--help` says.
pub(crate) const HELP: &str = "\
make bench ARGS=\"…\"

  --quick              short rounds, few of them: minutes instead of an hour
  --only a,b           groups: charges, cases, faults, messages, growth
  --seconds N          how long one measurement takes
  --rounds N           how often each contender takes its turn
  --connections a,b    how many connections, such as 1,8,32,64
  --preload N          how many records the grown ledger has (1000000)
  --write-docs         write the tables and plots into docs/ as well as into target/bench";

/// What is measured, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) groups: Vec<String>,
    pub(crate) duration: Duration,
    pub(crate) rounds: usize,
    pub(crate) connections: Vec<usize>,
    pub(crate) preload: u64,
    pub(crate) writes_docs: bool,
    pub(crate) wants_help: bool,
    pub(crate) is_quick: bool,
}

impl Options {
    /// Reads the command line. `cargo bench` adds `--bench`.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            groups: GROUPS.map(str::to_owned).to_vec(),
            duration: Duration::from_secs(4),
            rounds: 5,
            connections: vec![1, 8, 32, 64],
            preload: 1_000_000,
            writes_docs: false,
            wants_help: false,
            is_quick: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next().map(String::as_str);
                value.with_context(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--bench" => (),
                "--quick" => options.shorten(),
                "--only" => options.groups = list(value()?)?,
                "--seconds" => options.duration = Duration::from_secs_f64(value()?.parse()?),
                "--rounds" => options.rounds = value()?.parse()?,
                "--connections" => options.connections = list(value()?)?,
                "--preload" => options.preload = value()?.parse()?,
                "--write-docs" => options.writes_docs = true,
                "--help" | "-h" => options.wants_help = true,
                other => bail!("{other} is not known\n\n{HELP}"),
            }
        }
        if let Some(wrong) = options.groups.iter().find(|it| !GROUPS.contains(&&***it)) {
            bail!("there is no group {wrong}\n\n{HELP}");
        }
        if options.rounds == 0 || options.connections.contains(&0) || options.duration.is_zero() {
            bail!("nothing can be measured in no time\n\n{HELP}");
        }
        Ok(options)
    }

    fn shorten(&mut self) {
        self.duration = Duration::from_secs(1);
        self.rounds = 3;
        self.connections = vec![1, 8, 32];
        self.preload = 100_000;
        self.is_quick = true;
    }

    /// Whether a group was asked for.
    pub(crate) fn has(&self, group: &str) -> bool {
        self.groups.iter().any(|it| it == group)
    }
}

fn list<T>(text: &str) -> Result<Vec<T>>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let parts = text.split(',').map(|it| it.trim().parse());
    parts
        .collect::<Result<_, _>>()
        .with_context(|| format!("read the list {text}"))
}
