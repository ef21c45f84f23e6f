//! `oncely storm`: operations under faults, and the evidence of what became of them.
//!
//! ```text
//!   orders ──▶ retrying client ──▶ gate (proxy) ──▶ API, API'     relay     consumer
//!      │        copies, impostors ─────────────────────▲  │  ╲    ╱    ╲   ╱
//!      │                                                  Redis ·  Postgres
//!   history of every request          weather: kills, pauses, flushes, cuts, by the seed
//!      ╰──────────────▶ at the end, faults off: history and tables are held against the promise
//! ```
//!
//! The plan is a function of the seed: what is ordered and when, who sends it a second time, what
//! breaks and for how long. The machine's own speed is not, so two runs of one seed meet the same
//! faults and not the same interleavings.
//!
//! Every operation has an amount of its own, which its charge carries: the tables themselves say
//! which key a row belongs to, whatever the ledger believes. The counters of a killed process are
//! gone, so each is read shortly before; what is counted from metrics is a lower bound.

mod customer;
mod evidence;
mod field;
mod history;
mod inspect;
mod metrics;
mod network;
mod options;
mod plan;
mod process;
mod report;
mod run;
#[cfg(feature = "sabotage")]
mod sabotage;
mod sampler;
mod settle;
mod stack;
mod timeline;
mod weather;

pub(crate) use evidence::{Breach, Evidence};
pub(crate) use field::MayKill;
pub(crate) use options::{Given, Options};
pub(crate) use report::write_report;
pub(crate) use run::{Progress, run};
#[cfg(feature = "sabotage")]
pub(crate) use sabotage::Sabotage;
