//! The rules of leased operations: a lease outlives what is done under it, and is renewed in time.

use std::time::Duration;

use super::duration::show;
use super::rules::Rules;
use super::{Config, PLACEHOLDER};

/// Shorter than this, a time-out is shorter than a round trip.
const LEAST: Duration = Duration::from_millis(1);

/// A longer lease would be a crash that nobody notices.
const MOST: Duration = Duration::from_hours(24);

/// A lease must survive this many renewals that fail.
const RENEWALS: u32 = 3;

impl Config {
    pub(super) fn check_leases(&self, rules: &mut Rules) {
        let (ledger, processor) = (&self.ledger, &self.processor);
        let operation = ("ledger.operation_timeout", ledger.operation_timeout);
        for of in [
            ("ledger.lease", ledger.lease),
            ("ledger.lease_renew_interval", ledger.lease_renew_interval),
            ("ledger.rescue_interval", ledger.rescue_interval),
            ("processor.timeout", processor.timeout),
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
        let Some(url) = &processor.url else { return };
        rules.below(("processor.timeout", processor.timeout), operation);
        if !url.expose().starts_with("http://") {
            // `https://` needs TLS, which no build has yet.
            let rule = "must begin with http://".to_owned();
            rules.rule("processor.url", PLACEHOLDER, rule, "write it as a URL");
        }
    }
}
