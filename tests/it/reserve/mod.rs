//! Stock that many want at once, and carts that need no key: each test ends with the books.

mod carts;
mod contention;
mod lost_replies;
mod refusals;
mod world;
