//! A ledger that has grown: throughput and log volume with many records, and while they are swept.

use std::time::Duration;

use anyhow::Result;

use super::load::{Load, Make, run};
use super::options::Options;
use super::report::Report;
use super::requests::{new_charges, random_charges};
use super::verdict::Target;
use super::world::{Process, World, execute, number_from};

/// Connections in all of these.
const N_CONNECTIONS: usize = 8;

/// How many records a sweep finds; a short run has a tenth.
const N_EXPIRED: u64 = 1_000_000;

pub(crate) async fn measure(world: &World, options: &Options, report: &mut Report) -> Result<()> {
    let (small, large) = (world.create("small").await?, world.create("large").await?);
    execute(&large, &records(options.preload, "interval '72 hours'")).await?;
    execute(&large, "VACUUM ANALYZE oncely.records").await?;
    let (on_small, on_large) = (
        world.serve(&small, "api", &[]).await?,
        world.serve(&large, "api", &[]).await?,
    );
    for (keys, make, bound) in [
        (
            "our client's keys",
            new_charges as fn(&'static str) -> Make,
            0.9,
        ),
        ("random keys", random_charges, 0.75),
    ] {
        let mut ratios = Vec::new();
        for _ in 0..options.rounds {
            let before = side(world, options, (&on_small, &small), make("/charge")).await?;
            let after = side(world, options, (&on_large, &large), make("/charge")).await?;
            report.note(
                format!("{keys}: log of a charge, empty ledger"),
                before.1,
                "bytes",
            );
            report.note(
                format!("{keys}: log of a charge, {} records", options.preload),
                after.1,
                "bytes",
            );
            ratios.push(after.0 / before.0);
        }
        let claim = format!("{} records, {keys}: throughput, of empty", options.preload);
        report.judge_values(claim, &ratios, Target::AtLeast(bound));
    }
    on_large.stop().await?;
    sweep(world, options, report, &on_small, &small).await
}

/// Charges a second, and bytes of the log for each.
async fn side(
    world: &World,
    options: &Options,
    (process, url): (&Process, &str),
    make: Make,
) -> Result<(f64, f64)> {
    let log = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8";
    let load = Load {
        n_connections: N_CONNECTIONS,
        duration: options.duration,
        rate: None,
    };
    world.settle().await?;
    let before = number_from(url, log).await?;
    let sample = run(process.address, load, &make).await?;
    let written = number_from(url, log).await? - before;
    let n: u64 = sample.slots.iter().sum();
    Ok((
        sample.rate_of(&[201]),
        written / super::load::number(n.max(1)),
    ))
}

/// The foreground's p99 while expired records are deleted, against its p99 without that.
async fn sweep(
    world: &World,
    options: &Options,
    report: &mut Report,
    calm: &Process,
    url: &str,
) -> Result<()> {
    let n_expired = if options.is_quick {
        N_EXPIRED / 10
    } else {
        N_EXPIRED
    };
    let load = Load {
        n_connections: N_CONNECTIONS,
        duration: options.duration.max(Duration::from_secs(5)),
        rate: Some(500.0),
    };
    let make = new_charges("/charge");
    let before = run(calm.address, load, &make).await?.quantile_ms(0.99);
    execute(url, &records(n_expired, "-interval '1 hour'")).await?;
    execute(url, "VACUUM ANALYZE oncely.records").await?;
    world.settle().await?;
    let sweeping = world
        .serve(url, "api", &[("ONCELY_LEDGER__PRUNE_INTERVAL", "1s")])
        .await?;
    let left = "SELECT count(*)::float8 FROM oncely.records WHERE expires_at < now() - interval '30 minutes'";
    let n_before = number_from(url, left).await?;
    let during = run(sweeping.address, load, &make).await?.quantile_ms(0.99);
    let swept = n_before - number_from(url, left).await?;
    report.note("sweep: p99 without", before, "ms");
    report.note("sweep: p99 during", during, "ms");
    report.note("sweep: records deleted meanwhile", swept, "");
    report.judge_values(
        "Sweep: p99 of the foreground, of without".to_owned(),
        &[during / before],
        Target::AtMost(1.2),
    );
    sweeping.stop().await
}

/// Records with random identities, as old clients' keys make them.
fn records(n: u64, expires_in: &str) -> String {
    format!(
        "INSERT INTO oncely.records
            (tenant, id, operation, fingerprint, created_at, expires_at, state, completed_at,
             response_status, response_headers, response_body)
         SELECT 'demo', uuid_send(gen_random_uuid()), 'POST /charge', convert_to(repeat('f', 37), 'UTF8'),
            now() - interval '73 hours', now() + {expires_in}, 'completed', now() - interval '73 hours',
            201, convert_to(repeat('h', 90), 'UTF8'), convert_to(repeat('b', 240), 'UTF8')
         FROM generate_series(1, {n})"
    )
}
