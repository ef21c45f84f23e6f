//! What the store promises, in every way to put it together: with and without Redis, with the lock
//! stubbed to "yes", and in both dialects.

mod concurrent;
mod in_flight;
mod replay;
