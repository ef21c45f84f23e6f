//! Where in `runbook.md` a finding leads to: one name for each section that the doctor knows.

pub(super) const DEAD_LETTERS: &str = "oncelydeadletters";
pub(super) const GROWTH: &str = "oncelyretentionoverdue";
pub(super) const HOT_PATH: &str = "oncelyhotpathdegraded";
pub(super) const IN_FLIGHT: &str = "oncelyinflightlasting";
pub(super) const LEDGER: &str = "oncelyledgerslow";
pub(super) const OUTBOX_LAG: &str = "oncelyoutboxlag";
pub(super) const RELAY_SILENT: &str = "oncelyrelaysilent";

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
