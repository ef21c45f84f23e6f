//! What happens in a cell until its point is reached, and what heals it.

/// A story brings a process to the points that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Story {
    /// A charge.
    Charge,
    /// A charge whose first attempt fails after its work.
    ChargeFails,
    /// A charge by two callers at once, where the lock does not hold: one loses the race.
    Race,
    /// A payment at a processor.
    Pay,
    /// A payment whose first attempt fails after its first phase.
    PayFails,
    /// A payment whose processor hangs up and knows no keys: an operator has to look.
    PayUnknown,
    /// A payment whose processor takes longer than a heartbeat.
    PayLong,
    /// A payment whose first attempt fails, and whose client leaves it to the rescuer.
    Rescue,
    /// A charge, its event, and the three who act on it.
    Message,
    /// The same, where the first acknowledgement is left out.
    Redelivered,
    /// The same, where one of the three can't do it at first.
    Failing,
    /// The same, where it can't do it before the point is reached.
    FailingTwice,
    /// The same, where it can't do it until an operator has seen to it.
    Dead,
}

impl Story {
    /// What else has to fail for the point to be reached.
    pub(super) fn also(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::ChargeFails => Some(("store.transactional.after_work", "error")),
            Self::PayFails => Some(("store.leased.after_phase", "error")),
            Self::Rescue => Some(("store.leased.after_call", "error")),
            Self::Redelivered => Some(("inbox.consume.before_ack", "error")),
            Self::Charge
            | Self::Race
            | Self::Pay
            | Self::PayUnknown
            | Self::PayLong
            | Self::Message
            | Self::Failing
            | Self::FailingTwice
            | Self::Dead => None,
        }
    }

    pub(super) fn is_payment(self) -> bool {
        match self {
            Self::Pay | Self::PayFails | Self::PayUnknown | Self::PayLong | Self::Rescue => true,
            Self::Charge
            | Self::ChargeFails
            | Self::Race
            | Self::Message
            | Self::Redelivered
            | Self::Failing
            | Self::FailingTwice
            | Self::Dead => false,
        }
    }

    /// Whether events are published and applied.
    pub(super) fn has_messages(self) -> bool {
        matches!(
            self,
            Self::Message | Self::Redelivered | Self::Failing | Self::FailingTwice | Self::Dead
        )
    }

    /// Whether a consumer's table refuses its rows at first.
    pub(super) fn is_broken(self) -> bool {
        matches!(self, Self::Failing | Self::FailingTwice | Self::Dead)
    }

    /// Settings of the story's own.
    pub(super) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // A latch decides nothing, so that both get to the ledger.
            Self::Race => &[("ONCELY_HOT__TRUST_WINDOW", "0s")],
            Self::PayUnknown => &[("ONCELY_PROCESSOR__ACCEPTS_KEYS", "false")],
            Self::Rescue => &[("ONCELY_LEDGER__RESCUE_INTERVAL", "200ms")],
            Self::Dead => &[("ONCELY_INBOX__ATTEMPTS_MAX", "2")],
            Self::Charge
            | Self::ChargeFails
            | Self::Pay
            | Self::PayFails
            | Self::PayLong
            | Self::Message
            | Self::Redelivered
            | Self::Failing
            | Self::FailingTwice => &[],
        }
    }
}
