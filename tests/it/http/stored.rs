//! What is kept of an execution: effects, answer, both, or nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use oncely::http::{Policy, Tx};
use sqlx::Connection as _;
use tokio::sync::mpsc;

use super::shop::{effect, shop, shop_with};
use crate::harness::{App, Recipe, Reply, VARIANTS, run, until};

/// The answer under key `k-1` once nobody works on it any more. A transaction that was lost has its
/// connection closed, and keeps the key until the server has noticed.
async fn once_free(app: &App, path: &str) -> Reply {
    loop {
        let reply = app.caller().post(path, "k-1", "{}").await;
        if reply.idempotency_status() != "in-flight" {
            return reply;
        }
    }
}

#[test]
fn a_final_refusal_is_replayed_and_its_writes_are_rolled_back() {
    run(async {
        for variant in VARIANTS {
            let app = shop(variant.recipe()).await;
            for status in [402, 404, 409, 410, 412, 422, 423, 424, 451] {
                let name = format!("status-{status}");
                let path = format!("/answer/{name}");
                let first = app.caller().post(&path, &name, "{}").await;
                let again = app.caller().post(&path, &name, "{}").await;
                let what = format!("{variant:?}: {name}");
                assert_eq!(first.idempotency_status(), "created", "{what}");
                assert_eq!(again.idempotency_status(), "replayed", "{what}");
                assert_eq!((again.status, again.essence()), (status, first.essence()));
                assert_eq!(app.n_effects(&name).await, 0, "{what}");
            }
            assert_eq!(app.n_open_transactions().await, 0, "{variant:?}");
        }
    });
}

#[test]
fn an_answer_about_the_attempt_is_not_kept_and_the_retry_executes() {
    run(async {
        for variant in VARIANTS {
            let app = shop(variant.recipe()).await;
            for status in [
                400, 401, 403, 405, 408, 413, 415, 425, 429, 500, 501, 502, 503, 504, 599,
            ] {
                let name = format!("status-{status}");
                let path = format!("/answer/{name}");
                for _ in 0..2 {
                    let reply = app.caller().post(&path, &name, "{}").await;
                    let what = format!("{variant:?}: {name}");
                    assert_eq!(
                        (reply.status, reply.idempotency_status()),
                        (status, "ignored"),
                        "{what}"
                    );
                    assert_eq!(
                        reply.body,
                        format!("it is {}", StatusCode::from_u16(status).unwrap())
                    );
                }
                assert_eq!(app.n_effects(&name).await, 0, "{variant:?}: {name}");
            }
            assert_eq!(app.n_records().await, 0, "{variant:?}");
            until(async || app.redis_values().await.is_empty()).await;
        }
    });
}

#[test]
fn a_handler_may_overrule_what_is_kept() {
    run(async {
        for variant in VARIANTS {
            let app = shop(variant.recipe()).await;
            for (name, statuses, n_effects) in [
                ("kept-429", ["created", "replayed"], 0),
                ("committed-402", ["created", "replayed"], 1),
                ("forgotten-200", ["ignored", "ignored"], 0),
                ("kept-500", ["ignored", "ignored"], 0),
            ] {
                for expected in statuses {
                    let reply = app
                        .caller()
                        .post(&format!("/answer/{name}"), name, "{}")
                        .await;
                    let what = format!("{variant:?}: {name}");
                    assert_eq!(reply.idempotency_status(), expected, "{what}");
                    assert_eq!(reply.body, "as asked", "{what}");
                }
                assert_eq!(app.n_effects(name).await, n_effects, "{variant:?}: {name}");
            }
        }
    });
}

#[test]
fn a_handler_that_fails_answers_500_keeps_nothing_and_runs_again() {
    run(async {
        for variant in VARIANTS {
            let app = shop(variant.recipe()).await;
            for name in ["panic", "aborted", "broken"] {
                for _ in 0..2 {
                    let reply = once_free(&app, &format!("/answer/{name}")).await;
                    let what = format!("{variant:?}: {name}: {reply:?}");
                    assert_eq!(
                        (reply.status, reply.code().as_str()),
                        (500, "internal"),
                        "{what}"
                    );
                    assert_eq!(reply.idempotency_status(), "ignored", "{what}");
                }
                assert_eq!(app.n_effects(name).await, 0, "{variant:?}: {name}");
            }
            assert_eq!(app.n_records().await, 0, "{variant:?}");
            until(async || app.n_open_transactions().await == 0).await;
        }
    });
}

