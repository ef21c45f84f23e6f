//! The runbook, run: incidents that are caused for real, alerts that see them, the commands that are printed, and
//! the queries that say that it is over.

mod canaries;
mod dashboard;
mod events;
mod metrics;
mod page;
mod prometheus;
mod requests;
mod rules;
mod runbook;
mod shell;
mod tiers;
mod world;
