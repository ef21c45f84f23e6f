//! The rules that settings have to keep, alone and together.
//!
//! A rule stands here where breaking it would not fail at once but some bad night: a request that
//! is given up after its caller, a mark that is gone while the work still runs, a record that is
//! pruned before the last retry.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderName;

use super::duration::show;
use super::rules::{Broken, Rules};
use super::{Config, PLACEHOLDER, Problem, Role, Secret, Violation, Warning, keys};
use crate::domain::HeaderAllowList;

/// Postgres takes its timeouts in whole milliseconds, and 0 switches them off.
const LEAST: Duration = Duration::from_millis(1);

/// The most milliseconds that Postgres and the kernel take (`i32::MAX`), in whole days.
const MOST: Duration = Duration::from_hours(24 * 24);

/// A hundred years: dates beyond them overflow somewhere, and nobody means them.
const RETENTION_MOST: Duration = Duration::from_hours(100 * 365 * 24);

/// A question to Redis that takes longer than this is slower than the ledger itself.
const HOT_TIMEOUT_MOST: Duration = Duration::from_secs(1);

/// No proxy or load balancer keeps a silent connection for longer than this.
const WAIT_MOST: Duration = Duration::from_mins(5);
/// One deletion is one transaction: more of it holds its locks, and keeps standbys waiting, for longer.
pub(crate) const PRUNE_BATCH_MOST: u32 = 5_000;

/// A secret shorter than this can be guessed.
const SECRET_BYTES_MIN: usize = 16;

impl Config {
    /// Every broken rule.
    pub fn validate(&self) -> Vec<Violation> {
        self.check().into_iter().map(|it| it.violation).collect()
    }

    /// What `serve` needs beyond valid settings and does not have.
    pub fn required_for_serve(&self) -> Vec<Violation> {
        let missing = |key: &str, example: &str| Violation {
            key: key.to_owned(),
            value: None,
            origin: None,
            problem: Problem::Missing,
            rule: "is not set, and `oncely serve` needs it".to_owned(),
            fix: Some(format!(
                "set it in the file, or {}={example}",
                keys::variable_of(key)
            )),
        };
        let mut violations = Vec::new();
        if self.database_url.is_none() {
            let example = "postgres://oncely:password@127.0.0.1:5432/oncely";
            violations.push(missing("database_url", example));
        }
        if self.redis_url.is_none() {
            violations.push(missing("redis_url", "redis://127.0.0.1:6379/0"));
        }
        if self.roles.contains(&Role::Api) && self.auth.tokens.is_empty() {
            violations.push(missing(keys::AUTH_TOKENS, "demo:a-long-random-token"));
        }
        if self.ledger.allow_unsafe_durability {
            let rule = "is not for `oncely serve`: a crash of Postgres may forget confirmed \
                        operations, which then run again";
            let fix = "set it to false; to try things out, use \
                       `oncely dev --allow-unsafe-durability`";
            let key = "ledger.allow_unsafe_durability";
            violations.push(Violation::of_rule(
                key,
                true,
                rule.to_owned(),
                fix.to_owned(),
            ));
        }
        violations
    }

