//! Many requests with the same key at once, and what became of them.

use futures_util::future::join_all;

use super::{Caller, Reply};

/// How many requests a storm has.
const N_AT_ONCE: usize = 64;

/// What became of a storm's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Requests that executed.
    pub(crate) created: usize,
    /// Requests that were told "in flight", 409.
    pub(crate) in_flight: usize,
    /// Requests that were answered 503.
    pub(crate) unavailable: usize,
}

/// Sends 64 requests with the same key at once.
///
/// Each answer is the first one, its replay byte for byte, 409, or 503: nothing else.
pub(crate) async fn storm(caller: &Caller, key: &str, amount: i64) -> Tally {
    let replies = join_all((0..N_AT_ONCE).map(|_| caller.charge(key, amount))).await;
    let is = |reply: &&Reply, status: &str| reply.idempotency_status() == status;
    let n = |status| replies.iter().filter(|it| is(it, status)).count();
    let done = replies.iter().filter(|it| it.status == 201);
    let essences: Vec<_> = done.map(Reply::essence).collect();
    assert!(
        essences.windows(2).all(|it| it[0] == it[1]),
        "two answers to one key: {replies:?}"
    );
    let tally = Tally {
        created: n("created"),
        in_flight: n("in-flight"),
        unavailable: replies.iter().filter(|it| it.status == 503).count(),
    };
    let n_known = tally.created + n("replayed") + tally.in_flight + tally.unavailable;
    assert_eq!(n_known, N_AT_ONCE, "{replies:?}");
    tally
}

impl Tally {
    /// One executed, and nobody was turned away.
    pub(crate) fn is_one(self) -> bool {
        self.created == 1 && self.unavailable == 0
    }
}
