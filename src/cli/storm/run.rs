//! Runs the storm, and turns its end into an exit code.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tokio::sync::watch;

use super::StormCommand;
use super::given::Asked;
use super::progress;
use super::show::show;
use crate::cli::Settings;
use crate::cli::output::{complain, say};
use crate::cli::run::USAGE;
use crate::cli::runtime::{block_on, stop_signal};
use crate::storm::{self, Given, Options, Progress};

impl StormCommand {
    /// 0 where the promise held, 1 where it did not.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let given = match self.given(settings)? {
            Asked::Private => None,
            Asked::Given(given) => Some(given),
            Asked::Refused(reason) => {
                complain(&format!("error: {reason}\n"));
                return Ok(ExitCode::from(USAGE));
            }
        };
        let options = self.options(given);
        block_on(Box::pin(self.storm(options)))
    }

    fn options(&self, given: Option<Given>) -> Options {
        Options {
            n_operations: self.operations,
            concurrency: self.concurrency as usize,
            seed: self.seed(),
            duration: self.duration(),
            patience: self.patience,
            is_calm: self.calm,
            given,
            #[cfg(feature = "sabotage")]
            sabotage: self.sabotage,
        }
    }

    async fn storm(self, options: Options) -> Result<ExitCode> {
        let stop = stop_signal()?;
        let out = self.out(options.seed);
        let (tell, told) = watch::channel(Progress::default());
        complain(&format!("seed {}\n", options.seed));
        let running = Box::pin(storm::run(&options, &tell, &out));
        let evidence = tokio::select! {
            evidence = running => evidence?,
            () = progress::show(told) => return Ok(ExitCode::FAILURE),
            () = stop => {
                complain("interrupted: nothing is proved, and no report was written\n");
                return Ok(ExitCode::FAILURE);
            }
        };
        storm::write_report(&evidence, &out).context("write the report")?;
        say(&show(&self, &evidence, &out))?;
        Ok(if evidence.violations.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
