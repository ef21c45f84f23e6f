//! `oncely key show` and `list`: found by what the client knows, with all that became of it.

use super::world::oncely;
use crate::harness::{App, run};

const OPERATION: &str = "POST /charge";

/// As a consumer would have left it.
const APPLIED: &str = "
INSERT INTO oncely.inbox (id, consumer, tenant, state)
SELECT id, 'journal', tenant, 'done' FROM oncely.outbox_event";

#[test]
fn a_key_is_shown_with_its_timeline_from_claim_to_effect() {
    run(async {
        let app = App::start().await;
        let url = &app.database_url;
        let reply = app.caller().charge("k-1", 1).await;
        let charge = reply.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(app.caller().charge("k-2", 2).await.status, 201);
        app.execute(APPLIED).await;

        let shown = oncely(url, &["key", "show", "demo", OPERATION, "k-1"]).await;
        assert_eq!(shown.code, 0, "{shown:?}");
        let by_flags = [
            "key",
            "show",
            "demo",
            "--operation",
            OPERATION,
            "--key",
            "k-1",
        ];
        assert_eq!(oncely(url, &by_flags).await.out, shown.out);

        let json = ["key", "show", "demo", OPERATION, "k-1", "--output", "json"];
        let json = oncely(url, &json).await.json();
        assert_eq!(json["state"], "completed");
        assert_eq!(
            (&json["status"], &json["resource"]),
            (&201.into(), &charge.as_str().into())
        );
        let timeline = json["timeline"].as_array().unwrap();
        let what: Vec<_> = timeline
            .iter()
            .map(|it| it["what"].as_str().unwrap())
            .collect();
        assert_eq!(what[..3], ["acquired", "completed", "event"], "{json:#}");
        assert_eq!(
            what.iter().filter(|it| **it == "event").count(),
            1,
            "of this charge alone"
        );
        let details: Vec<_> = timeline
            .iter()
            .map(|it| it["detail"].as_str().unwrap())
            .collect();
        for detail in ["answer 201", "journal done", "receipts not yet"] {
            assert!(details.contains(&detail), "{details:?}");
            assert!(shown.out.contains(detail), "{}", shown.out);
        }
        let id = json["id"].as_str().unwrap();
        assert_eq!(
            oncely(url, &["key", "show", "demo", id]).await.out,
            shown.out
        );
    });
}

#[test]
fn a_key_that_was_never_used_is_said_so() {
    run(async {
        let app = App::start().await;
        assert_eq!(app.caller().charge("k-1", 1).await.status, 201);
        for (tenant, operation, key) in [
            ("demo", OPERATION, "k-2"),
            ("acme", OPERATION, "k-1"),
            ("demo", "POST /payments", "k-1"),
        ] {
            let shown = oncely(&app.database_url, &["key", "show", tenant, operation, key]).await;
            assert_eq!((shown.code, shown.out.as_str()), (1, ""));
            assert!(
                shown.complaints.contains("idempotency.retention"),
                "{shown:?}"
            );
        }
        let shown = oncely(&app.database_url, &["key", "show", "demo", OPERATION]).await;
        assert_eq!(shown.code, 1);
        assert!(
            shown.complaints.contains("oncely key show demo"),
            "{shown:?}"
        );
    });
}

#[test]
fn records_are_listed_by_state_operation_tenant_and_time() {
    run(async {
        let app = App::start().await;
        for key in ["k-1", "k-2"] {
            assert_eq!(app.caller().charge(key, 1).await.status, 201);
        }
        assert_eq!(app.other_tenant().charge("k-1", 1).await.status, 201);
        let count = async |more: &[&str]| {
            let words = [&["key", "list", "--output", "json"], more].concat();
            let listed = oncely(&app.database_url, &words).await;
            assert_eq!(listed.code, 0, "{listed:?}");
            listed.json().as_array().unwrap().len()
        };
        let done = ["--state", "completed"];
        assert_eq!(count(&[]).await, 0, "only what waits for somebody");
        assert_eq!(count(&done).await, 3);
        assert_eq!(
            count(&["--state", "completed", "--tenant", "demo"]).await,
            2
        );
        assert_eq!(count(&["--state", "completed", "--since", "1h"]).await, 3);
        assert_eq!(count(&["--state", "completed", "--until", "1h"]).await, 0);
        assert_eq!(count(&["--state", "completed", "--limit", "1"]).await, 1);
        let payments = ["--state", "completed", "--operation", "POST /payments"];
        assert_eq!(count(&payments).await, 0);
        let wrong = oncely(&app.database_url, &["key", "list", "--since", "yesterday"]).await;
        assert_eq!(wrong.code, 2);
        assert!(
            wrong.complaints.contains("2026-11-22T05:00:00Z"),
            "{wrong:?}"
        );
    });
}
