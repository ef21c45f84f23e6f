//! Events: what the relay publishes, what consumers apply, and how long an event is on its way.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

use super::load::{Load, number, run};
use super::options::Options;
use super::report::Report;
use super::requests::new_charges;
use super::verdict::Target;
use super::world::{World, execute, number_from};

/// How many events wait for the relay; a short run has a tenth.
const N_EVENTS: u64 = 200_000;

/// Charges a second while the lag is measured.
const CHARGES_PER_SECOND: f64 = 500.0;

/// How many consumers each event has.
const N_CONSUMERS: u64 = 3;

/// How long a backlog may take.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) async fn measure(world: &World, options: &Options, report: &mut Report) -> Result<()> {
    let n_events = if options.is_quick {
        N_EVENTS / 10
    } else {
        N_EVENTS
    };
    let url = world.create("messages").await?;
    execute(&url, &backlog(n_events)).await?;
    execute(&url, "VACUUM ANALYZE").await?;
    world.settle().await?;
    let unbounded = [
        ("ONCELY_OUTBOX__RATE_MAX", "1000000"),
        ("ONCELY_OUTBOX__BATCH", "1000"),
        ("ONCELY_BROKER__KEY_PREFIX", "bench-backlog:"),
    ];
    let relay = world.serve(&url, "relay", &unbounded).await?;
    let pending = "SELECT count(*)::float8 FROM oncely.outbox_pending";
    let seconds = time_until(&url, pending, |left| left == 0.0).await?;
    report.note(
        "relay: events published",
        number(n_events) / seconds,
        "per s",
    );
    report.judge_values(
        "Relay, events a second".to_owned(),
        &[number(n_events) / seconds],
        Target::AtLeast(40_000.0),
    );
    relay.stop().await?;

    let wide = [
        ("ONCELY_INBOX__BATCH", "500"),
        ("ONCELY_BROKER__KEY_PREFIX", "bench-backlog:"),
    ];
    let consumers = world.serve(&url, "consumer", &wide).await?;
    let applied = "SELECT count(*)::float8 FROM oncely.inbox WHERE state = 'done'";
    let n_effects = n_events * N_CONSUMERS;
    let seconds = time_until(&url, applied, |done| number(n_effects) <= done).await?;
    report.note(
        "three consumers: effects applied",
        number(n_effects) / seconds,
        "per s",
    );
    report.judge_values(
        "Consumers, effects a second".to_owned(),
        &[number(n_effects) / seconds],
        Target::AtLeast(30_000.0),
    );
    consumers.stop().await?;
    lag(world, options, report).await
}

/// From a charge's transaction to the transaction that posts it to the journal, by the database's clock.
async fn lag(world: &World, options: &Options, report: &mut Report) -> Result<()> {
    let url = world.create("lag").await?;
    let all = [("ONCELY_BROKER__KEY_PREFIX", "bench-lag:")];
    let process = world.serve(&url, "api,relay,consumer", &all).await?;
    sleep(Duration::from_secs(2)).await;
    let load = Load {
        n_connections: 16,
        duration: options.duration.max(Duration::from_secs(5)),
        rate: Some(CHARGES_PER_SECOND),
    };
    let sample = run(process.address, load, &new_charges("/charge")).await?;
    let left = "SELECT count(*)::float8 FROM public.charges c WHERE NOT EXISTS (
        SELECT FROM public.journal_entries j WHERE j.tenant = c.tenant AND j.charge_id = c.id)";
    time_until(&url, left, |left| left == 0.0).await?;
    let quantile = |share: f64| {
        format!(
            "SELECT percentile_cont({share}) WITHIN GROUP (ORDER BY
                extract(epoch FROM j.created_at - c.created_at)::float8 * 1000)
             FROM public.charges c JOIN public.journal_entries j
                ON j.tenant = c.tenant AND j.charge_id = c.id AND j.direction = 'debit'
             WHERE (SELECT min(created_at) FROM public.charges) + interval '1 second' < c.created_at"
        )
    };
    report.note(
        "lag: charges a second meanwhile",
        sample.rate_of(&[201]),
        "per s",
    );
    for (share, bound) in [(0.5, 10.0), (0.99, 40.0)] {
        let ms = number_from(&url, &quantile(share)).await?;
        report.judge_values(
            format!("Charge to effect applied, quantile {share}, ms"),
            &[ms],
            Target::AtMost(bound),
        );
        report.note(format!("lag: quantile {share}"), ms, "ms");
    }
    process.stop().await
}

/// Events of charges that nobody has published yet, as the service writes them.
fn backlog(n_events: u64) -> String {
    format!(
        "INSERT INTO oncely.outbox_aggregate (tenant, kind, id, topic, seq, last)
         SELECT 'demo', 'charge', 'ch_' || n, 'charge.succeeded', 1, minted.id
         FROM generate_series(1, {n_events}) n, LATERAL (
            SELECT encode(
                substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                || substring(uuid_send(md5(n::text)::uuid) FROM 7), 'hex')::uuid AS id) minted;
         INSERT INTO oncely.outbox_event
            (id, tenant, position, shard, kind, aggregate, seq, topic, headers, payload)
         SELECT last, tenant, nextval('oncely.outbox_position'), abs(hashtext(id)) % 16, kind, id, 1, topic,
            '{{\"content-type\": \"application/json\"}}',
            convert_to('{{\"charge_id\":\"' || id || '\",\"amount\":4200,\"currency\":\"USD\",\"sku\":\"sku-'
                || abs(hashtext(id)) % 100 || '\",\"quantity\":1}}', 'UTF8')
         FROM oncely.outbox_aggregate;
         INSERT INTO oncely.outbox_pending (shard, position, tenant, id, seq, aggregate_hash)
         SELECT shard, position, tenant, id, seq, hashtextextended(aggregate, 0) FROM oncely.outbox_event;
         INSERT INTO public.inventory (tenant, sku, available)
         SELECT 'demo', 'sku-' || n, 1000000 FROM generate_series(0, 99) n"
    )
}

async fn time_until(
    url: &str,
    statement: &str,
    is_so: impl Fn(f64) -> bool + Send + Sync,
) -> Result<f64> {
    let from = Instant::now();
    while !is_so(number_from(url, statement).await?) {
        ensure!(from.elapsed() < PATIENCE, "not done in time: {statement}");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(from.elapsed().as_secs_f64())
}
