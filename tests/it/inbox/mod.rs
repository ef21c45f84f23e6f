//! Each consumer applies each message once, whatever the broker, the process and the ledger do.

mod books;
mod failing;
mod killed;
mod letters;
mod once;
mod order;
mod world;
