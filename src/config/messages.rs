//! The rules of the sections `[broker]`, `[outbox]` and `[inbox]`: what ends first does end first, and
//! what is forgotten last is not asked for any more.

use std::time::Duration;

use super::rules::Rules;
use super::{Config, PLACEHOLDER};

/// Shorter than this, a time-out is shorter than a round trip.
const LEAST: Duration = Duration::from_millis(1);

/// A lease is renewed at a third of it, and a busy machine may be late by a second.
const LEASE_LEAST: Duration = Duration::from_millis(500);

/// Longer than this nobody means.
const MOST: Duration = Duration::from_hours(24 * 24);

/// What is kept may be kept for years.
const RETENTION_MOST: Duration = Duration::from_hours(100 * 365 * 24);

/// Fewer than this makes more partitions than Postgres plans quickly with.
const SPAN_LEAST: Duration = Duration::from_mins(1);

/// A batch is one transaction and one pipeline; more of it only makes a crash repeat more.
const BATCH_MOST: u32 = 10_000;

impl Config {
    pub(super) fn check_messages(&self, rules: &mut Rules) {
        self.check_message_durations(rules);
        self.check_message_relations(rules);
        self.check_message_counts(rules);
        let (broker, prefix) = (&self.broker, &self.broker.key_prefix);
        if let Some(url) = &broker.url {
            let schemes = ["redis://", "redis+unix://", "unix://"];
            if !schemes.iter().any(|it| url.expose().starts_with(it)) {
                let rule = format!("must begin with {}", schemes.join(" or "));
                rules.rule("broker.url", PLACEHOLDER, rule, "write it as a URL");
            }
        }
        if prefix.is_empty() || !prefix.bytes().all(|it| it.is_ascii_graphic()) {
            let rule = "must be printable ASCII without spaces, and not empty".to_owned();
            let shown = format!("{prefix:?}");
            rules.rule("broker.key_prefix", shown, rule, "take `oncely:`");
        }
        if self.roles.is_empty() {
            let rule = "must name at least one of api, relay and consumer".to_owned();
            rules.rule("roles", "[]", rule, "leave it out for all three");
        }
    }

    fn check_message_durations(&self, rules: &mut Rules) {
        let (broker, outbox, inbox) = (&self.broker, &self.outbox, &self.inbox);
        for of in [
            ("broker.timeout", broker.timeout),
            ("broker.connect_timeout", broker.connect_timeout),
            ("broker.breaker_pause", broker.breaker_pause),
            ("broker.keep", broker.keep),
            ("outbox.poll_min", outbox.poll_min),
            ("outbox.poll_max", outbox.poll_max),
            ("outbox.full_scan_interval", outbox.full_scan_interval),
            ("outbox.reconcile_after", outbox.reconcile_after),
            ("outbox.reconcile_interval", outbox.reconcile_interval),
            ("outbox.epoch_interval", outbox.epoch_interval),
            ("inbox.handler_timeout", inbox.handler_timeout),
            ("inbox.redeliver_after", inbox.redeliver_after),
            ("inbox.backoff_base", inbox.backoff_base),
            ("inbox.backoff_max", inbox.backoff_max),
            ("inbox.gap_timeout", inbox.gap_timeout),
        ] {
            rules.between(of, LEAST, MOST);
        }
        rules.between(("outbox.lease", outbox.lease), LEASE_LEAST, MOST);
        for of in [
            ("outbox.retention", outbox.retention),
            ("inbox.retention", inbox.retention),
        ] {
            rules.between(of, LEAST, RETENTION_MOST);
        }
        for of in [
            ("outbox.partition_span", outbox.partition_span),
            ("inbox.partition_span", inbox.partition_span),
        ] {
            rules.between(of, SPAN_LEAST, MOST);
        }
    }

    fn check_message_relations(&self, rules: &mut Rules) {
        let (broker, outbox, inbox) = (&self.broker, &self.outbox, &self.inbox);
        let lease = ("outbox.lease", outbox.lease);
        rules.below(("broker.timeout", broker.timeout), lease);
        rules.at_most(
            ("outbox.poll_min", outbox.poll_min),
            ("outbox.poll_max", outbox.poll_max),
        );
        // An event's id is as old as its statement, and visible only after its COMMIT.
        rules.below(
            ("ledger.operation_timeout", self.ledger.operation_timeout),
            ("outbox.reconcile_after", outbox.reconcile_after),
        );
        rules.below(
            ("inbox.handler_timeout", inbox.handler_timeout),
            ("inbox.redeliver_after", inbox.redeliver_after),
        );
        rules.at_most(
            ("inbox.backoff_base", inbox.backoff_base),
            ("inbox.backoff_max", inbox.backoff_max),
        );
        rules.below(
            ("outbox.retention", outbox.retention),
            ("inbox.retention", inbox.retention),
        );
    }

    fn check_message_counts(&self, rules: &mut Rules) {
        let (outbox, inbox) = (&self.outbox, &self.inbox);
        for (key, count) in [
            ("broker.breaker_failures", self.broker.breaker_failures),
            ("outbox.pool_size", outbox.pool_size),
            ("outbox.batch", outbox.batch),
            ("outbox.rate_max", outbox.rate_max),
            ("outbox.attempts_max", outbox.attempts_max),
            ("inbox.pool_size", inbox.pool_size),
            ("inbox.batch", inbox.batch),
            ("inbox.attempts_max", inbox.attempts_max),
        ] {
            rules.positive((key, u64::from(count)));
        }
        for (key, count) in [("outbox.batch", outbox.batch), ("inbox.batch", inbox.batch)] {
            if BATCH_MOST < count {
                let rule = format!("must be at most {BATCH_MOST}");
                rules.rule(key, count, rule, "lower it");
            }
        }
        // The table counts them in a smallint.
        let most = u32::from(i16::MAX.unsigned_abs());
        for (key, count) in [
            ("outbox.attempts_max", outbox.attempts_max),
            ("inbox.attempts_max", inbox.attempts_max),
        ] {
            if most < count {
                rules.rule(key, count, format!("must be at most {most}"), "lower it");
            }
        }
    }
}
