//! The operator's commands on real servers: what they show, find, change, and what they leave alone.

mod effects;
mod key;
mod openapi;
mod outbox;
mod prune;
mod world;
