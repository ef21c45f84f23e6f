//! Wiring: from settings to a process that serves, and back to nothing.

mod server;
mod start;

pub use server::Server;
pub use start::{StartError, open_store};
