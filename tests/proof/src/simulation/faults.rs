//! What goes wrong, how often, and how often it did.

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Fault {
    RequestLost,
    RequestDoubled,
    AnswerLost,
    RedisFails,
    StatementFails,
    Pause,
    CommitCut,
    CommitRefused,
    CallUnanswered,
    CallNotSent,
    Crash,
    RedisLoses,
    RedisStale,
    FailOver,
    RelayDies,
    LeaseMoves,
    ConsumerDies,
    ConsumerUnanswered,
}

const NAMES: [&str; 18] = [
    "request lost",
    "request doubled",
    "answer lost",
    "Redis fails",
    "statement fails",
    "pause",
    "COMMIT cut",
    "COMMIT refused",
    "call unanswered",
    "call not sent",
    "request killed",
    "Redis loses a key",
    "Redis stale",
    "ledger fails over",
    "relay dies",
    "relay's lease moves",
    "consumer dies",
    "consumer's COMMIT cut",
];

/// How many faults of each kind there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults([u64; 18]);

impl Faults {
    pub(super) fn count(&mut self, fault: Fault, n: u64) {
        self.0[fault as usize] += n;
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// By their names.
    pub fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.into_iter().zip(self.0)
    }

    /// With those of another run.
    pub fn add(&mut self, other: &Self) {
        for (mine, its) in self.0.iter_mut().zip(other.0) {
            *mine += its;
        }
    }
}
