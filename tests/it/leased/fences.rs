//! A zombie: an attempt that has been taken over and does not know it.

use std::time::Duration;

use futures_util::future::BoxFuture;
use oncely::domain::{Response, Stored};
use oncely::failpoint::Action;
use oncely::http::{Routes, Validate};
use oncely::ledger::{Fenced, Tx};
use oncely::store::{Called, Context, LeasedOperation, Phase, PhaseError, Written};
use oncely::testkit::{Processor, Quirk};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::world::{BOTH, lease, pay, paying_at};
use crate::harness::{App, Recipe, run};

fn answer() -> Response {
    Response {
        status: http::StatusCode::CREATED,
        headers: http::HeaderMap::new(),
        body: "zombie".into(),
    }
}

#[test]
fn a_zombie_can_neither_renew_advance_complete_release_nor_mark() {
    run(async {
        let processor = Processor::start(true).await.unwrap();
        let app = App::made(paying_at(&processor, true)).await;
        app.points.arm("store.leased.before_call", Action::Error);
        let first = pay(&app.caller(), "k-1", "tok_visa").await;
        assert_eq!(first.code(), "operation-unfinished");
        app.points.arm("store.leased.before_call", Action::Error);
        let second = pay(&app.caller(), "k-1", "tok_visa").await;
        assert_eq!(second.code(), "operation-unfinished");
        let before = app.row("k-1").await;
        assert_eq!(before.attempt, 2);

        let (ledger, zombie) = (app.store.ledger(), lease("k-1", 1));
        assert_eq!(ledger.renew(&zombie).await.unwrap(), Fenced::Lost);
        let released = ledger.release_lease(&zombie, true).await.unwrap();
        assert_eq!(released, Fenced::Lost);
        assert_eq!(ledger.mark_unknown(&zombie).await.unwrap(), Fenced::Lost);
        let mut tx = ledger.begin().await.unwrap();
        let stored = Stored::Whole(answer());
        let completed = ledger.complete_lease(&mut tx, &zombie, &stored).await;
        assert_eq!(completed.unwrap(), Fenced::Lost);
        let progress = oncely::domain::Progress {
            phase: "finish".to_owned(),
            carried: oncely::domain::Carried::of_request(json!(null)),
            downstream_key: None,
        };
        let advanced = ledger.advance(&mut tx, &zombie, &progress).await.unwrap();
        assert_eq!(advanced, Fenced::Lost);
        ledger.commit(tx).await.unwrap();
        assert_eq!(app.row("k-1").await, before, "not a byte");

        // The one who holds it may.
        let holder = lease("k-1", 2);
        assert_eq!(ledger.renew(&holder).await.unwrap(), Fenced::Done(()));
        assert_ne!(app.row("k-1").await.lease, before.lease);
    });
}

/// Writes one note, and finishes.
#[derive(Debug)]
struct Notes([Phase; 1]);

#[derive(Debug, Serialize, Deserialize)]
struct Note {}

impl Validate for Note {
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

impl LeasedOperation for Notes {
    fn phases(&self) -> &[Phase] {
        &self.0
    }

    fn write<'a>(
        &'a self,
        _phase: &'a str,
        _context: Context<'a>,
        tx: &'a mut Tx,
    ) -> BoxFuture<'a, Result<Written, PhaseError>> {
        Box::pin(async move {
            let insert = "INSERT INTO public.notes DEFAULT VALUES";
            sqlx::query(insert).execute(&mut **tx).await?;
            Ok(Written::Finished(answer()))
        })
    }

    fn call<'a>(&'a self, _: &'a str, _: Context<'a>, _: Uuid) -> BoxFuture<'a, Called> {
        unreachable!("it has no call")
    }
}

async fn with_notes(recipe: Recipe) -> App {
    App::serving(recipe, |store, options, tokens| {
        Routes::new(store.clone(), options)
            .post_leased::<Note>("/notes", std::sync::Arc::new(Notes([Phase::write("note")])))
            .authenticate(tokens)
            .into_router()
    })
    .await
}

