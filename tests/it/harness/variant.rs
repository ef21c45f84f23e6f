//! The variants that a suite runs in: a healthy Redis hides bugs of the ledger, and a lock hides
//! bugs of the primary key.

use oncely::config::Claim;

use super::{Recipe, RedisChoice};

/// One way to put the store together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// As shipped.
    Shipped,
    /// Without Redis.
    RedisAbsent,
    /// Without Redis, and with an advisory lock that always says yes.
    LockStubbed,
    /// With Redis, and with an advisory lock that always says yes.
    LockStubbedWithRedis,
    /// Without Redis, in the dialect without advisory locks.
    InsertWait,
    /// With Redis, in the dialect without advisory locks.
    InsertWaitWithRedis,
}

/// All of them.
pub(crate) const VARIANTS: [Variant; 6] = [
    Variant::Shipped,
    Variant::RedisAbsent,
    Variant::LockStubbed,
    Variant::LockStubbedWithRedis,
    Variant::InsertWait,
    Variant::InsertWaitWithRedis,
];

impl Variant {
    /// The recipe of this variant.
    pub(crate) fn recipe(self) -> Recipe {
        let recipe = Recipe::with_redis();
        match self {
            Self::Shipped => recipe,
            Self::RedisAbsent => recipe.redis(RedisChoice::Absent),
            Self::LockStubbed => recipe.redis(RedisChoice::Absent).stubbed_lock(),
            Self::LockStubbedWithRedis => recipe.stubbed_lock(),
            Self::InsertWait => recipe.redis(RedisChoice::Absent).claim(Claim::InsertWait),
            Self::InsertWaitWithRedis => recipe.claim(Claim::InsertWait),
        }
    }

    /// Whether an app of this variant has a Redis.
    pub(crate) fn has_redis(self) -> bool {
        matches!(
            self,
            Self::Shipped | Self::LockStubbedWithRedis | Self::InsertWaitWithRedis
        )
    }
}
