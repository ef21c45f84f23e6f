//! `Prefer: wait=n`: a duplicate waits for the first one's answer, and each way in which that can end.

mod answers;
mod failures;
mod leased;
mod limits;
mod processes;
mod world;
