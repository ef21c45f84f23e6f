//! What is measured: an endpoint, a pgbench script or a command of redis-benchmark, one like the other.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::cpu::{self, Seconds};
use super::limits;
use super::load::{Load, Make, run};
use super::options::Options;
use super::report::{Point, Report};
use super::world::{Process, World};

/// The parts whose CPU time is told.
pub(crate) type Parts = Vec<(&'static str, Option<u32>)>;

/// One thing to be measured.
#[derive(Clone)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Endpoint {
        address: SocketAddr,
        make: Make,
        statuses: Vec<u16>,
        parts: Parts,
    },
    PgBench(PathBuf),
    RedisBenchmark(Vec<String>),
}

impl Contender {
    pub(crate) fn endpoint(
        name: &'static str,
        process: &Process,
        make: Make,
        world: &World,
    ) -> Self {
        let parts = vec![
            ("api", process.pid()),
            ("postgres", world.postgres.pid()),
            ("redis", world.redis.pid()),
            ("driver", Some(std::process::id())),
        ];
        let kind = Kind::Endpoint {
            address: process.address,
            make,
            statuses: vec![201],
            parts,
        };
        Self { name, kind }
    }

    /// With other answers than 201 counted as right.
    pub(crate) fn answering(mut self, right: &[u16]) -> Self {
        if let Kind::Endpoint { statuses, .. } = &mut self.kind {
            right.clone_into(statuses);
        }
        self
    }

    pub(crate) fn pgbench(name: &'static str, script: PathBuf) -> Self {
        let kind = Kind::PgBench(script);
        Self { name, kind }
    }

    pub(crate) fn redis(name: &'static str, command: &[&str]) -> Self {
        let command = command.iter().map(|it| (*it).to_owned()).collect();
        let kind = Kind::RedisBenchmark(command);
        Self { name, kind }
    }

    /// Measures it once.
    pub(crate) async fn measure(
        &self,
        world: &World,
        n_connections: usize,
        duration: Duration,
    ) -> Result<Point> {
        match &self.kind {
            Kind::PgBench(script) => limits::pgbench(world, script, n_connections, duration).await,
            Kind::RedisBenchmark(command) => {
                limits::redis(world, command, n_connections, duration).await
            }
            Kind::Endpoint {
                address,
                make,
                statuses,
                parts,
            } => {
                let load = Load {
                    n_connections,
                    duration,
                    rate: None,
                };
                let before = cpu::used(parts);
                let sample = run(*address, load, &Arc::clone(make)).await?;
                let used = cpu::between(&before, &cpu::used(parts));
                let n: u64 = sample.slots.iter().sum();
                let per_request: Seconds = used
                    .into_iter()
                    .map(|(part, seconds)| (part, seconds * 1e6 / super::load::number(n.max(1))))
                    .collect();
                Ok(Point {
                    rate: sample.rate_of(statuses),
                    p50_ms: sample.quantile_ms(0.5),
                    p99_ms: sample.quantile_ms(0.99),
                    others: sample.share_of_others(statuses),
                    cpu_us: per_request,
                })
            }
        }
    }
}

/// Lets contenders take turns, and keeps each point. A checkpoint before each turn keeps one's dirty
/// pages from being another one's work.
pub(crate) async fn alternate(
    world: &World,
    options: &Options,
    connections: &[usize],
    contenders: &[Contender],
    report: &mut Report,
) -> Result<()> {
    for &n_connections in connections {
        for round in 1..=options.rounds {
            for contender in contenders {
                world.settle().await?;
                let point = contender
                    .measure(world, n_connections, options.duration)
                    .await?;
                println!(
                    "{:>3} connections, round {round}: {:<34} {:>9.0}/s  p50 {:.2} ms",
                    n_connections, contender.name, point.rate, point.p50_ms
                );
                report.add(contender.name, n_connections, point);
            }
        }
    }
    Ok(())
}
