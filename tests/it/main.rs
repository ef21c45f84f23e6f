//! The integration tests.
#![cfg(test)]

mod cli;
mod config;
mod tidy;
mod words;
