//! Invoices and the tax service that they ask: each test ends with what is in the books.

mod bodies;
mod conditions;
mod create;
mod flaky;
mod killed_process;
mod put;
mod races;
mod world;
