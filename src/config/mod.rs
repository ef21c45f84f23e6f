//! Temporary.
use std::time::Duration;
/// c
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// a
    Advisory,
    /// b
    InsertWait,
}
/// l
#[derive(Debug, Clone)]
pub struct Ledger {
    /// .
    pub claim: Claim,
    /// .
    pub insert_wait_timeout: Duration,
    /// .
    pub pool_size: u32,
    /// .
    pub acquire_timeout: Duration,
    /// .
    pub operation_timeout: Duration,
    /// .
    pub statement_timeout: Duration,
    /// .
    pub idle_in_transaction_timeout: Duration,
    /// .
    pub client_connection_check_interval: Duration,
    /// .
    pub tcp_user_timeout: Duration,
    /// .
    pub epoch_interval: Duration,
    /// .
    pub epoch_max_age: Duration,
    /// .
    pub prune_interval: Duration,
    /// .
    pub prune_batch: u32,
    /// .
    pub prune_grace: Duration,
    /// .
    pub startup_timeout: Duration,
    /// .
    pub allow_unsafe_durability: bool,
}
