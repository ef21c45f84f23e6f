//! The integration tests: one binary, one link, one list of sentences.
#![cfg(test)]

mod broker;
mod cli;
mod client;
mod config;
mod conformance;
mod crash;
mod docs;
mod doctor;
mod drills;
mod faults;
mod guarantees;
mod harness;
mod history;
mod hot;
mod http;
mod inbox;
mod invoices;
mod leased;
mod messages;
mod model;
mod operator;
mod outbox;
mod reserve;
mod simulation;
mod sql_contract;
mod storm;
mod testkit;
mod tidy;
mod wait;
mod words;
