//! The journal: every charge in double entry.

mod post;

pub use post::Journal;
