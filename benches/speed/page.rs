//! The page: claims with their verdicts, then the numbers behind them.

use std::fmt::Write as _;

use anyhow::Result;

use super::report::Report;

/// The page as Markdown.
pub(crate) fn write(report: &Report) -> Result<String> {
    let mut page = String::new();
    writeln!(page, "### The machine\n")?;
    for (name, value) in &report.machine {
        writeln!(page, "- {name}: {value}")?;
    }
    if !report.verdicts.is_empty() {
        writeln!(page, "\n### Targets\n")?;
        writeln!(
            page,
            "| claim | median (low to high) | target | |\n|---|---|---|---|"
        )?;
        for it in &report.verdicts {
            let met = if it.is_met() { "met" } else { "**not met**" };
            let (low, high) = it.spread;
            let median = it.median;
            writeln!(
                page,
                "| {} | {median:.2} ({low:.2} to {high:.2}) | {} | {met} |",
                it.claim, it.target
            )?;
        }
    }
    if !report.series.is_empty() {
        write_series(report, &mut page)?;
    }
    if !report.facts.is_empty() {
        writeln!(page, "\n### Single numbers\n\n| what | |\n|---|---|")?;
        for it in &report.facts {
            writeln!(page, "| {} | {:.2} {} |", it.name, it.value, it.unit)?;
        }
    }
    Ok(page)
}

fn write_series(report: &Report, page: &mut String) -> Result<()> {
    let connections = report.connections();
    writeln!(
        page,
        "\n### Requests a second, and p50 / p99 in milliseconds\n"
    )?;
    write!(page, "| contender |")?;
    for n in &connections {
        write!(page, " {n} conn |")?;
    }
    writeln!(page, "\n|---|{}", "---|".repeat(connections.len()))?;
    for &name in &report.names {
        write!(page, "| {name} |")?;
        for &n in &connections {
            let Some(rate) = report.median(name, n, |it| it.rate) else {
                write!(page, " |")?;
                continue;
            };
            let p50 = report.median(name, n, |it| it.p50_ms).unwrap_or(f64::NAN);
            write!(page, " {rate:.0}, {p50:.2}")?;
            if let Some(p99) = report.median(name, n, |it| it.p99_ms) {
                write!(page, " / {p99:.2}")?;
            }
            if let Some(others) = report.median(name, n, |it| it.others)
                && 0.0005 < others
            {
                write!(page, " ({:.1} % other answers)", others * 100.0)?;
            }
            write!(page, " |")?;
        }
        writeln!(page)?;
    }
    let parts = ["api", "postgres", "redis", "driver"];
    writeln!(page, "\n### CPU microseconds a request, by part\n")?;
    writeln!(
        page,
        "| contender | conn | api | Postgres | Redis | load driver |\n|---|---|---|---|---|---|"
    )?;
    for &name in &report.names {
        for &n in &connections {
            let last = report.points(name, n).last();
            let Some(point) = last.filter(|it| !it.cpu_us.is_empty()) else {
                continue;
            };
            write!(page, "| {name} | {n} |")?;
            for part in parts {
                match point.cpu_us.get(part) {
                    Some(us) => write!(page, " {us:.0} |")?,
                    None => write!(page, " |")?,
                }
            }
            writeln!(page)?;
        }
    }
    Ok(())
}
