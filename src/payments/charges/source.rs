//! Sources with a fixed behaviour: what stands in for a card processor within one transaction.

/// What charging a source comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is charged.
    Succeeds,
    /// It is refused, and would be refused again.
    Declined {
        /// For people.
        reason: &'static str,
    },
}

/// The sources that are declined, each with its reason. The table stands in `docs/http-api.md`.
pub const DECLINED_SOURCES: [(&str, &str); 3] = [
    ("tok_declined", "The card was declined by its issuer."),
    ("tok_insufficient_funds", "The card has insufficient funds."),
    ("tok_expired", "The card has expired."),
];

/// What charging `source` comes to: every source that is not declined succeeds.
pub(super) fn verdict(source: &str) -> Verdict {
    let declined = DECLINED_SOURCES.iter().find(|(name, _)| *name == source);
    declined.map_or(Verdict::Succeeds, |(_, reason)| Verdict::Declined {
        reason,
    })
}
