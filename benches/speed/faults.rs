//! Redis hangs, dies and comes back under load: throughput over time.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::load::{Load, SLOT, number, run};
use super::options::Options;
use super::report::Report;
use super::requests::new_charges;
use super::verdict::Target;
use super::world::World;

/// How many connections charge meanwhile.
const N_CONNECTIONS: usize = 8;

/// A request that took longer than this has waited for Redis: `hot.timeout` is 50 ms.
const SLOW_MS: u64 = 45;

#[derive(Debug, Clone, Copy)]
enum Fault {
    Hangs,
    Dies,
}

pub(crate) async fn measure(world: &World, options: &Options, report: &mut Report) -> Result<()> {
    let phase = options.duration.max(Duration::from_secs(3));
    for (fault, name) in [(Fault::Hangs, "Redis hangs"), (Fault::Dies, "Redis dies")] {
        let process = world.serve(&world.database_url, "api", &[]).await?;
        world.settle().await?;
        let load = Load {
            n_connections: N_CONNECTIONS,
            duration: phase * 3,
            rate: None,
        };
        let make = new_charges("/charge");
        let running = run(process.address, load, &make);
        let breaking = async {
            sleep(phase).await;
            match fault {
                Fault::Hangs => world.redis.pause()?,
                Fault::Dies => world.redis.kill()?,
            }
            sleep(phase).await;
            match fault {
                Fault::Hangs => world.redis.resume()?,
                Fault::Dies => tokio::task::block_in_place(|| world.redis.restart())?,
            }
            until_used(world, phase).await
        };
        let (sample, back) = tokio::join!(running, breaking);
        let (sample, back) = (sample?, back?);
        let rate = |from: f64, to: f64| {
            let slot = |at: f64| (phase.mul_f64(at).as_millis() / SLOT.as_millis()) as usize;
            let slots = sample.slots.get(slot(from)..slot(to)).unwrap_or_default();
            let n: u64 = slots.iter().sum();
            number(n) / (number(slots.len() as u64) * SLOT.as_secs_f64())
        };
        // Warm-up, and the moment until the breaker is open, are left out.
        let (healthy, broken) = (rate(0.3, 0.95), rate(1.35, 1.95));
        report.note(format!("{name}: charges before"), healthy, "per s");
        report.note(
            format!("{name}: charges once the breaker is open"),
            broken,
            "per s",
        );
        let slow = sample.latency.count_between(SLOW_MS * 1000, u64::MAX);
        report.note(
            format!("{name}: requests slower than {SLOW_MS} ms"),
            number(slow),
            "",
        );
        report.note(
            format!("{name}: answers other than 201"),
            100.0 * sample.share_of_others(&[201]),
            "%",
        );
        if let Some(back) = back {
            report.note(
                format!("{name}: in use again after"),
                back.as_secs_f64(),
                "s",
            );
        }
        report.judge_values(
            format!("{name}: throughput, of before"),
            &[broken / healthy],
            Target::AtLeast(0.9),
        );
        report.lines.push((name.to_owned(), sample.slots));
        process.stop().await?;
    }
    Ok(())
}

/// How long it takes until Redis gets keys again; `None` where it does not within `patience`.
async fn until_used(world: &World, patience: Duration) -> Result<Option<Duration>> {
    let client = redis::Client::open(world.redis.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let size = |connection: &redis::aio::MultiplexedConnection| {
        let mut connection = connection.clone();
        async move {
            redis::cmd("DBSIZE")
                .query_async::<u64>(&mut connection)
                .await
        }
    };
    let before = size(&connection).await?;
    let from = tokio::time::Instant::now();
    while from.elapsed() < patience {
        if before + 20 < size(&mut connection).await? {
            return Ok(Some(from.elapsed()));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(None)
}
