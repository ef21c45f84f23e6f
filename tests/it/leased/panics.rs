//! A phase that panics, and an operation that begins with its call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use oncely::domain::Response;
use oncely::http::{Routes, Validate};
use oncely::ledger::Tx;
use oncely::store::{Called, Context, LeasedOperation, Phase, PhaseError, Written};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::world::BOTH;
use crate::harness::{App, Recipe, run};

const TIMEOUT: Duration = Duration::from_secs(1);

/// Calls, then finishes. The first of each panics where it is told to.
#[derive(Debug)]
struct Nervous {
    phases: [Phase; 2],
    n_calls: Arc<AtomicUsize>,
    n_writes: AtomicUsize,
    in_write: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Question {}

impl Validate for Question {
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

impl LeasedOperation for Nervous {
    fn phases(&self) -> &[Phase] {
        &self.phases
    }

    fn write<'a>(
        &'a self,
        _: &'a str,
        context: Context<'a>,
        _: &'a mut Tx,
    ) -> BoxFuture<'a, Result<Written, PhaseError>> {
        Box::pin(async move {
            let n_before = self.n_writes.fetch_add(1, Ordering::SeqCst);
            assert!(!self.in_write || 0 < n_before, "a test made it panic");
            Ok(Written::Finished(Response {
                status: http::StatusCode::OK,
                headers: http::HeaderMap::new(),
                body: context.carried.get::<String>("ask")?.into(),
            }))
        })
    }

    fn call<'a>(&'a self, _: &'a str, _: Context<'a>, key: Uuid) -> BoxFuture<'a, Called> {
        Box::pin(async move {
            let n_before = self.n_calls.fetch_add(1, Ordering::SeqCst);
            assert!(self.in_write || 0 < n_before, "a test made it panic");
            Called::Answered(key.to_string().into())
        })
    }
}

/// An app whose operation panics once, and how often it has called.
async fn nervous(recipe: Recipe, accepts_keys: bool, in_write: bool) -> (App, Arc<AtomicUsize>) {
    let n_calls = Arc::new(AtomicUsize::new(0));
    let operation = Nervous {
        phases: [
            Phase::call("ask", accepts_keys, TIMEOUT),
            Phase::write("end"),
        ],
        n_calls: Arc::clone(&n_calls),
        n_writes: AtomicUsize::new(0),
        in_write,
    };
    let recipe = recipe.with(|it| it.ledger.rescue_interval = Duration::from_hours(1));
    let app = App::serving(recipe, |store, options, tokens| {
        Routes::new(store.clone(), options)
            .post_leased::<Question>("/ask", Arc::new(operation))
            .authenticate(tokens)
            .into_router()
    });
    (app.await, n_calls)
}

#[test]
fn a_call_that_panics_may_have_been_made() {
    run(async {
        for redis in BOTH {
            for (accepts_keys, expected, n_expected) in [(true, 200, 2), (false, 409, 1)] {
                let recipe = Recipe::default().redis(redis.clone());
                let (app, n_calls) = nervous(recipe, accepts_keys, false).await;
                let caller = app.caller();
                let first = caller.post("/ask", "k-1", "{}").await;
                assert_eq!(first.status, expected, "{first:?}");
                let second = caller.post("/ask", "k-1", "{}").await;
                assert_eq!(second.status, expected, "{second:?}");
                if !accepts_keys {
                    assert_eq!(second.code(), "operation-unknown");
                }
                assert_eq!(n_calls.load(Ordering::SeqCst), n_expected);
            }
        }
    });
}

#[test]
fn a_write_that_panics_is_rolled_back_and_the_next_attempt_goes_on_after_the_call() {
    run(async {
        for redis in BOTH {
            let recipe = Recipe::default().redis(redis);
            let (app, n_calls) = nervous(recipe, false, true).await;
            let caller = app.caller();
            let first = caller.post("/ask", "k-1", "{}").await;
            assert_eq!(first.code(), "operation-unfinished", "{first:?}");
            assert_eq!(app.n_open_transactions().await, 0);
            let second = caller.post("/ask", "k-1", "{}").await;
            assert_eq!(
                (second.status, second.idempotency_status()),
                (200, "created")
            );
            let third = caller.post("/ask", "k-1", "{}").await;
            assert_eq!(third.essence(), second.essence());
            assert_eq!(n_calls.load(Ordering::SeqCst), 1, "the call was made once");
        }
    });
}
