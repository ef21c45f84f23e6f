//! Starts servers around a test command.

fn main() {}
