//! `oncely outbox status --watch`: looks again and again, until somebody has seen enough.

use nix::sys::signal::Signal;

use crate::harness::{App, Process, run};

#[test]
fn the_backlog_is_watched_until_ctrl_c() {
    run(async {
        let app = App::start().await;
        let url = [("ONCELY_DATABASE_URL", app.database_url.as_str())];
        let watch = [
            "outbox", "status", "--watch", "--every", "100ms", "--output", "json",
        ];
        let mut watching = Process::start(&watch, &url);
        watching.says("\"pending\":0").await;
        assert_eq!(app.caller().charge("k-1", 1).await.status, 201);
        let text = watching.says("\"pending\":1").await;
        for line in text.lines().take(2) {
            let status: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(status["shards"].as_array().unwrap().len(), 16);
        }
        watching.signal(Signal::SIGINT);
        let (status, _, complaints) = watching.ended().await;
        assert_eq!(status.code(), Some(0), "{complaints}");

        let table = ["outbox", "status", "--watch", "--every", "100ms"];
        let mut watching = Process::start(&table, &url);
        let text = watching.says("Nobody relays").await;
        assert!(
            !text.contains('\u{1b}'),
            "nothing is cleared where there is no terminal"
        );
        watching.signal(Signal::SIGTERM);
        assert_eq!(watching.ended().await.0.code(), Some(0));
    });
}
