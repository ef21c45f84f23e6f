//! The text of the source itself.
