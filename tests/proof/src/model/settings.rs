//! What a model's world consists of, and how much may go wrong in it.

use std::fmt::Write as _;

use crate::protocol::Design;

/// Why writing to a text does not fail.
const WRITES: &str = "invariant: a text takes more text";

/// One configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is there or not, by itself"
)]
pub struct Settings {
    /// The protocol.
    pub design: Design,
    /// How many callers use the key.
    pub n_callers: u8,
    /// How often each sends at most.
    pub n_attempts: u8,
    /// Whether the second caller asks for something else.
    pub is_mismatched: bool,
    /// How many processes may die.
    pub n_crashes: u8,
    /// How often Redis may lose the key.
    pub n_losses: u8,
    /// How often Redis may fail over to what its replica had.
    pub n_stale: u8,
    /// How many COMMITs may go unanswered, and calls too.
    pub n_cuts: u8,
    /// How many COMMITs the server may refuse, and calls may be lost before they are sent.
    pub n_refusals: u8,
    /// How often Postgres may fail over.
    pub n_fail_overs: u8,
    /// Whether a commit waits for the standby.
    pub is_synchronous: bool,
    /// Whether Redis and statements may fail at each step.
    pub is_flaky: bool,
    /// Whether the record's retention may be over while somebody still sends.
    pub is_pruned: bool,
}

impl Settings {
    /// Two callers who send twice; a crash, a loss of Redis, an unanswered COMMIT.
    pub const fn usual(design: Design) -> Self {
        Self {
            n_crashes: 1,
            n_losses: 1,
            n_cuts: 1,
            n_attempts: 2,
            ..Self::calm(design)
        }
    }

    /// Two callers who send once, and nothing goes wrong.
    pub const fn calm(design: Design) -> Self {
        Self {
            design,
            n_callers: 2,
            n_attempts: 1,
            is_mismatched: false,
            n_crashes: 0,
            n_losses: 0,
            n_stale: 0,
            n_cuts: 0,
            n_refusals: 0,
            n_fail_overs: 0,
            is_synchronous: true,
            is_flaky: false,
            is_pruned: false,
        }
    }

    /// What is there, in a few words.
    pub fn label(&self) -> String {
        let mut label = format!("{:?} {}x{}", self.design, self.n_callers, self.n_attempts);
        for (n, name) in [
            (self.n_crashes, "crash"),
            (self.n_losses, "loss"),
            (self.n_stale, "stale"),
            (self.n_cuts, "cut"),
            (self.n_refusals, "refusal"),
        ] {
            if 0 < n {
                write!(label, " {name}{n}").expect(WRITES);
            }
        }
        if 0 < self.n_fail_overs {
            let how = if self.is_synchronous { "sync" } else { "async" };
            write!(label, " {how}-failover{}", self.n_fail_overs).expect(WRITES);
        }
        for (is_so, name) in [
            (self.is_flaky, "flaky"),
            (self.is_mismatched, "two bodies"),
            (self.is_pruned, "pruned"),
        ] {
            if is_so {
                write!(label, " {name}").expect(WRITES);
            }
        }
        label
    }
}
