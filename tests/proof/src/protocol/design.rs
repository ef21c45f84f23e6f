//! The protocols: those that we trust, and those that are broken in one way each.

/// A protocol. The first group holds; each of the second breaks a promise, and has to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Design {
    /// Transactional: advisory lock, lookup, work, insert under the primary key.
    Advisory,
    /// The same where the lock says yes to everybody: the primary key decides alone.
    StubbedLock,
    /// Transactional by the dialect `insert_wait`: the record is inserted first.
    InsertWait,
    /// No lock, and who loses the race at the primary key is told to come again.
    SelectThenInsert,
    /// A latch is taken away whoever set it: that costs speed only.
    UnconditionalRelease,
    /// Leased, and the processor tells repeats by the key.
    Leased,
    /// Leased, and the processor does not: what may have been sent is never sent again.
    LeasedKeyless,

    /// Redis alone decides.
    RedisOnly,
    /// Lookup, then insert, without a primary key.
    NoPrimaryKey,
    /// Lookup before the lock, without a primary key.
    LookUpBeforeLock,
    /// Who has the latch does not look, without a primary key.
    TrustsTheLatch,
    /// The answer is in Redis before COMMIT is sent.
    PublishesBeforeCommit,
    /// An unanswered COMMIT is kept in Redis as a failure.
    KeepsFailures,
    /// A record that is not there after an unanswered COMMIT counts as proof that nothing happened.
    TakesAbsenceForProof,
    /// Hot answers count in every epoch.
    IgnoresTheEpoch,
    /// The epoch of an answer is read after the commit.
    EpochAfterCommit,
    /// Leased, and the last write does not name its attempt.
    NoFence,
    /// Leased, with the effect in a transaction of its own before the end.
    EffectFirst,
    /// Leased, and calls are repeated although the processor can't tell.
    BlindResend,
    /// Leased without keys, and giving up says that nothing was sent.
    ForgetsTheCall,
    /// Leased, and whoever comes takes over, whatever is asked for.
    BlindTakeOver,
}

/// All of them, those that hold first.
const ALL: [Design; 21] = [
    Design::Advisory,
    Design::StubbedLock,
    Design::InsertWait,
    Design::SelectThenInsert,
    Design::UnconditionalRelease,
    Design::Leased,
    Design::LeasedKeyless,
    Design::RedisOnly,
    Design::NoPrimaryKey,
    Design::LookUpBeforeLock,
    Design::TrustsTheLatch,
    Design::PublishesBeforeCommit,
    Design::KeepsFailures,
    Design::TakesAbsenceForProof,
    Design::IgnoresTheEpoch,
    Design::EpochAfterCommit,
    Design::NoFence,
    Design::EffectFirst,
    Design::BlindResend,
    Design::ForgetsTheCall,
    Design::BlindTakeOver,
];

impl Design {
    /// The design of this name, such as `NoFence`.
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|it| format!("{it:?}") == name)
    }

    /// Whether its records are leased.
    pub fn is_leased(self) -> bool {
        matches!(
            self,
            Self::Leased
                | Self::LeasedKeyless
                | Self::NoFence
                | Self::EffectFirst
                | Self::BlindResend
                | Self::ForgetsTheCall
                | Self::BlindTakeOver
        )
    }

    /// Whether two records of one key can't be.
    pub(super) fn has_primary_key(self) -> bool {
        !matches!(
            self,
            Self::NoPrimaryKey | Self::LookUpBeforeLock | Self::TrustsTheLatch
        )
    }

    /// Whether a request takes the advisory lock.
    pub(super) fn has_lock(self) -> bool {
        !matches!(
            self,
            Self::StubbedLock | Self::InsertWait | Self::SelectThenInsert | Self::NoPrimaryKey
        )
    }

    /// What is said of the processor: whether it tells repeats by our key.
    pub(super) fn accepts_keys(self) -> bool {
        !matches!(self, Self::LeasedKeyless | Self::ForgetsTheCall)
    }

    /// Whether it does.
    pub(super) fn tells_repeats(self) -> bool {
        self.accepts_keys() && self != Self::BlindResend
    }

    /// Whether there is a call outside at all.
    pub(super) fn calls_outside(self) -> bool {
        self.is_leased() && self != Self::EffectFirst
    }
}
