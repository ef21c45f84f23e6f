//! The SQL contract: its page is run with `psql`, and the service and `psql` replay each other.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{App, Recipe, run};

/// The page itself.
fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sql-contract.md");
    fs::read_to_string(path).unwrap()
}

/// The blocks of `page` that are fenced with `language`.
fn fenced<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    let parts = page.split(&opening).skip(1);
    parts.map(|it| it.split("\n```").next().unwrap()).collect()
}

/// The page's whole example, for `key`.
fn example(key: &str) -> String {
    let page = page();
    let [script] = fenced(&page, "psql")[..] else {
        panic!("the page has one whole example");
    };
    assert!(script.contains("'order-1'"), "the page's key is another");
    script.replace("'order-1'", &format!("'{key}'"))
}

/// What the page calls the service's secret.
fn secret() -> String {
    let script = example("k");
    let line = script
        .lines()
        .find(|it| it.starts_with("\\set secret"))
        .unwrap();
    line.split('\'').nth(1).unwrap().to_owned()
}

/// A service that knows the page's secret.
async fn app() -> App {
    let secret = secret();
    App::made(Recipe::default().with(|it| {
        it.idempotency.fingerprint_secret = secret.as_str().into();
    }))
    .await
}

/// Runs `script` with the plain `psql` program, and returns what it printed.
async fn psql(app: &App, script: String) -> String {
    let url = app.database_url.clone();
    let running = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(oncely::servers::psql().unwrap())
            .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(script.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    });
    let output = running.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "psql: {stderr}\n{stdout}");
    assert_eq!(stderr, "", "psql complained");
    stdout
}

#[test]
fn what_psql_charged_the_service_replays() {
    run(async {
        let app = app().await;
        let charged = psql(&app, example("order-1")).await;
        let id = charged.trim().strip_prefix("charged: ").unwrap().to_owned();
        assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));

        let replayed = app.caller().charge("order-1", 4200).await;
        assert_eq!(replayed.idempotency_status(), "replayed", "{replayed:?}");
        assert_eq!(replayed.status, 201);
        assert_eq!(replayed.header("location"), format!("/charge/{id}"));
        assert_eq!(replayed.header("content-type"), "application/json");
        assert_eq!(replayed.json()["id"], id.as_str());

        let other = app.caller().charge("order-1", 4201).await;
        assert_eq!((other.status, other.code().as_str()), (422, "key-reused"));
        let foreign = app.other_tenant().charge("order-1", 4200).await;
        assert_eq!(foreign.idempotency_status(), "created");
        assert_eq!(app.n_charges().await, 2, "one for each tenant");
    });
}

#[test]
fn what_the_service_charged_psql_replays() {
    run(async {
        let app = app().await;
        let first = app.caller().charge("order-2", 4200).await;
        assert_eq!(first.status, 201);
        let replayed = psql(&app, example("order-2")).await;
        let body = String::from_utf8(first.body.to_vec()).unwrap();
        assert_eq!(replayed, format!("replay:\n201|{body}\n"));

        assert_eq!(app.caller().charge("order-3", 9900).await.status, 201);
        let mismatch = psql(&app, example("order-3")).await;
        assert!(mismatch.starts_with("422"), "{mismatch}");
        assert_eq!(app.n_charges().await, 2);
    });
}

#[test]
fn psql_finds_its_own_charge_again() {
    run(async {
        let app = app().await;
        let charged = psql(&app, example("order-1")).await;
        let again = psql(&app, example("order-1")).await;
        let id = charged.trim().strip_prefix("charged: ").unwrap();
        assert!(again.starts_with("replay:\n201|"), "{again}");
        assert!(again.contains(id), "{again}");
        assert_eq!((app.n_charges().await, app.n_records().await), (1, 1));
    });
}

#[test]
fn while_the_service_works_on_a_key_psql_is_told_so() {
    run(async {
        let app = app().await;
        let mut held = app.points.hold("store.transactional.after_work");
        let caller = app.caller();
        let charging = app
            .store
            .tasks()
            .spawn(async move { caller.charge("order-1", 4200).await });
        assert!(held.arrived().await);
        let busy = psql(&app, example("order-1")).await;
        assert_eq!(busy, "409: in flight\n");
        held.release();
        assert_eq!(charging.await.unwrap().status, 201);
        let replayed = psql(&app, example("order-1")).await;
        assert!(replayed.starts_with("replay:"), "{replayed}");
        assert_eq!(app.n_charges().await, 1);
    });
}

#[test]
fn an_expired_record_is_taken_over_by_psql() {
    run(async {
        let app = app().await;
        psql(&app, example("order-1")).await;
        app.execute(
            "UPDATE oncely.records SET created_at = now() - interval '2 hours', \
             expires_at = now() - interval '1 hour'",
        )
        .await;
        let again = psql(&app, example("order-1")).await;
        assert!(again.starts_with("charged:"), "{again}");
        assert_eq!((app.n_charges().await, app.n_records().await), (2, 1));
    });
}

/// White space made even.
fn even(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_statements_of_the_page_are_those_that_the_library_sends() {
    let sent: String = ["acquire", "lookup", "complete"]
        .iter()
        .map(|it| {
            let path = format!("{}/src/ledger/{it}.rs", env!("CARGO_MANIFEST_DIR"));
            even(&fs::read_to_string(path).unwrap())
        })
        .collect();
    let page = page();
    let statements = fenced(&page, "sql");
    assert_eq!(statements.len(), 6, "the page lost a statement");
    for statement in statements {
        assert!(
            sent.contains(&even(statement)),
            "nobody sends:\n{statement}"
        );
    }
}
