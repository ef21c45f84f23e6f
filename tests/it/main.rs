//! The integration tests: one binary, one link, one list of sentences.
#![cfg(test)]

mod broker;
mod cli;
mod client;
mod config;
mod conformance;
mod docs;
mod faults;
mod guarantees;
mod harness;
mod hot;
mod http;
mod inbox;
mod leased;
mod messages;
mod model;
mod outbox;
mod simulation;
mod sql_contract;
mod testkit;
mod tidy;
mod words;
