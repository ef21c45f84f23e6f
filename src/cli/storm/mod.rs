//! `oncely storm`: operations under faults, for people: flags, a progress bar, and the evidence.

mod arguments;
mod given;
mod progress;
mod run;
mod show;

pub use arguments::StormCommand;
