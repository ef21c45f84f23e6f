//! The simulation: a million requests under faults, and every broken design found.

mod broken;
mod reproductions;
mod sound;
