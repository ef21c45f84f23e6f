//! The metrics of the process itself: what the system says of it, and how busy its runtime is.

use metrics::{Unit, describe_gauge, gauge};
use metrics_process::Collector;
use tokio::runtime::Handle;

/// 1, with the version in a label.
const BUILD: &str = "oncely_build_info";
/// 1 for each role that the process has.
const ROLE: &str = "oncely_role";
/// Threads that run tasks.
const WORKERS: &str = "oncely_runtime_workers";
/// Tasks that are not done.
const TASKS: &str = "oncely_runtime_tasks";
/// Tasks that wait for a thread in the queue that all threads share.
const QUEUE: &str = "oncely_runtime_queue";

/// Describes the metrics of the process.
pub(super) fn describe() {
    Collector::default().describe();
    describe_gauge!(BUILD, Unit::Count, "1, with the version in its label");
    describe_gauge!(ROLE, Unit::Count, "1 for each role that the process has");
    describe_gauge!(WORKERS, Unit::Count, "Threads that run tasks");
    describe_gauge!(TASKS, Unit::Count, "Tasks that are not done");
    describe_gauge!(QUEUE, Unit::Count, "Tasks that wait for a thread");
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// Says which roles the process has.
pub(crate) fn set_roles(roles: impl IntoIterator<Item = String>) {
    for role in roles {
        gauge!(ROLE, "role" => role).set(1.0);
    }
}

/// Reads the values of this moment. Called with each scrape.
pub(super) fn collect() {
    Collector::default().collect();
    let runtime = Handle::current().metrics();
    set(WORKERS, runtime.num_workers());
    set(TASKS, runtime.num_alive_tasks());
    set(QUEUE, runtime.global_queue_depth());
}

fn set(name: &'static str, n: usize) {
    gauge!(name).set(u32::try_from(n).map_or(f64::MAX, f64::from));
}
