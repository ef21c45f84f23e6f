//! The hot path against a real Redis, healthy, hostile and gone.

mod acquire;
mod complete;
mod faults;
mod probe;
mod release;
mod world;
