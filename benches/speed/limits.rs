//! The physical limits: what pgbench and redis-benchmark reach against the same servers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::cpu::Seconds;
use super::report::Point;
use super::world::World;

/// About what redis-benchmark does in a second with one connection, and with more: it takes a number
/// of requests and no time.
const REDIS_PER_SECOND: [f64; 2] = [15_000.0, 30_000.0];

/// Runs a script of pgbench against the database of the charges, through prepared statements.
pub(crate) async fn pgbench(
    world: &World,
    script: &Path,
    n_connections: usize,
    duration: Duration,
) -> Result<Point> {
    let address = world.postgres.address();
    let clients = n_connections.to_string();
    let whole_seconds = duration.as_secs().max(1).to_string();
    let output = Command::new("pgbench")
        .args([
            "-h",
            &address.ip().to_string(),
            "-p",
            &address.port().to_string(),
        ])
        .args([
            "-U",
            "postgres",
            "-n",
            "-M",
            "prepared",
            "-T",
            &whole_seconds,
            "-c",
            &clients,
        ])
        .args(["-j", if n_connections == 1 { "1" } else { "2" }])
        .arg("-f")
        .arg(script)
        .arg("charges")
        .output()
        .await
        .context("run pgbench (Debian: postgresql)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "pgbench: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let value = |name: &str| {
        let line = text.lines().find_map(|it| it.trim().strip_prefix(name));
        let figure = line.and_then(|it| it.split_whitespace().next());
        let number = figure.and_then(|it| it.parse::<f64>().ok());
        number.with_context(|| format!("pgbench says nothing of {name}"))
    };
    Ok(Point {
        rate: value("tps = ")?,
        // pgbench tells the mean, which is no median but near it.
        p50_ms: value("latency average = ")?,
        p99_ms: f64::NAN,
        others: 0.0,
        cpu_us: Seconds::new(),
    })
}

/// Runs a command of redis-benchmark.
pub(crate) async fn redis(
    world: &World,
    command: &[String],
    n_connections: usize,
    duration: Duration,
) -> Result<Point> {
    let address = world.redis.address();
    let [with_one, with_more] = REDIS_PER_SECOND;
    let per_second = if n_connections == 1 {
        with_one
    } else {
        with_more
    };
    let n_requests = (per_second * duration.as_secs_f64()).round();
    let output = Command::new("redis-benchmark")
        .args([
            "-h",
            &address.ip().to_string(),
            "-p",
            &address.port().to_string(),
        ])
        .args([
            "-c",
            &n_connections.to_string(),
            "-n",
            &n_requests.to_string(),
        ])
        .args(["-r", "100000000", "--csv"])
        .args(command)
        .output()
        .await
        .context("run redis-benchmark (Debian: redis-tools)")?;
    let said = String::from_utf8_lossy(&output.stdout);
    // The last line: "name","rps","avg","min","p50","p95","p99","max"
    let line = said.lines().last().unwrap_or_default();
    let fields: Vec<f64> = line
        .rsplit("\",\"")
        .filter_map(|it| it.trim_matches('"').parse().ok())
        .collect();
    // From the end: max, p99, p95, p50, min, avg, rps.
    let field = |at: usize| {
        let field = fields.get(at).copied();
        field.with_context(|| format!("redis-benchmark says {said}"))
    };
    Ok(Point {
        rate: field(6)?,
        p50_ms: field(3)?,
        p99_ms: field(1)?,
        others: 0.0,
        cpu_us: Seconds::new(),
    })
}
