//! The integration tests.
#![cfg(test)]

mod testkit;
