//! What waits: events, dead letters, leased operations, and records that should be gone.

use super::anchor;
use super::report::Check;
use crate::cli::table::age;
use crate::ledger::{self, Ledger, Survey};
use crate::outbox::inspect::{self, Status};

/// A relay polls several times a second; an event that waits so long waits for something.
const LAG_MAX: f64 = 10.0;

/// Nobody who waits so long for a receipt believes that it comes.
const LAG_BAD: f64 = 300.0;

pub(super) async fn gather(ledger: &Ledger) -> Result<(Status, Survey), ledger::Error> {
    Ok((inspect::status(ledger).await?, ledger.survey().await?))
}

pub(super) fn judge(status: &Status, survey: &Survey) -> Vec<Check> {
    vec![
        judge_lag(status),
        judge_relay(status),
        judge_refused(status),
        judge_dead(status),
        judge_unknown(survey),
        judge_abandoned(survey),
        judge_expired(survey),
    ]
}

fn judge_lag(status: &Status) -> Check {
    let name = "outbox-lag";
    let Some(lag) = status.lag_seconds else {
        return Check::good(name, "nothing is pending");
    };
    let found = format!(
        "{} events are pending, the oldest for {}",
        status.pending,
        age(lag)
    );
    let hint = "look who relays, and whether the broker answers: `oncely outbox status`";
    let check = if LAG_BAD < lag {
        Check::error(name, found, hint)
    } else if LAG_MAX < lag {
        Check::warning(name, found, hint)
    } else {
        Check::good(name, found)
    };
    check.see(anchor::OUTBOX_LAG)
}

fn judge_relay(status: &Status) -> Check {
    let name = "relay";
    let free = status.shards.iter().filter(|it| it.lease_seconds.is_none());
    let (n_free, n) = (free.count(), status.shards.len());
    let hint = "start `oncely relay`, or `oncely serve` with the role relay";
    let check = match n_free {
        0 => Check::good(name, format!("all {n} shards have somebody")),
        _ if n_free == n && 0 < status.pending => {
            Check::error(name, "nobody relays, and events are pending", hint)
        }
        _ if n_free == n => Check::warning(name, "nobody relays", hint),
        _ => Check::warning(name, format!("{n_free} of {n} shards have nobody"), hint),
    };
    check.see(anchor::RELAY_SILENT)
}

fn judge_refused(status: &Status) -> Check {
    let name = "refused-events";
    if status.refused == 0 {
        return Check::good(name, "none");
    }
    let found = format!("the broker has refused {} of them", status.refused);
    let hint = "`oncely outbox list --pending`, then `oncely outbox show ID` says why";
    Check::warning(name, found, hint).see(anchor::OUTBOX_LAG)
}

fn judge_dead(status: &Status) -> Check {
    let name = "dead-letters";
    let dead: i64 = status.consumers.iter().map(|it| it.dead).sum();
    if dead == 0 {
        return Check::good(name, "none");
    }
    let found = format!("{dead} that nobody has dealt with: effects that did not happen");
    let hint = "`oncely dlq list`, then redrive or discard them";
    Check::warning(name, found, hint).see(anchor::DEAD_LETTERS)
}

fn judge_unknown(survey: &Survey) -> Check {
    let name = "unknown-outcomes";
    if survey.unknown == 0 {
        return Check::good(name, "none");
    }
    let since = survey.unknown_seconds.map_or_else(String::new, age);
    let found = format!(
        "{} calls were sent and not answered, the oldest {since} ago: their clients wait for you",
        survey.unknown
    );
    let hint = "`oncely key list`, look into the other side's books, then `oncely key resolve`";
    Check::warning(name, found, hint).see(anchor::IN_FLIGHT)
}

fn judge_abandoned(survey: &Survey) -> Check {
    let name = "leases";
    if survey.abandoned == 0 {
        return Check::good(name, format!("{} under way, none abandoned", survey.leased));
    }
    let found = format!(
        "{} operations are abandoned, and nobody takes them up",
        survey.abandoned
    );
    let hint =
        "start a process with the role api: it rescues; `oncely key list --unfinished` shows them";
    Check::warning(name, found, hint).see(anchor::IN_FLIGHT)
}

fn judge_expired(survey: &Survey) -> Check {
    let name = "sweeper";
    let mib = survey.bytes / (1 << 20);
    let size = format!("about {} records in {mib} MiB", survey.records_estimate);
    if survey.expired == 0 {
        return Check::good(name, format!("nothing is overdue; {size}"));
    }
    let found = format!("{} records or more should be gone; {size}", survey.expired);
    let hint = "a process with the role api sweeps each `ledger.prune_interval`; `oncely prune` \
                does it now";
    Check::warning(name, found, hint).see(anchor::GROWTH)
}
