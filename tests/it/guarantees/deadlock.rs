//! Two handlers that lock the same rows in opposite order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Extension;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use oncely::config::Claim;
use oncely::http::{Code, Policy, Problem, Routes, Tx};
use sqlx::error::DatabaseError;
use tokio::sync::Barrier;

use super::world::{Pending, unhurried};
use crate::harness::{App, run};

const ADD: &str = "UPDATE public.accounts SET balance = balance + 1 WHERE name = $1";

/// Where the first two handlers wait for each other; later ones pass.
struct Meeting {
    barrier: Barrier,
    n_arrived: AtomicUsize,
}

impl Meeting {
    async fn arrive(&self) {
        if self.n_arrived.fetch_add(1, Ordering::Relaxed) < 2 {
            self.barrier.wait().await;
        }
    }
}

/// An app whose `POST /add/{first}/{second}` locks `first`, then `second`.
async fn app(claim: Claim) -> App {
    let meeting = Arc::new(Meeting {
        barrier: Barrier::new(2),
        n_arrived: AtomicUsize::new(0),
    });
    // A latch that the victim left behind would be believed until the test gives up.
    let recipe = unhurried()
        .claim(claim)
        .with(|config| config.hot.trust_window = config.hot.latch_ttl);
    let app = App::serving(recipe, |store, options, tokens| {
        Routes::new(store.clone(), options)
            .post("/add/{first}/{second}", Policy::required(), add)
            .authenticate(tokens)
            .into_router()
            .layer(Extension(meeting))
    })
    .await;
    app.execute(
        "CREATE TABLE public.accounts (name text PRIMARY KEY, balance int NOT NULL);
         INSERT INTO public.accounts VALUES ('a', 0), ('b', 0)",
    )
    .await;
    app
}

async fn add(
    mut tx: Tx,
    Extension(meeting): Extension<Arc<Meeting>>,
    Path((first, second)): Path<(String, String)>,
) -> Response {
    sqlx::query(ADD)
        .bind(first)
        .execute(&mut *tx)
        .await
        .unwrap();
    meeting.arrive().await;
    match sqlx::query(ADD).bind(second).execute(&mut *tx).await {
        Ok(_) => StatusCode::CREATED.into_response(),
        Err(error) => {
            let code = error.as_database_error().and_then(DatabaseError::code);
            assert_eq!(code.as_deref(), Some("40P01"), "a deadlock: {error}");
            Problem::new(Code::StoreUnavailable, "Come again.").into_response()
        }
    }
}

#[test]
fn of_two_handlers_that_deadlock_one_succeeds_and_the_others_retry_runs() {
    run(async {
        for claim in [Claim::Advisory, Claim::InsertWait] {
            let app = app(claim).await;
            let caller = app.caller();
            let requests = [("/add/a/b", "k-1"), ("/add/b/a", "k-2")];
            let [one, other] = requests.map(|(path, key)| Pending::post(&caller, path, key, "{}"));
            let (one, other) = (one.reply().await, other.reply().await);
            let mut statuses = [one.status, other.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [201, 503], "{claim:?}: {one:?} {other:?}");
            let both = "SELECT sum(balance) FROM public.accounts";
            assert_eq!((app.count(both).await, app.n_records().await), (2, 1));

            for ((path, key), first) in requests.into_iter().zip([one, other]) {
                let retry = caller.post(path, key, "{}").await;
                let expected = if first.status == 201 {
                    "replayed"
                } else {
                    "created"
                };
                assert_eq!(
                    (retry.status, retry.idempotency_status()),
                    (201, expected),
                    "{claim:?}: {retry:?}"
                );
            }
            assert_eq!((app.count(both).await, app.n_records().await), (4, 2));
        }
    });
}
