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

/// What charging `source` comes to. The table stands in `docs/http-api.md`.
pub(super) fn verdict(source: &str) -> Verdict {
    match source {
        "tok_declined" => Verdict::Declined {
            reason: "The card was declined by its issuer.",
        },
        "tok_insufficient_funds" => Verdict::Declined {
            reason: "The card has insufficient funds.",
        },
        "tok_expired" => Verdict::Declined {
            reason: "The card has expired.",
        },
        _ => Verdict::Succeeds,
    }
}
