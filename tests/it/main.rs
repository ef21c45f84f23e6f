//! The integration tests: one binary, one link, one list of sentences.
#![cfg(test)]

mod cli;
mod config;
mod hot;
mod testkit;
mod tidy;
mod words;
