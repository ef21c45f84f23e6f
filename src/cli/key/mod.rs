//! `oncely key`: single records, what became of them, and what an operator settles by hand.

mod command;
mod list;
mod timeline;

pub use command::KeyCommand;
