//! The integration tests.
#![cfg(test)]

mod hot;
