//! The `[ledger]` section: Postgres, the authority.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;

/// Postgres, the authority.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// How a request claims its key. Default: `advisory`.
    ///
    /// `advisory` needs advisory locks, `insert_wait` makes duplicates hold a connection.
    pub claim: Claim,
    /// How long a duplicate waits for the first under `insert_wait`. Default: `50ms`.
    ///
    /// Too low: it is told "in flight" where a little patience had brought the answer. Too high:
    /// waiting duplicates use up the connections.
    #[serde(with = "duration")]
    pub insert_wait_timeout: Duration,
    /// How many connections this process opens. Default: `16`.
    ///
    /// Too low: requests queue for one and get 503. Too high: all processes together pass
    /// `max_connections` of Postgres, and new ones are refused.
    pub pool_size: u32,
    /// How long a request waits for a connection. Default: `2s`.
    ///
    /// Too low: a short burst is answered with 503. Too high: requests pile up behind a slow
    /// database.
    #[serde(with = "duration")]
    pub acquire_timeout: Duration,
    /// How long a whole operation may take, from its claim to its COMMIT, the handler included.
    /// Default: `10s`.
    ///
    /// Too low: healthy work is rolled back and answered with 503. Too high: it outlives the
    /// request.
    #[serde(with = "duration")]
    pub operation_timeout: Duration,
    /// How long Postgres itself works on one statement. Default: `5s`.
    ///
    /// Too low: a vacuum or a checkpoint turns into 503. Too high: abandoned statements keep
    /// running.
    #[serde(with = "duration")]
    pub statement_timeout: Duration,
    /// How long a transaction may sit idle before Postgres ends it. Default: `5s`.
    ///
    /// Too low: a caller's own code inside the transaction is cut off. Too high: a dead process
    /// keeps its key locked.
    #[serde(with = "duration")]
    pub idle_in_transaction_timeout: Duration,
    /// How often a busy Postgres looks whether its client is still there. Default: `250ms`.
    ///
    /// Too low: it costs system calls. Too high: the lock of a vanished process lives longer.
    #[serde(with = "duration")]
    pub client_connection_check_interval: Duration,
    /// How long sent data may stay unacknowledged before the connection counts as dead.
    /// Default: `10s`.
    ///
    /// Too low: a bad network cuts healthy connections. Too high: a cut cable keeps keys locked.
    #[serde(with = "duration")]
    pub tcp_user_timeout: Duration,
    /// How often the ledger is asked for its epoch. Default: `500ms`.
    ///
    /// Too low: needless questions. Too high: answers of a lost epoch are replayed for longer.
    #[serde(with = "duration")]
    pub epoch_interval: Duration,
    /// How old a confirmed epoch may be; older, answers from Redis are withheld. Default: `1s`.
    ///
    /// Too low: a slow confirmation switches the hot path off. Too high: so long may Redis replay
    /// an answer whose commit was lost in a failover.
    #[serde(with = "duration")]
    pub epoch_max_age: Duration,
    /// How often records past their retention are deleted. Default: `1m`.
    ///
    /// Too low: needless work. Too high: the deletions come in lumps.
    #[serde(with = "duration")]
    pub prune_interval: Duration,
    /// How many records one deletion takes, at most 5000. Default: `5000`.
    ///
    /// Too low: pruning can't keep up. Too high: one long statement that holds locks.
    pub prune_batch: u32,
    /// How long a record stays after its retention ended. Default: `1m`.
    ///
    /// Too low: a slow request finds the record gone between two steps. Too high: a few more rows.
    #[serde(with = "duration")]
    pub prune_grace: Duration,
    /// How long an attempt of a leased operation owns its record without a sign of life.
    /// Default: `15s`.
    ///
    /// Too low: a pause of the process hands its work over while it still runs. Too high: after a
    /// crash, retries are told "in flight" for so long.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// How often a working attempt renews its lease. Default: `5s`.
    ///
    /// Too low: needless writes. Too high: one lost renewal loses the lease.
    #[serde(with = "duration")]
    pub lease_renew_interval: Duration,
    /// How often abandoned leased operations are looked for, and how long after their lease they are
    /// taken up. Default: `5s`.
    ///
    /// Too low: needless questions, and a sick processor is asked more often. Too high: what a crash
    /// left half done stays so until its client retries.
    #[serde(with = "duration")]
    pub rescue_interval: Duration,
    /// How long a starting process waits for Postgres. Default: `30s`.
    ///
    /// Too low: it gives up while the database starts beside it. Too high: a wrong address is
    /// noticed late.
    #[serde(with = "duration")]
    pub startup_timeout: Duration,
    /// Whether to start against a Postgres that may forget commits. Default: `false`.
    ///
    /// Off: such a server is refused. On: after a crash of the database, operations that were
    /// confirmed may be executed again. `serve` refuses it: it is for `dev` and for tests.
    pub allow_unsafe_durability: bool,
}

/// How a request claims its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// By an advisory lock that ends with the transaction: a duplicate learns at once.
    Advisory,
    /// By inserting the record: a duplicate waits a moment for the first.
    InsertWait,
}
