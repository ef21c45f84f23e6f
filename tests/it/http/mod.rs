//! The service on the wire: keys, fingerprints, replays, what is stored, problems, shutdown.

mod admin;
mod authentication;
mod bodies;
mod charges;
mod contract;
mod fingerprint;
mod keys;
mod policies;
mod problems;
mod replay;
mod routers;
mod shop;
mod stored;
mod timeouts;
mod verdicts;
