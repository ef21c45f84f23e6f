//! The crash matrix: every fail point, made to err, panic, hang, be cancelled and be killed, with Redis
//! and without, on real servers; and the books afterwards.

mod books;
mod cell;
mod client;
mod matrix;
mod page;
mod points;
mod rows;
mod story;
mod victim;
mod world;
