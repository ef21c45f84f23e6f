//! `oncely effects`: whether what was acknowledged took effect, and took effect once.

mod command;
mod compare;
mod differences;
mod show;

pub use command::{EffectsCommand, Verify};
