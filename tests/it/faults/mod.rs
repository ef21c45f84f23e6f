//! Named for the fault, told as a story: healthy, break, the promise holds, restore, recovery; and
//! each ends with the books.

mod cut_bytes;
mod dev;
mod ghost;
mod hang_ups;
mod killed_process;
mod latches;
mod lost_commit;
mod poisoned_connections;
mod pool_exhausted;
mod postgres_killed;
mod redis_down;
mod redis_flushed;
mod redis_full;
mod redis_garbage;
mod redis_killed;
mod refused_at_start;
mod retention;
mod sessions;
mod shutdown;
mod world;
