//! What was measured: points by contender and connections, single facts, and the machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::cpu::Seconds;
use super::options::Options;
use super::plot;
use super::verdict::{self, Verdict};
use super::world::{POSTGRES, World};

/// Where results go that nobody has asked to keep.
const TARGET: &str = "target/bench";

/// Where results go with `--write-docs`, and between which lines of which page.
const PAGE: &str = "docs/performance.md";
const BEGIN: &str = "<!-- make bench writes from here -->";
const END: &str = "<!-- to here -->";
const PLOTS: &str = "docs/performance";

/// One measurement.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// Right answers a second.
    pub(crate) rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// The share of other answers.
    pub(crate) others: f64,
    /// CPU microseconds a request, by part.
    pub(crate) cpu_us: Seconds,
}

/// One number that has no contender.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) series: BTreeMap<(&'static str, usize), Vec<Point>>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) machine: Vec<(&'static str, String)>,
    /// The order in which contenders were first seen.
    pub(crate) names: Vec<&'static str>,
    /// Answers per slot of time, by what happened.
    pub(crate) lines: Vec<(String, Vec<u64>)>,
}

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            series: BTreeMap::new(),
            facts: Vec::new(),
            verdicts: Vec::new(),
            machine: machine(options),
            names: Vec::new(),
            lines: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, name: &'static str, n_connections: usize, point: Point) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
        self.series
            .entry((name, n_connections))
            .or_default()
            .push(point);
    }

    pub(crate) fn note(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        let name = name.into();
        println!("{name}: {value:.2} {unit}");
        self.facts.push(Fact { name, value, unit });
    }

    /// The points of a contender, round by round.
    pub(crate) fn points(&self, name: &'static str, n_connections: usize) -> &[Point] {
        self.series
            .get(&(name, n_connections))
            .map_or(&[], Vec::as_slice)
    }

    /// The median of one measure of a contender.
    pub(crate) fn median(
        &self,
        name: &'static str,
        n_connections: usize,
        of: fn(&Point) -> f64,
    ) -> Option<f64> {
        verdict::median(self.points(name, n_connections).iter().map(of))
    }

    /// The connection counts at which anything was measured.
    pub(crate) fn connections(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.series.keys().map(|it| it.1).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Writes page, numbers and plots below `target/`, and into `docs/` where that was asked for.
    pub(crate) fn save(&self, page: &str, writes_docs: bool) -> Result<()> {
        let target = Path::new(TARGET);
        fs::create_dir_all(target).context("make target/bench")?;
        fs::write(target.join("performance.md"), page)?;
        let json = serde_json::to_string_pretty(&self.to_json())?;
        fs::write(target.join("performance.json"), &json)?;
        for (name, svg) in plot::all(self) {
            fs::write(target.join(&name), &svg)?;
            if writes_docs {
                fs::create_dir_all(PLOTS)?;
                fs::write(Path::new(PLOTS).join(&name), &svg)?;
            }
        }
        if writes_docs {
            let before = fs::read_to_string(PAGE).with_context(|| format!("read {PAGE}"))?;
            let (head, rest) = before
                .split_once(BEGIN)
                .context("the page has no begin mark")?;
            let (_, tail) = rest.split_once(END).context("the page has no end mark")?;
            fs::write(PAGE, format!("{head}{BEGIN}\n\n{page}\n{END}{tail}"))?;
        }
        println!(
            "written to {TARGET}{}",
            if writes_docs { " and docs" } else { "" }
        );
        Ok(())
    }

    fn to_json(&self) -> Value {
        let series = self.series.iter().map(|((name, n_connections), points)| {
            let points: Vec<Value> = points
                .iter()
                .map(|it| {
                    json!({"rate": it.rate, "p50_ms": it.p50_ms, "p99_ms": it.p99_ms,
                        "others": it.others, "cpu_us": it.cpu_us})
                })
                .collect();
            json!({"name": name, "connections": n_connections, "points": points})
        });
        let facts = self.facts.iter();
        let verdicts = self.verdicts.iter();
        json!({
            "machine": self.machine.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
            "series": series.collect::<Vec<_>>(),
            "facts": facts.map(|it| json!([it.name, it.value, it.unit])).collect::<Vec<_>>(),
            "verdicts": verdicts.map(Verdict::to_json).collect::<Vec<_>>(),
        })
    }
}

fn machine(options: &Options) -> Vec<(&'static str, String)> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|it| it.strip_prefix("model name"));
    let model = model.map_or("unknown", |it| it.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split(' ').take(1).collect();
    let postgres: Vec<String> = POSTGRES
        .iter()
        .map(|it| format!("{}={}", it.0, it.1))
        .collect();
    vec![
        ("processor", format!("{model}, {cores} cores")),
        ("load before the run", load.concat()),
        (
            "pgbench",
            World::version_of(Path::new("pgbench"), "--version"),
        ),
        (
            "Redis",
            World::version_of(Path::new("redis-server"), "--version"),
        ),
        (
            "Postgres' settings",
            format!("durable defaults, {}", postgres.join(", ")),
        ),
        (
            "rounds",
            format!(
                "{} of {:?} each, contenders taking turns",
                options.rounds, options.duration
            ),
        ),
    ]
}
