//! Operations whose effects lie elsewhere: each test ends with the other side's own books.

mod answers;
mod fences;
mod killed_process;
mod one_charge;
mod operator;
mod panics;
mod rescue;
mod shown;
mod stopped_process;
mod unknown;
mod world;