#[test]
fn an_answer_over_a_limit_is_given_once_and_its_operation_never_runs_again() {
    run(async {
        for variant in VARIANTS {
            let app = shop(variant.recipe()).await;
            for (n_before, name) in ["large", "many-headers"].into_iter().enumerate() {
                let path = format!("/answer/{name}");
                let first = app.caller().post(&path, name, "{}").await;
                let what = format!("{variant:?}: {name}");
                assert_eq!(
                    (first.status, first.idempotency_status()),
                    (200, "created"),
                    "{what}"
                );
                for _ in 0..2 {
                    let again = app.caller().post(&path, name, "{}").await;
                    assert_eq!(
                        (again.status, again.code().as_str()),
                        (409, "response-not-replayable"),
                        "{what}"
                    );
                    assert_eq!(again.json()["safe_new_key"], false, "{what}");
                    app.flush_redis().await;
                }
                let other = app.caller().post(&path, name, r#"{"a": 1}"#).await;
                assert_eq!(other.code(), "key-reused", "{what}");
                assert_eq!(app.n_effects(name).await, 1, "{what}");
                let row = &app.stored_rows().await[n_before];
                assert_eq!((&row.headers, &row.body), (&None, &None), "{what}");
            }
        }
    });
}

#[test]
fn a_declined_card_is_replayed_and_charges_nothing() {
    run(async {
        for variant in VARIANTS {
            let app = App::made(variant.recipe()).await;
            let body = r#"{"amount": 4200, "currency": "USD", "source": "tok_declined"}"#;
            let first = app.caller().post("/charge", "k-1", body).await;
            let again = app.caller().post("/charge", "k-1", body).await;
            assert_eq!(
                (first.status, first.code().as_str()),
                (402, "card-declined")
            );
            assert_eq!(first.idempotency_status(), "created", "{variant:?}");
            assert_eq!(again.idempotency_status(), "replayed", "{variant:?}");
            assert_eq!(again.essence(), first.essence(), "{variant:?}");
            assert_eq!((app.n_charges().await, app.n_records().await), (0, 1));
        }
    });
}

#[test]
fn a_statement_that_fails_charges_nothing_and_the_retry_charges() {
    run(async {
        let app = App::start().await;
        app.execute(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql \
             AS $$ BEGIN RAISE 'not this one'; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON public.charges FOR EACH ROW \
             WHEN (new.amount = 666) EXECUTE FUNCTION public.refuse()",
        )
        .await;
        let failed = app.caller().charge("k-1", 666).await;
        assert_eq!(
            (failed.status, failed.code().as_str()),
            (503, "store-unavailable")
        );
        assert_eq!(failed.header("retry-after"), "2");
        assert_eq!((app.n_charges().await, app.n_records().await), (0, 0));
        app.execute("DROP TRIGGER refuse ON public.charges").await;
        let retried = app.caller().charge("k-1", 666).await;
        assert_eq!(retried.idempotency_status(), "created");
        assert_eq!(app.n_charges_of(666).await, 1);
    });
}

#[test]
fn a_transaction_that_the_handler_gives_away_is_never_committed() {
    run(async {
        let (given, mut taken) = mpsc::unbounded_channel::<Tx>();
        let app = shop_with(Recipe::default(), |routes| {
            routes.post("/give-away", Policy::required(), move |mut tx: Tx| {
                let given = given.clone();
                async move {
                    effect(&mut tx, "given away").await;
                    given.send(tx).unwrap();
                    "all is well"
                }
            })
        })
        .await;
        let first = app.caller().post("/give-away", "k-1", "{}").await;
        assert_eq!((first.status, first.code().as_str()), (500, "internal"));
        // Whoever has it now still holds the key.
        let held = taken.recv().await.unwrap();
        let second = app.caller().post("/give-away", "k-1", "{}").await;
        assert_eq!(second.code(), "in-flight");
        drop(held);
        // Its connection is closed, which the server notices in its own time.
        until(async || app.caller().post("/give-away", "k-1", "{}").await.status == 500).await;
        assert_eq!(app.n_effects("given away").await, 0);
        assert_eq!(app.n_records().await, 0);
    });
}

async fn nested(mut tx: Tx) -> sqlx::Result<&'static str, StatusCode> {
    let failed = |_| StatusCode::INTERNAL_SERVER_ERROR;
    let mut kept = tx.begin().await.map_err(failed)?;
    sqlx::query("INSERT INTO public.effects (what) VALUES ('kept')")
        .execute(&mut *kept)
        .await
        .map_err(failed)?;
    kept.commit().await.map_err(failed)?;
    let mut undone = tx.begin().await.map_err(failed)?;
    sqlx::query("INSERT INTO public.effects (what) VALUES ('undone')")
        .execute(&mut *undone)
        .await
        .map_err(failed)?;
    let refused = sqlx::query("SELECT 1 / 0").execute(&mut *undone).await;
    assert!(refused.is_err());
    // Dropped, not rolled back by hand: the next statement finds the savepoint undone.
    drop(undone);
    effect(&mut tx, "after").await;
    Ok("nested")
}

