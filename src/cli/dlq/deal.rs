//! Redrives or discards dead letters: one, some, or all, no faster than asked.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep_until};

use super::super::output::{complain, say};
use super::super::run::USAGE;
use super::super::table::Form;
use super::{Bulk, show};
use crate::inbox::dead_letter::{self, Key};
use crate::ledger::Ledger;

/// How many letters one transaction takes.
const CHUNK: usize = 100;

/// How many letters a bulk command takes at most in one run; it can be run again.
const BULK_MAX: u32 = 1_000_000;

/// What is done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Redrive,
    Discard,
}

impl Deed {
    const fn verb(self) -> &'static str {
        match self {
            Self::Redrive => "redrive",
            Self::Discard => "discard",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Redrive => "redriven",
            Self::Discard => "discarded",
        }
    }
}

/// Redrives or discards what was asked for.
pub(super) async fn deal(ledger: &Ledger, deed: Deed, bulk: Bulk) -> Result<ExitCode> {
    if let Some(wrong) = refusal(deed, &bulk) {
        complain(&format!("error: {wrong}\n"));
        return Ok(ExitCode::from(USAGE));
    }
    let n_asked = bulk.ids.len();
    let filter = bulk.which.clone().filter(bulk.ids.clone());
    let letters = dead_letter::list(ledger, &filter, BULK_MAX).await?;
    if letters.is_empty() {
        complain("there are no such dead letters; `oncely dlq list` shows those that there are\n");
        let is_failure = 0 < n_asked;
        return Ok(if is_failure {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        });
    }
    if bulk.dry_run {
        say(&match bulk.output {
            Form::Json => show::list_as_json(&letters)?,
            Form::Table => format!(
                "{}{} would be {}; nothing was done\n",
                show::list(&letters),
                letters.len(),
                deed.done()
            ),
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let keys: Vec<Key> = letters.into_iter().map(|it| it.key).collect();
    let n_done = work_through(ledger, deed, &bulk, &keys).await?;
    let n_left = keys.len() - usize::try_from(n_done).unwrap_or(keys.len());
    say(&match bulk.output {
        Form::Json => format!(
            "{{\"{}\": {n_done}, \"left_alone\": {n_left}}}\n",
            deed.done()
        ),
        Form::Table if n_left == 0 => format!("{n_done} {}\n", deed.done()),
        Form::Table => format!(
            "{n_done} {}; {n_left} were dealt with by somebody else meanwhile\n",
            deed.done()
        ),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Why a bulk command is not run, where it is not.
fn refusal(deed: Deed, bulk: &Bulk) -> Option<String> {
    let verb = deed.verb();
    if bulk.ids.is_empty() && bulk.which.is_empty() && !bulk.all {
        return Some(format!(
            "say which: ids, a filter (--consumer, --topic, --tenant, --reason), or --all. \
             `oncely dlq {verb} --all --dry-run` shows what that would be"
        ));
    }
    let is_why_missing = bulk.why.as_deref().is_none_or(|it| it.trim().is_empty());
    if !bulk.dry_run && is_why_missing {
        return Some(format!(
            "say why, for the audit trail: oncely dlq {verb} … --why \"the stock service is back\""
        ));
    }
    None
}

/// Deals with the letters chunk by chunk, no faster than asked. What is done stays done when it ends
/// early, and running it again takes up the rest.
async fn work_through(ledger: &Ledger, deed: Deed, bulk: &Bulk, keys: &[Key]) -> Result<u64> {
    let who = bulk.by.clone().map_or_else(somebody, Ok)?;
    let why = bulk.why.as_deref().unwrap_or_default();
    let chunk = bulk.rate.map_or(CHUNK, |rate| {
        usize::try_from(rate).unwrap_or(CHUNK).clamp(1, CHUNK)
    });
    let bar = progress(keys.len(), deed);
    let (mut n_done, mut next_at) = (0, Instant::now());
    for part in keys.chunks(chunk) {
        sleep_until(next_at).await;
        if let Some(rate) = bulk.rate {
            let n = u32::try_from(part.len()).unwrap_or(rate);
            next_at = Instant::now() + Duration::from_secs(1) * n / rate;
        }
        let dealt = match deed {
            Deed::Redrive => dead_letter::redrive(ledger, part, &who, why).await,
            Deed::Discard => dead_letter::discard(ledger, part, &who, why).await,
        };
        n_done += dealt.with_context(|| {
            format!(
                "{n_done} of {} were {}; run it again for the rest",
                keys.len(),
                deed.done()
            )
        })?;
        bar.inc(u64::try_from(part.len()).unwrap_or(0));
    }
    bar.finish_and_clear();
    Ok(n_done)
}

/// A bar on a terminal, nothing elsewhere.
fn progress(n: usize, deed: Deed) -> ProgressBar {
    if !std::io::stderr().is_terminal() || n <= CHUNK {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(n).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}, {eta} left");
    bar.set_message(deed.verb());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The user of this process and its host.
fn somebody() -> Result<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::current())
        .context("look the user up; name one with --by")?;
    let name = user.map_or_else(|| nix::unistd::Uid::current().to_string(), |it| it.name);
    let host = nix::unistd::gethostname().context("look the host up; name somebody with --by")?;
    Ok(format!("{name}@{}", host.to_string_lossy()))
}
