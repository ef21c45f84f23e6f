//! The API described for programs: an OpenAPI 3.1 document.
//!
//! A new route is a row in `routes.rs`, and a body that is new a schema in `schemas.rs`. Problems come
//! from `http::Code`, so they can't be forgotten. A test compares the rows with the router and with
//! `docs/http-api.md`.

mod document;
mod routes;
mod schemas;

pub use document::document;