#[test]
fn nested_transactions_are_savepoints_of_the_one_transaction() {
    run(async {
        for variant in VARIANTS {
            let app = shop_with(variant.recipe(), |it| {
                it.post("/nested", Policy::required(), nested)
            })
            .await;
            for expected in ["created", "replayed"] {
                let reply = app.caller().post("/nested", "k-1", "{}").await;
                assert_eq!(reply.idempotency_status(), expected, "{variant:?}");
            }
            for (what, n) in [("kept", 1), ("undone", 0), ("after", 1)] {
                assert_eq!(app.n_effects(what).await, n, "{variant:?}: {what}");
            }
        }
    });
}

#[test]
fn a_savepoint_that_was_left_open_is_500_and_nothing_is_kept() {
    run(async {
        let app = shop_with(Recipe::default(), |routes| {
            routes.post("/left-open", Policy::required(), |mut tx: Tx| async move {
                effect(&mut tx, "left open").await;
                #[expect(clippy::mem_forget, reason = "what a handler must not do")]
                std::mem::forget(tx.begin().await.unwrap());
                "all is well"
            })
        })
        .await;
        for _ in 0..2 {
            let reply = once_free(&app, "/left-open").await;
            assert_eq!((reply.status, reply.code().as_str()), (500, "internal"));
        }
        assert_eq!(app.n_effects("left open").await, 0);
        assert_eq!(app.n_records().await, 0);
    });
}

#[test]
fn a_handler_that_first_fails_and_then_works_takes_effect_with_the_retry() {
    run(async {
        let n_calls = Arc::new(AtomicUsize::new(0));
        let calls = Arc::clone(&n_calls);
        let app = shop_with(Recipe::default(), |routes| {
            routes.post("/second-time", Policy::required(), move |mut tx: Tx| {
                let n = calls.fetch_add(1, Ordering::SeqCst);
                async move {
                    effect(&mut tx, "second time").await;
                    if n == 0 {
                        StatusCode::BAD_GATEWAY
                    } else {
                        StatusCode::CREATED
                    }
                }
            })
        })
        .await;
        for (status, said) in [(502, "ignored"), (201, "created"), (201, "replayed")] {
            let reply = app.caller().post("/second-time", "k-1", "{}").await;
            assert_eq!((reply.status, reply.idempotency_status()), (status, said));
        }
        assert_eq!(app.n_effects("second time").await, 1);
        assert_eq!(n_calls.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_body_that_writes_while_it_is_read_is_committed_with_its_answer() {
    run(async {
        let app = shop_with(Recipe::default(), |routes| {
            routes.post(
                "/late",
                Policy::required(),
                |tx: Tx| async move { late(tx) },
            )
        })
        .await;
        for expected in ["created", "replayed"] {
            let reply = app.caller().post("/late", "k-1", "{}").await;
            assert_eq!(
                (reply.idempotency_status(), &reply.body[..]),
                (expected, &b"late"[..])
            );
        }
        assert_eq!(app.n_effects("late").await, 1);
    });
}

fn late(mut tx: Tx) -> Response {
    let stream = futures_util::stream::once(async move {
        effect(&mut tx, "late").await;
        Ok::<_, std::io::Error>(Bytes::from_static(b"late"))
    });
    axum::body::Body::from_stream(stream).into_response()
}

#[test]
fn a_record_past_its_retention_is_a_new_operation() {
    run(async {
        let short = Duration::from_millis(1);
        let app = App::made(Recipe::default().with(|it| it.idempotency.retention = short)).await;
        for amount in [1, 1] {
            until(async || {
                app.count("SELECT count(*) FROM oncely.records WHERE now() < expires_at")
                    .await
                    == 0
            })
            .await;
            let reply = app.caller().charge("k-1", amount).await;
            assert_eq!(reply.idempotency_status(), "created");
        }
        assert_eq!(app.n_charges_of(1).await, 2);
    });
}
