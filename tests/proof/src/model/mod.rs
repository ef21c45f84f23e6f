//! The models: all orders of all steps, within bounds on requests and faults.

mod claim;
mod explore;
mod promises;
mod relay;
mod settings;

pub use claim::Claims;
pub use explore::{Explored, explore};
pub use relay::{Relays, Trail};
pub use settings::Settings;
