//! The `oncely` binary.

fn main() {}
