//! The history checker: what it takes, and what it refuses.

mod broken;
mod generated;
mod script;
mod sound;