    /// What is allowed and still worth a thought before serving.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let secret = &self.idempotency.fingerprint_secret;
        let key = "idempotency.fingerprint_secret";
        let fix =
            "set ONCELY_IDEMPOTENCY__FINGERPRINT_SECRET to what `openssl rand -hex 32` prints";
        if secret.is_empty() {
            let risk = "empty: whoever reads the ledger can guess small bodies by trying them";
            warnings.push(Warning { key, risk, fix });
        } else if secret.expose().len() < SECRET_BYTES_MIN {
            let risk = "shorter than 16 bytes: it can be guessed";
            warnings.push(Warning { key, risk, fix });
        }
        if self.hot.replay_when_ledger_down {
            warnings.push(Warning {
                key: "hot.replay_when_ledger_down",
                risk: "after a failover that lost commits, a replay may answer for a lost operation",
                fix: "set it to false, or make the standby synchronous",
            });
        }
        warnings
    }

    pub(super) fn check(&self) -> Vec<Broken> {
        let mut rules = Rules::default();
        self.check_durations(&mut rules);
        self.check_relations(&mut rules);
        self.check_counts(&mut rules);
        self.check_places(&mut rules);
        self.check_answers(&mut rules);
        self.check_messages(&mut rules);
        self.check_leases(&mut rules);
        rules.0
    }

    /// No timeout is zero, and none is more than its receiver takes.
    fn check_durations(&self, rules: &mut Rules) {
        let (http, hot, ledger) = (&self.http, &self.hot, &self.ledger);
        let durations = [
            ("http.request_timeout", http.request_timeout),
            ("http.drain_timeout", http.drain_timeout),
            ("hot.timeout", hot.timeout),
            ("hot.connect_timeout", hot.connect_timeout),
            ("hot.latch_ttl", hot.latch_ttl),
            ("hot.breaker_pause", hot.breaker_pause),
            ("ledger.insert_wait_timeout", ledger.insert_wait_timeout),
            ("ledger.acquire_timeout", ledger.acquire_timeout),
            ("ledger.operation_timeout", ledger.operation_timeout),
            ("ledger.statement_timeout", ledger.statement_timeout),
            (
                "ledger.idle_in_transaction_timeout",
                ledger.idle_in_transaction_timeout,
            ),
            (
                "ledger.client_connection_check_interval",
                ledger.client_connection_check_interval,
            ),
            ("ledger.tcp_user_timeout", ledger.tcp_user_timeout),
            ("ledger.epoch_interval", ledger.epoch_interval),
            ("ledger.epoch_max_age", ledger.epoch_max_age),
            ("ledger.prune_interval", ledger.prune_interval),
            ("ledger.prune_grace", ledger.prune_grace),
            ("ledger.startup_timeout", ledger.startup_timeout),
        ];
        for of in durations {
            rules.between(of, LEAST, MOST);
        }
        let idempotency = &self.idempotency;
        for of in [
            ("idempotency.retention", idempotency.retention),
            (
                "idempotency.client_retry_window",
                idempotency.client_retry_window,
            ),
            ("hot.retention", hot.retention),
        ] {
            rules.between(of, LEAST, RETENTION_MOST);
        }
        // Zero is allowed: then nobody waits.
        let wait = ("idempotency.max_wait", idempotency.max_wait);
        rules.between(wait, Duration::ZERO, WAIT_MOST);
        // Zero is allowed: then every mark is only a hint.
        rules.between(("hot.trust_window", hot.trust_window), Duration::ZERO, MOST);
    }

    /// What ends first does end first.
    fn check_relations(&self, rules: &mut Rules) {
        let (http, hot, ledger) = (&self.http, &self.hot, &self.ledger);
        let operation = ("ledger.operation_timeout", ledger.operation_timeout);
        let request = ("http.request_timeout", http.request_timeout);
        let latch = ("hot.latch_ttl", hot.latch_ttl);
        let question = ("hot.timeout", hot.timeout);
        let retention = ("idempotency.retention", self.idempotency.retention);
        let window = self.idempotency.client_retry_window;

        rules.at_most(
            ("ledger.epoch_interval", ledger.epoch_interval),
            ("ledger.epoch_max_age", ledger.epoch_max_age),
        );
        rules.below(
            ("ledger.acquire_timeout", ledger.acquire_timeout),
            operation,
        );
        rules.below(
            ("ledger.insert_wait_timeout", ledger.insert_wait_timeout),
            operation,
        );
        rules.at_most(
            ("ledger.statement_timeout", ledger.statement_timeout),
            operation,
        );
        rules.below(operation, request);
        rules.at_most(request, ("http.drain_timeout", http.drain_timeout));
        rules.below(question, operation);
        if HOT_TIMEOUT_MOST < hot.timeout {
            rules.between(question, LEAST, HOT_TIMEOUT_MOST);
        }
        rules.at_most(("hot.retention", hot.retention), retention);
        rules.below(("idempotency.client_retry_window", window), retention);
        rules.at_most(("hot.trust_window", hot.trust_window), latch);
        rules.at_most(operation, latch);

        let twice = http.request_timeout.saturating_mul(2);
        if ledger.prune_grace < twice {
            let grace = show(ledger.prune_grace);
            let once = show(http.request_timeout);
            let rule = format!("must be at least twice `http.request_timeout`, which is {once}");
            let fix = "raise `ledger.prune_grace` or lower `http.request_timeout`".to_owned();
            rules.pair(("ledger.prune_grace", grace), request.0, rule, fix);
        }
    }

    fn check_counts(&self, rules: &mut Rules) {
        let wide = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
        let (idempotency, hot, ledger) = (&self.idempotency, &self.hot, &self.ledger);
        rules.positive(("http.body_limit_bytes", wide(self.http.body_limit_bytes)));
        rules.positive((
            "idempotency.response_limit_bytes",
            wide(idempotency.response_limit_bytes),
        ));
        rules.positive(("hot.connections", wide(hot.connections)));
        rules.positive(("hot.breaker_failures", u64::from(hot.breaker_failures)));
        rules.positive(("ledger.pool_size", u64::from(ledger.pool_size)));
        rules.positive(("ledger.prune_batch", u64::from(ledger.prune_batch)));
        if PRUNE_BATCH_MOST < ledger.prune_batch {
            let rule = format!("must be at most {PRUNE_BATCH_MOST}");
            rules.rule("ledger.prune_batch", ledger.prune_batch, rule, "lower it");
        }
        let limit = idempotency.response_limit_bytes;
        if limit < hot.answer_limit_bytes {
            let other = "idempotency.response_limit_bytes";
            let rule = format!("must be at most `{other}`, which is {limit}");
            let value = hot.answer_limit_bytes.to_string();
            let fix = format!("lower `hot.answer_limit_bytes` or raise `{other}`");
            rules.pair(("hot.answer_limit_bytes", value), other, rule, fix);
        }
    }

    fn check_places(&self, rules: &mut Rules) {
        let urls: [(_, &Option<Secret>, &[&str]); 2] = [
            (
                "database_url",
                &self.database_url,
                &["postgres://", "postgresql://"],
            ),
            (
                "redis_url",
                &self.redis_url,
                // `rediss://` needs TLS, which no build has yet.
                &["redis://", "redis+unix://", "unix://"],
            ),
        ];
        for (key, url, schemes) in urls {
            let Some(url) = url else { continue };
            if !schemes.iter().any(|it| url.expose().starts_with(it)) {
                let rule = format!("must begin with {}", schemes.join(" or "));
                rules.rule(key, PLACEHOLDER, rule, "write it as a URL");
            }
        }
        let (api, admin) = (self.http_addr, self.admin_addr);
        let overlaps =
            api.ip() == admin.ip() || api.ip().is_unspecified() || admin.ip().is_unspecified();
        if api.port() != 0 && api.port() == admin.port() && overlaps {
            let rule = format!("must not take the port of `http_addr`, which is {api}");
            let fix = "take another port, or 0 for a free one".to_owned();
            rules.pair(("admin_addr", admin.to_string()), "http_addr", rule, fix);
        }
        let prefix = &self.hot.key_prefix;
        if prefix.is_empty() || !prefix.bytes().all(|it| it.is_ascii_graphic()) {
            let rule = "must be printable ASCII without spaces, and not empty".to_owned();
            rules.rule(
                "hot.key_prefix",
                format!("{prefix:?}"),
                rule,
                "take `oncely:`",
            );
        }
        if self.log.filter.trim().is_empty() {
            let rule = "must not be empty".to_owned();
            rules.rule(
                "log.filter",
                "\"\"",
                rule,
                "take `info`, or `off` for silence",
            );
        }
    }

    fn check_answers(&self, rules: &mut Rules) {
        let status = self.idempotency.mismatch_status;
        if !matches!(status, 409 | 422) {
            let rule = "must be 422 or 409".to_owned();
            rules.rule("idempotency.mismatch_status", status, rule, "take 422");
        }
        for name in &self.idempotency.replay_headers {
            let refused = match HeaderName::from_bytes(name.as_bytes()) {
                Ok(header) => HeaderAllowList::with([header])
                    .err()
                    .map(|it| it.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(why) = refused {
                let rule = format!("must name headers that can be replayed: {why}");
                rules.rule(
                    "idempotency.replay_headers",
                    format!("{name:?}"),
                    rule,
                    "remove it",
                );
            }
        }
        let mut owners = BTreeMap::new();
        for (tenant, tokens) in &self.auth.tokens {
            for token in tokens {
                let owner = *owners.entry(token).or_insert(tenant);
                if owner != tenant {
                    let rule = format!("must not give `{owner}` and `{tenant}` the same token");
                    rules.rule(keys::AUTH_TOKENS, PLACEHOLDER, rule, "give each its own");
                }
            }
        }
    }
}
