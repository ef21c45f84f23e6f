//! Ctrl-C in the middle of a storm: nothing is proved, and nothing is left.

use nix::sys::signal::Signal;

use crate::harness::{Process, run, until};

#[test]
fn an_interrupted_storm_leaves_nothing_and_proves_nothing() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report");
        let left = folder.path().join("left");
        std::fs::create_dir(&left).unwrap();
        let arguments = ["storm", "--out", report.to_str().unwrap(), "--seed", "3"];
        let variables = [("TMPDIR", left.to_str().unwrap())];
        let storm = Process::start(&arguments, &variables);
        until(|| async { storm.complaints().contains("\nstorm …") }).await;
        let n_left = || std::fs::read_dir(&left).unwrap().count();
        assert!(4 < n_left(), "a Redis and four processes have folders");
        storm.signal(Signal::SIGINT);
        let (status, out, complaints) = storm.ended().await;
        assert_eq!(status.code(), Some(1), "{complaints}");
        assert!(complaints.contains("interrupted: nothing is proved"));
        assert_eq!(out, "");
        assert!(!report.exists());
        assert_eq!(n_left(), 0, "the folders went with their servers");
    });
}
