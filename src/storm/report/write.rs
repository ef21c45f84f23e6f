//! Writes the files of a storm into its folder.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::page::page;
use crate::history;
use crate::storm::evidence::Evidence;
use crate::storm::history::History;

/// Writes `report.html` and `report.json`.
pub(crate) fn write_report(evidence: &Evidence, out: &Path) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("make the folder {}", out.display()))?;
    let json = serde_json::to_string_pretty(evidence).context("write the evidence as JSON")?;
    for (name, text) in [("report.json", json), ("report.html", page(evidence))] {
        let file = out.join(name);
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

/// Writes both histories, one event in a line. The lines that a violation names are these.
pub(in crate::storm) fn write_history(histories: &History, out: &Path) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("make the folder {}", out.display()))?;
    for (name, log) in [
        ("charges.jsonl", &histories.charges),
        ("payments.jsonl", &histories.payments),
    ] {
        let file = out.join(name);
        let failed = || format!("write {}", file.display());
        let mut to = BufWriter::new(File::create(&file).with_context(failed)?);
        history::write(&mut to, &log.events()).with_context(failed)?;
    }
    Ok(())
}