#[test]
fn a_zombie_in_its_last_transaction_is_rolled_back_and_gets_the_other_ones_answer() {
    run(async {
        for redis in BOTH {
            let recipe = || {
                Recipe::default().redis(redis.clone()).with(|config| {
                    config.ledger.rescue_interval = Duration::from_hours(1);
                    config.ledger.idle_in_transaction_timeout = Duration::from_mins(1);
                    // The successor comes sooner than any real one: the latch is a hint at once.
                    config.hot.trust_window = Duration::ZERO;
                })
            };
            let app = with_notes(recipe()).await;
            app.execute("CREATE TABLE public.notes (id uuid DEFAULT gen_random_uuid())")
                .await;
            let successor = with_notes(recipe().beside(&app)).await;
            let mut held = app.points.hold("store.leased.before_complete");
            let caller = app.caller();
            let zombie = app
                .store
                .tasks()
                .spawn(async move { caller.post("/notes", "k-1", "{}").await });
            assert!(held.arrived().await);
            app.end_leases().await;
            let reply = successor.caller().post("/notes", "k-1", "{}").await;
            assert_eq!((reply.status, reply.idempotency_status()), (201, "created"));
            held.release();
            let late = zombie.await.unwrap();
            assert_eq!(late.idempotency_status(), "replayed", "{late:?}");
            assert_eq!(late.essence(), reply.essence());
            let n_notes = app.count("SELECT count(*) FROM public.notes").await;
            assert_eq!(n_notes, 1, "the zombie's note was rolled back");
            assert_eq!(app.n_open_transactions().await, 0);
        }
    });
}

#[test]
fn a_heartbeat_keeps_a_slow_attempt_and_one_that_was_lost_stops_it() {
    run(async {
        let processor = Processor::start(true).await.unwrap();
        let recipe = paying_at(&processor, true).with(|config| {
            config.ledger.lease = Duration::from_millis(900);
            config.ledger.lease_renew_interval = Duration::from_millis(300);
            config.processor.timeout = Duration::from_secs(3);
            config.ledger.operation_timeout = Duration::from_secs(8);
        });
        let app = App::made(recipe).await;
        let (caller, mine) = (app.caller(), app.caller());
        processor.script("tok_slow", [Quirk::AnswerLate(Duration::from_millis(2500))]);
        let slow = app
            .store
            .tasks()
            .spawn(async move { pay(&mine, "k-1", "tok_slow").await });
        processor.has_seen("tok_slow", 1).await;
        while !slow.is_finished() {
            let reply = pay(&caller, "k-1", "tok_slow").await;
            assert!(matches!(reply.status, 409 | 201), "{reply:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(slow.await.unwrap().status, 201);
        assert_eq!(app.row("k-1").await.attempt, 1, "nobody took it over");
        assert_eq!(processor.seen("tok_slow").len(), 1);

        // Taken by an operator while its call hangs: it notices at the next heartbeat.
        let mine = app.caller();
        processor.script("tok_held", [Quirk::NeverAnswer]);
        let held = app
            .store
            .tasks()
            .spawn(async move { pay(&mine, "k-2", "tok_held").await });
        processor.has_seen("tok_held", 1).await;
        let release = oncely::ledger::Release {
            seen: lease("k-2", 1),
            who: "ada".to_owned(),
            why: "a test".to_owned(),
        };
        let released = app.store.ledger().release_by_hand(&release).await.unwrap();
        assert_eq!(released, Fenced::Done(()));
        let reply = held.await.unwrap();
        assert_eq!(reply.code(), "in-flight", "it is not its own any more");
        let again = pay(&caller, "k-2", "tok_held").await;
        assert_eq!(again.status, 201, "{again:?}");
        assert_eq!(processor.charges_of("tok_held").len(), 1);
    });
}
