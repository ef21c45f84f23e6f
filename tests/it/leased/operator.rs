//! `oncely key`: an operator lists, looks, resolves and releases, and each change is written down.

use std::time::Duration;

use oncely::testkit::{Processor, Quirk};
use sqlx::{Connection, PgConnection};

use super::world::{lease, pay, paying_at};
use crate::harness::{App, Process, run};

/// Runs `oncely key …` on the app's database: whether it went well, what it printed, its complaints.
async fn key(app: &App, arguments: &[&str]) -> (bool, String, String) {
    let arguments = [&["key"], arguments].concat();
    let url = [("ONCELY_DATABASE_URL", app.database_url.as_str())];
    let (status, out, complaints) = Process::start(&arguments, &url).ended().await;
    (status.success(), out, complaints)
}

async fn audit(app: &App) -> Vec<(String, i32, Option<String>, String, String)> {
    let mut connection = PgConnection::connect(&app.database_url).await.unwrap();
    let rows = sqlx::query_as(
        "SELECT action, attempt, outcome::text, who, why FROM oncely.key_audit ORDER BY number",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    rows
}

#[test]
fn an_operator_finds_the_unknown_looks_and_resolves_it() {
    run(async {
        let processor = Processor::start(false).await.unwrap();
        let app = App::made(paying_at(&processor, false)).await;
        let caller = app.caller();
        processor.script("tok_lost", [Quirk::HangUpAfterWork]);
        let unknown = pay(&caller, "k-1", "tok_lost").await;
        let id = unknown.json()["operation_ref"].as_str().unwrap().to_owned();
        assert_eq!(pay(&caller, "k-2", "tok_fine").await.status, 201);

        let (_, listed, _) = key(&app, &["list"]).await;
        assert!(listed.contains(&id), "{listed}");
        assert_eq!(listed.matches("POST /payments").count(), 1, "{listed}");
        let (_, others, _) = key(&app, &["list", "--tenant", "acme"]).await;
        assert!(!others.contains(&id), "{others}");
        let (_, shown, _) = key(&app, &["show", "demo", &id]).await;
        for word in ["unknown", "charge", "POST /payments"] {
            assert!(shown.contains(word), "{shown}");
        }
        assert!(!shown.contains("tok_lost"), "the request is not shown");
        let by_key = [
            "show",
            "demo",
            "--key",
            "k-1",
            "--operation",
            "POST /payments",
        ];
        assert_eq!(key(&app, &by_key).await.1, shown);

        let reference = &processor.charges_of("tok_lost")[0].id;
        let happened = format!(r#"{{"succeeded": {{"reference": "{reference}"}}}}"#);
        let resolve = |attempt: &'static str| {
            let words = [
                "resolve",
                "demo",
                &id,
                "--happened",
                &happened,
                "--attempt",
                attempt,
            ];
            let by = ["--who", "ada", "--why", "ticket 7"];
            [words.to_vec(), by.to_vec()].concat()
        };
        let (ok, _, complaint) = key(&app, &resolve("9")).await;
        assert!(
            !ok && complaint.contains("nothing was changed"),
            "{complaint}"
        );
        assert!(audit(&app).await.is_empty());
        let (ok, said, complaint) = key(&app, &resolve("1")).await;
        assert!(ok && said.contains("resolved"), "{said} {complaint}");
        let outcome = format!(r#"{{"succeeded": {{"reference": "{reference}"}}}}"#);
        let written = (
            "resolve_happened".to_owned(),
            1,
            Some(outcome),
            "ada".to_owned(),
            "ticket 7".to_owned(),
        );
        assert_eq!(audit(&app).await, [written]);
        let (_, shown, _) = key(&app, &["show", "demo", &id]).await;
        assert!(shown.contains("resolve_happened by ada"), "{shown}");

        let reply = pay(&caller, "k-1", "tok_lost").await;
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.json()["processor_reference"], reference.as_str());
        assert_eq!(processor.charges_of("tok_lost").len(), 1);
    });
}

#[test]
fn nothing_is_changed_without_an_attempt_a_name_and_a_reason() {
    run(async {
        let processor = Processor::start(true).await.unwrap();
        let app = App::made(paying_at(&processor, true)).await;
        assert_eq!(pay(&app.caller(), "k-1", "tok_visa").await.status, 201);
        let id = lease("k-1", 0).reference();
        let whole = [
            "release",
            "demo",
            &id,
            "--attempt",
            "1",
            "--who",
            "ada",
            "--why",
            "x",
        ];
        for left_out in [3, 5, 7] {
            let mut words = whole.to_vec();
            words.drain(left_out..left_out + 2);
            let (ok, _, complaint) = key(&app, &words).await;
            assert!(!ok && complaint.contains("required"), "{complaint}");
        }
        let before = app.row("k-1").await;
        let (ok, _, complaint) = key(&app, &whole).await;
        assert!(
            !ok && complaint.contains("nothing was changed"),
            "it is done"
        );
        assert_eq!(app.row("k-1").await, before);
        assert!(audit(&app).await.is_empty());
        let (ok, _, complaint) = key(&app, &["show", "acme", &id]).await;
        assert!(!ok && complaint.contains("no such record"), "{complaint}");
    });
}

#[test]
fn a_released_record_is_taken_up_at_once_and_its_holder_is_fenced() {
    run(async {
        let processor = Processor::start(true).await.unwrap();
        // A latch of that very moment would be believed once more.
        let recipe = paying_at(&processor, true).with(|it| it.hot.trust_window = Duration::ZERO);
        let app = App::made(recipe).await;
        let mut held = app.points.hold("store.leased.after_call");
        let mine = app.caller();
        let first = app
            .store
            .tasks()
            .spawn(async move { pay(&mine, "k-1", "tok_visa").await });
        assert!(held.arrived().await);
        assert_eq!(
            pay(&app.caller(), "k-1", "tok_visa").await.code(),
            "in-flight"
        );
        let id = lease("k-1", 0).reference();
        let release = [
            "release",
            "demo",
            &id,
            "--attempt",
            "1",
            "--who",
            "ada",
            "--why",
            "stuck",
        ];
        let (ok, said, complaint) = key(&app, &release).await;
        assert!(ok, "{said} {complaint}");
        let second = pay(&app.caller(), "k-1", "tok_visa").await;
        assert_eq!(
            (second.status, second.idempotency_status()),
            (201, "created")
        );
        held.release();
        let late = first.await.unwrap();
        assert_eq!(late.essence(), second.essence());
        assert_eq!(late.idempotency_status(), "replayed");
        assert_eq!(processor.charges_of("tok_visa").len(), 1);
        assert_eq!(app.n_events().await, 1);
    });
}
