//! From a commit to an effect, with real processes and real servers that are killed on purpose.

mod backlog;
mod killed_relay;
mod lossy_redis;
mod order;
mod poison;
mod world;
