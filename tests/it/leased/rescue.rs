//! Operations whose clients are gone.

use std::time::Duration;

use oncely::failpoint::Action;
use oncely::testkit::Processor;

use super::world::{BOTH, pay, paying_at};
use crate::harness::{App, run, until};

const SOON: Duration = Duration::from_millis(100);

#[test]
fn an_abandoned_operation_is_brought_to_its_end_without_its_client() {
    run(async {
        for redis in BOTH {
            let processor = Processor::start(true).await.unwrap();
            let recipe = paying_at(&processor, true).redis(redis);
            let app = App::made(recipe.with(|it| it.ledger.rescue_interval = SOON)).await;
            for (point, source) in [
                ("store.leased.after_claim", "tok_1"),
                ("store.leased.after_phase", "tok_2"),
                ("store.leased.before_call", "tok_3"),
                ("store.leased.after_call", "tok_4"),
                ("store.leased.before_complete", "tok_5"),
            ] {
                app.points.arm(point, Action::Error);
                let reply = pay(&app.caller(), source, source).await;
                assert_eq!(reply.status, 503, "{point}: {reply:?}");
                if point == "store.leased.after_claim" {
                    app.end_leases().await;
                }
                until(|| async { app.row(source).await.state == "completed" }).await;
                assert_eq!(processor.charges_of(source).len(), 1, "{point}");
                let retry = pay(&app.caller(), source, source).await;
                assert_eq!(retry.idempotency_status(), "replayed", "{point}");
                assert_eq!(retry.status, 201, "{point}");
                assert_eq!(app.n_payments(source, "succeeded").await, 1, "{point}");
            }
            assert_eq!(app.n_events().await, 5);
        }
    });
}

#[test]
fn a_rescue_sends_nothing_blindly() {
    run(async {
        let processor = Processor::start(false).await.unwrap();
        let recipe = paying_at(&processor, false);
        let app = App::made(recipe.with(|it| it.ledger.rescue_interval = SOON)).await;
        app.points.arm("store.leased.after_call", Action::Error);
        let reply = pay(&app.caller(), "k-1", "tok_visa").await;
        assert_eq!(reply.code(), "operation-unfinished", "{reply:?}");
        until(|| async { app.row("k-1").await.state == "unknown" }).await;
        let reply = pay(&app.caller(), "k-1", "tok_visa").await;
        assert_eq!(reply.code(), "operation-unknown");
        assert_eq!(processor.seen("tok_visa").len(), 1);
    });
}
