//! The other answers that a charge may get: duplicates in flight, mismatches, random keys, a client of
//! ours in between, and more load than there is capacity.

use std::time::Duration;

use anyhow::Result;
use oncely::client::{Client, Deadline, Operation, provide_tls};
use tokio::time::Instant;

use super::contender::{Contender, alternate};
use super::load::{Load, run};
use super::options::Options;
use super::report::Report;
use super::requests::{
    TOKEN, mismatched_charges, new_charges, random_charges, repeated_charges, twin_charges,
};
use super::verdict::median;
use super::world::{Process, World};

/// Far more connections than the service takes requests at once.
const N_CROWD: usize = 600;

pub(crate) async fn measure(world: &World, options: &Options, report: &mut Report) -> Result<()> {
    let process = world.serve(&world.database_url, "api", &[]).await?;
    let contenders = [
        Contender::endpoint(
            "new charge, our client's keys",
            &process,
            new_charges("/charge"),
            world,
        ),
        Contender::endpoint(
            "new charge, random keys",
            &process,
            random_charges("/charge"),
            world,
        ),
        Contender::endpoint(
            "twins: one runs, one waits or replays",
            &process,
            twin_charges("/charge"),
            world,
        )
        .answering(&[201, 409]),
        Contender::endpoint("mismatch", &process, mismatched_charges("/charge"), world)
            .answering(&[422]),
    ];
    let connections: Vec<usize> = options
        .connections
        .iter()
        .copied()
        .filter(|it| 1 < *it)
        .collect();
    alternate(world, options, &connections, &contenders, report).await?;
    client(&process, report).await?;
    crowd(&process, options, report).await
}

/// What our own client adds to a request: the same replay through it and through a bare connection.
async fn client(process: &Process, report: &mut Report) -> Result<()> {
    const N: usize = 2000;
    provide_tls();
    let client = Client::builder().bearer_auth(TOKEN).build()?;
    let url = format!("http://{}/charge", process.address);
    let body = serde_json::json!({"amount": 4200, "currency": "USD", "source": "tok_visa"});
    let plain = reqwest::Client::builder().tls_certs_only([]).build()?;
    let (mut through_client, mut through_plain) = (Vec::new(), Vec::new());
    for _ in 0..N {
        let mut charge = Operation::post(&*url).json(&body)?;
        let from = Instant::now();
        let _done = client
            .run(&mut charge, Deadline::after(Duration::from_secs(5)))
            .await?;
        through_client.push(from.elapsed().as_secs_f64() * 1e6);
        let key = uuid::Uuid::now_v7().to_string();
        let from = Instant::now();
        let request = plain
            .post(&url)
            .bearer_auth(TOKEN)
            .header("idempotency-key", key);
        let _body = request.json(&body).send().await?.bytes().await?;
        through_plain.push(from.elapsed().as_secs_f64() * 1e6);
    }
    let (ours, plain) = (
        median(through_client.into_iter()),
        median(through_plain.into_iter()),
    );
    if let (Some(ours), Some(plain)) = (ours, plain) {
        report.note("new charge through our client, p50", ours, "µs");
        report.note("new charge through reqwest alone, p50", plain, "µs");
        report.note("what our client adds, p50", ours - plain, "µs");
    }
    Ok(())
}

/// Three times as many requests as the service can do: those that it takes keep their latency.
async fn crowd(process: &Process, options: &Options, report: &mut Report) -> Result<()> {
    let load = |n_connections, rate| Load {
        n_connections,
        duration: options.duration.max(Duration::from_secs(3)),
        rate,
    };
    let make = new_charges("/charge");
    let closed = run(process.address, load(64, None), &make).await?;
    let capacity = closed.rate_of(&[201]);
    let calm = run(process.address, load(64, Some(capacity * 0.8)), &make).await?;
    let crowd = run(process.address, load(N_CROWD, Some(capacity * 3.0)), &make).await?;
    report.note("capacity, new charges at 64 connections", capacity, "per s");
    report.note("at 0.8 of capacity: p99", calm.quantile_ms(0.99), "ms");
    report.note(
        "at 3 times capacity: charges made",
        crowd.rate_of(&[201]),
        "per s",
    );
    report.note(
        "at 3 times capacity: sheds (503)",
        crowd.rate_of(&[503]),
        "per s",
    );
    report.note(
        "at 3 times capacity: other answers",
        100.0 * crowd.share_of_others(&[201, 503]),
        "%",
    );
    // The queue is in the driver here: what counts is how long an accepted request takes by itself.
    let accepted = run(
        process.address,
        load(N_CROWD, None),
        &new_charges("/charge"),
    )
    .await?;
    report.note(
        format!("{N_CROWD} connections at once: p99 of all answers"),
        accepted.quantile_ms(0.99),
        "ms",
    );
    let replays = run(
        process.address,
        load(64, None),
        &repeated_charges("/charge", 100),
    )
    .await?;
    report.note("afterwards, replays", replays.rate_of(&[201]), "per s");
    Ok(())
}
