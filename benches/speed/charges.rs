//! The charge: new keys against pgbench, against the same handler
//! without Oncely, and replays against bare axum and Redis.

use anyhow::Result;

use super::bare;
use super::contender::{Contender, alternate};
use super::load::{Load, run};
use super::options::Options;
use super::report::Report;
use super::requests::{new_charges, repeated_charges};
use super::statements;
use super::verdict::{Target, rates};
use super::world::World;

const NOTHING: &str = "bare axum POST";
const TX3: &str = "pgbench, 3 statements, 1 tx";
const CTE: &str = "pgbench, 1 statement";
const SET: &str = "redis-benchmark SET NX GET";
const GET: &str = "redis-benchmark GET";
const HANDLER: &str = "charge without idempotency";
const ONE: &str = "new charge";
const REPLAY: &str = "replay from Redis";
const LEDGER_REPLAY: &str = "replay from Postgres";
const ORDER: &str = "own handler, no layer";
const GUARDED: &str = "own handler, in the layer";

/// How many answers are replayed in turn.
const N_REPLAYED: u64 = 1000;

pub(crate) async fn measure(world: &World, options: &Options, report: &mut Report) -> Result<()> {
    world.execute(bare::TABLES).await?;
    let url = &world.database_url;
    let one = world.serve(url, "api", &[]).await?;
    // An answer of no byte is kept out of Redis, so its replays come from the ledger.
    let ledger_only = [
        ("ONCELY_HOT__ANSWER_LIMIT_BYTES", "0"),
        ("ONCELY_HOT__KEY_PREFIX", "bench-empty:"),
    ];
    let no_redis = world.serve(url, "api", &ledger_only).await?;
    let bare = world.serve_bare().await?;
    let replayed = repeated_charges("/charge", N_REPLAYED);
    for process in [&one, &no_redis] {
        let load = Load {
            n_connections: 4,
            duration: std::time::Duration::from_secs(3),
            rate: None,
        };
        run(process.address, load, &replayed).await?;
    }
    let new = || new_charges("/charge");
    let contenders = [
        Contender::endpoint(NOTHING, &bare, new_charges("/nothing"), world),
        Contender::redis(
            SET,
            &[
                "SET",
                "key:__rand_int__",
                &"v".repeat(90),
                "NX",
                "GET",
                "PX",
                "60000",
            ],
        ),
        Contender::redis(GET, &["GET", "key:__rand_int__"]),
        Contender::endpoint(REPLAY, &one, replayed.clone(), world),
        Contender::endpoint(LEDGER_REPLAY, &no_redis, replayed, world),
        Contender::pgbench(
            TX3,
            world.script("tx3.sql", &statements::three_in_a_transaction())?,
        ),
        Contender::pgbench(CTE, world.script("cte.sql", &statements::one_statement())?),
        Contender::endpoint(HANDLER, &bare, new(), world),
        Contender::endpoint(ONE, &one, new(), world),
        Contender::endpoint(ORDER, &bare, new_charges("/order"), world),
        Contender::endpoint(GUARDED, &bare, new_charges("/guarded/order"), world),
    ];
    alternate(world, options, &options.connections, &contenders, report).await?;
    judge(report);
    Ok(())
}

fn judge(report: &mut Report) {
    let at_least = Target::AtLeast;
    report.judge(
        "New charge, of pgbench's three statements",
        8,
        (ONE, TX3),
        rates,
        at_least(0.8),
    );
    report.judge(
        "New charge: p50 over the bare handler, ms",
        1,
        (ONE, HANDLER),
        |our, their| our.p50_ms - their.p50_ms,
        Target::AtMost(0.2),
    );
    for n in [8, 32] {
        report.judge(
            "Own handler in the layer, of the same without it",
            n,
            (GUARDED, ORDER),
            rates,
            at_least(0.8),
        );
    }
    for n in [32, 64] {
        report.judge(
            "Replay from Redis, of bare axum",
            n,
            (REPLAY, NOTHING),
            rates,
            at_least(0.65),
        );
    }
    for n in [1, 8] {
        let get: Vec<f64> = report.points(GET, n).iter().map(|it| it.p50_ms).collect();
        let nothing: Vec<f64> = report
            .points(NOTHING, n)
            .iter()
            .map(|it| it.p50_ms)
            .collect();
        let replays = report.points(REPLAY, n).iter().zip(nothing).zip(get);
        let values: Vec<f64> = replays
            .map(|((it, nothing), get)| it.p50_ms / (nothing + get))
            .collect();
        let claim = format!(
            "Replay from Redis: its p50 of bare axum's and one GET's together, {n} connections"
        );
        report.judge_values(claim, &values, Target::AtMost(1.3));
    }
}
