//! Where in `runbook.md` a finding leads to: one name for each section that the doctor knows.

pub(super) const DEAD_LETTERS: &str = "dead-letters-growing";
pub(super) const GROWTH: &str = "ledger-growth";
pub(super) const HOT_PATH: &str = "hot-path-degraded";
pub(super) const IN_FLIGHT: &str = "in-flight-lasting";
pub(super) const LEDGER: &str = "ledger-slow-or-refusing";
pub(super) const OUTBOX_LAG: &str = "outbox-lag";
pub(super) const RELAY_SILENT: &str = "relay-silent";

/// Every anchor of `runbook.md` that the doctor's findings name.
pub const RUNBOOK_ANCHORS: [&str; 7] = [
    DEAD_LETTERS,
    GROWTH,
    HOT_PATH,
    IN_FLIGHT,
    LEDGER,
    OUTBOX_LAG,
    RELAY_SILENT,
];
