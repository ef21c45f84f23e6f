//! `oncely doctor` on real servers: well ones, and each misconfiguration made for real.

mod away;
mod flow;
mod good;
mod postgres;
mod race;
mod redis;
mod visit;
