//! The integration tests: one binary, one link, one list of sentences.
#![cfg(test)]

mod cli;
mod config;
mod conformance;
mod faults;
mod harness;
mod hot;
mod testkit;
mod tidy;
mod words;
