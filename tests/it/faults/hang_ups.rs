//! Clients that hang up, at every await point and at random.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use futures_util::future::join_all;
use oncely::config::{Claim, Processor, Tax};
use oncely::payments;
use sqlx::Row;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::world::{POINTS, Pending};
use crate::harness::{App, Recipe, RedisChoice, Reply, run, until};

/// Tells when the server has let go of a request, answered or dropped.
struct Told(UnboundedSender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        // The test may have ended.
        self.0.send(()).ok();
    }
}

async fn tell(State(ends): State<UnboundedSender<()>>, request: Request, next: Next) -> Response {
    let _told = Told(ends);
    next.run(request).await
}

/// The payment path, and a signal for each request that the server has let go of.
async fn observed(recipe: Recipe) -> (App, UnboundedReceiver<()>) {
    let (tell_end, ends) = unbounded_channel();
    let app = App::serving(recipe, |store, options, tokens| {
        payments::routes(
            store,
            options,
            tokens,
            (&Processor::default(), &Tax::default()),
        )
        .unwrap()
        .layer(from_fn_with_state(tell_end, tell))
    });
    (app.await, ends)
}

fn recipes() -> [(&'static str, Recipe); 3] {
    let narrow = |recipe: Recipe| recipe.with(|config| config.ledger.pool_size = 1);
    [
        ("shipped", narrow(Recipe::with_redis())),
        (
            "redis absent",
            narrow(Recipe::default().redis(RedisChoice::Absent)),
        ),
        (
            "insert_wait",
            narrow(Recipe::with_redis().claim(Claim::InsertWait)),
        ),
    ]
}

/// Borrows the pool's only connection and looks whether somebody left a transaction on it.
async fn next_borrower_is_outside_a_transaction(app: &App) {
    let mut connection = app.store.ledger().pool().acquire().await.unwrap();
    let look =
        "SELECT (now() = statement_timestamp()) AND pg_current_xact_id_if_assigned() IS NULL";
    let row = sqlx::raw_sql(look).fetch_one(&mut *connection).await;
    assert!(
        row.unwrap().get::<bool, _>(0),
        "it lies inside a transaction"
    );
}

#[test]
fn a_client_that_hangs_up_at_any_step_has_its_work_done_once_and_its_answer_kept() {
    run(async {
        for (name, recipe) in recipes() {
            let (app, mut ends) = observed(recipe).await;
            let caller = app.caller();
            for (amount, point) in (1..).zip(POINTS) {
                let key = format!("k-{amount}");
                let mut held = app.points.hold(point);
                let request = Pending::charge(&caller, &key, amount);
                assert!(held.arrived().await);
                request.hang_up().await;
                // The server has dropped the request's future; the work is still held.
                ends.recv().await.unwrap();
                held.release();
                until(|| async { app.n_charges_of(amount).await == 1 }).await;
                next_borrower_is_outside_a_transaction(&app).await;
                // It may still be publishing: wait for the answer rather than for the row.
                let retry = settled(&app, &key, amount).await;
                assert_eq!(retry.idempotency_status(), "replayed", "{name}, {point}");
                let statement = format!(
                    "SELECT count(*) FROM oncely.records WHERE response_status = 201 \
                     AND convert_from(response_body, 'UTF8') = '{}'",
                    String::from_utf8(retry.body.to_vec()).unwrap()
                );
                let n_kept = app.count(&statement).await;
                assert_eq!(n_kept, 1, "{name}, {point}: not what the ledger has");
                assert_eq!(app.n_charges_of(amount).await, 1, "{name}, {point}");
                assert_eq!(app.n_open_transactions().await, 0, "{name}, {point}");
                while ends.try_recv().is_ok() {}
            }
        }
    });
}

/// The first answer that is not "in flight".
async fn settled(app: &App, key: &str, amount: i64) -> Reply {
    let caller = app.caller();
    loop {
        let reply = caller.charge(key, amount).await;
        if reply.status != 409 {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn clients_that_hang_up_at_random_lose_no_acknowledged_charge_and_double_none() {
    run(async {
        for pool_size in [2, 4] {
            let recipe = Recipe::default().with(|config| config.ledger.pool_size = pool_size);
            let app = App::made(recipe).await;
            let caller = app.caller();
            let n_requests = 150;
            let workers = (0..10_u64).map(|worker| {
                let (app, caller) = (&app, caller.clone());
                async move {
                    let mut random = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(worker + 1);
                    let (mut acknowledged, mut n_hung_up) = (Vec::new(), 0);
                    for at in 0..n_requests / 10 {
                        random = random
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1);
                        let amount = i64::try_from(1 + worker * 1000 + at).unwrap();
                        let key = format!("k-{amount}");
                        // Hanging up at a random instant is the fault itself.
                        let patience = Duration::from_micros((random >> 33) % 12_000);
                        let hasty = caller.charge(&key, amount);
                        let answer = tokio::time::timeout(patience, hasty).await;
                        n_hung_up += usize::from(answer.is_err());
                        if at % 3 == 0 {
                            let reply = settled(app, &key, amount).await;
                            assert_eq!(reply.status, 201, "{reply:?}");
                            acknowledged.push(amount);
                        }
                    }
                    (acknowledged, n_hung_up)
                }
            });
            let (acknowledged, n_hung_up): (Vec<_>, Vec<_>) =
                join_all(workers).await.into_iter().unzip();
            assert!(n_hung_up.iter().any(|it| 0 < *it), "nobody hung up");
            for amount in acknowledged.concat() {
                assert_eq!(app.n_charges_of(amount).await, 1, "pool of {pool_size}");
            }
            let n_twice = "SELECT count(*) FROM (SELECT 1 FROM public.charges GROUP BY amount \
                           HAVING 1 < count(*)) twice";
            assert_eq!(app.count(n_twice).await, 0, "pool of {pool_size}");
            let tasks = app.store.tasks();
            // Two loops of the store, two of the hot path and the server stay.
            until(|| async { tasks.len() <= 5 }).await;
            assert_eq!(app.n_charges().await, app.n_records().await);
            assert_eq!(app.n_open_transactions().await, 0);
        }
    });
}
