//! The rules of leased operations: a lease outlives what is done under it, and is renewed in time;
//! and what an attempt asks of others ends before it does.

use std::time::Duration;

use super::duration::show;
use super::rules::Rules;
use super::{Config, PLACEHOLDER, Secret};

/// Shorter than this, a time-out is shorter than a round trip.
const LEAST: Duration = Duration::from_millis(1);

/// A longer lease would be a crash that nobody notices.
const MOST: Duration = Duration::from_hours(24);

/// A lease must survive this many renewals that fail.
const RENEWALS: u32 = 3;

/// Asked more often, a sick service only gets sicker.
const ATTEMPTS_MOST: u32 = 4;

impl Config {
    pub(super) fn check_leases(&self, rules: &mut Rules) {
        let (ledger, processor) = (&self.ledger, &self.processor);
        let operation = ("ledger.operation_timeout", ledger.operation_timeout);
        for of in [
            ("ledger.lease", ledger.lease),
            ("ledger.lease_renew_interval", ledger.lease_renew_interval),
            ("ledger.rescue_interval", ledger.rescue_interval),
            ("processor.timeout", processor.timeout),
            ("tax.timeout", self.tax.timeout),
        ] {
            rules.between(of, LEAST, MOST);
        }
        rules.below(operation, ("ledger.lease", ledger.lease));
        let renew = ledger.lease_renew_interval;
        if ledger.lease < renew.saturating_mul(RENEWALS) {
            let lease = show(ledger.lease);
            let rule = format!("must be at most a third of `ledger.lease`, which is {lease}");
            let fix = "lower `ledger.lease_renew_interval` or raise `ledger.lease`".to_owned();
            let key = "ledger.lease_renew_interval";
            rules.pair((key, show(renew)), "ledger.lease", rule, fix);
        }
        if let Some(url) = &processor.url {
            rules.below(("processor.timeout", processor.timeout), operation);
            check_url(rules, "processor.url", url);
        }
        self.check_tax(rules);
    }
    /// All tries end before the attempt that makes them.
    fn check_tax(&self, rules: &mut Rules) {
        let (tax, attempts) = (&self.tax, self.tax.attempts_max);
        if !(1..=ATTEMPTS_MOST).contains(&attempts) {
            let rule = format!("must be 1 to {ATTEMPTS_MOST}");
            rules.rule("tax.attempts_max", attempts, rule, "take 4");
            return;
        }
        let Some(url) = &tax.url else { return };
        check_url(rules, "tax.url", url);
        let (patience, other) = (tax.patience(), "ledger.operation_timeout");
        if self.ledger.operation_timeout <= patience {
            let (patience, limit) = (show(patience), show(self.ledger.operation_timeout));
            let rule = format!(
                "makes {attempts} tries take up to {patience}, which must be less than `{other}`, \
                 which is {limit}"
            );
            let fix = format!("lower `tax.timeout` or `tax.attempts_max`, or raise `{other}`");
            rules.pair(("tax.timeout", show(tax.timeout)), other, rule, fix);
        }
    }
}

fn check_url(rules: &mut Rules, key: &'static str, url: &Secret) {
    if !url.expose().starts_with("http://") {
        // `https://` needs TLS, which no build has yet.
        let rule = "must begin with http://".to_owned();
        rules.rule(key, PLACEHOLDER, rule, "write it as a URL");
    }
}
