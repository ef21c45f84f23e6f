//! Wiring: from settings to a process that serves, and back to nothing.

mod messages;
mod server;
mod start;

pub use messages::start_messages;
pub use server::Server;
pub use start::{StartError, open_store};
