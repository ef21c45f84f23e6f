//! Several `PUT`s at once, all of which have looked before the first one writes.

use std::time::Duration;

use futures_util::future::join_all;
use oncely::testkit::{TaxQuirk, TaxService};

use super::world::{asking, put};
use crate::harness::{App, Reply, run};

/// Long enough for all to have looked before the first one gets its answer; a test that asserts how
/// many questions there were knows that they had.
const MEANWHILE: Duration = Duration::from_millis(500);

/// Eight at once, each with an amount of its own.
async fn eight(app: &App, conditions: &[(&str, &str)]) -> Vec<Reply> {
    let caller = app.caller();
    let all = (10..18).map(|amount| put(&caller, "inv_1", conditions, amount));
    join_all(all).await
}

fn n_of(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|it| it.status == status).count()
}

#[test]
fn of_eight_with_the_same_condition_one_wins() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        service.always(TaxQuirk::AnswerLate(MEANWHILE));
        let first = eight(&app, &[("if-none-match", "*")]).await;
        assert_eq!((n_of(&first, 201), n_of(&first, 412)), (1, 7), "{first:?}");
        assert_eq!(service.asked().len(), 8, "all had looked");

        // 1000 is not among the eight, so that each asks for something else.
        service.always(TaxQuirk::None);
        let known = put(&app.caller(), "inv_1", &[], 1000).await;
        assert_eq!(known.header("etag"), "\"2\"");
        service.always(TaxQuirk::AnswerLate(MEANWHILE));
        let second = eight(&app, &[("if-match", "\"2\"")]).await;
        assert_eq!(
            (n_of(&second, 200), n_of(&second, 412)),
            (1, 7),
            "{second:?}"
        );
        assert_eq!(service.asked().len(), 17, "all had looked");
        let winner = second.iter().find(|it| it.status == 200).unwrap();
        assert_eq!(winner.header("etag"), "\"3\"");
        let shown = app.caller().get("/invoices/inv_1").await;
        assert_eq!(shown.body, winner.body);
        assert_eq!((app.n_invoices().await, app.n_lines().await), (1, 2));
        assert_eq!(app.n_told("invoice.created").await, 1);
        assert_eq!(app.n_told("invoice.replaced").await, 2);
    });
}

#[test]
fn of_eight_without_a_condition_one_creates_and_each_other_replaces_the_one_before() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        service.always(TaxQuirk::AnswerLate(MEANWHILE));
        let replies = eight(&app, &[]).await;
        assert_eq!(
            (n_of(&replies, 201), n_of(&replies, 200)),
            (1, 7),
            "{replies:?}"
        );
        let mut tags: Vec<_> = replies.iter().map(|it| it.header("etag")).collect();
        tags.sort_unstable();
        let all = [1, 2, 3, 4, 5, 6, 7, 8].map(|it| format!("\"{it}\""));
        assert_eq!(tags, all, "each write has a tag of its own");
        let last = replies.iter().find(|it| it.header("etag") == "\"8\"");
        let shown = app.caller().get("/invoices/inv_1").await;
        assert_eq!(shown.body, last.unwrap().body);
        assert_eq!((app.n_invoices().await, app.n_lines().await), (1, 2));
        assert_eq!(app.n_told("invoice.replaced").await, 7);
        assert_eq!(app.n_open_transactions().await, 0);
    });
}

#[test]
fn of_eight_that_ask_for_the_same_one_creates_and_nothing_is_replaced() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        service.always(TaxQuirk::AnswerLate(MEANWHILE));
        let caller = app.caller();
        let replies = join_all((0..8).map(|_| put(&caller, "inv_1", &[], 1000))).await;
        assert_eq!(
            (n_of(&replies, 201), n_of(&replies, 200)),
            (1, 7),
            "{replies:?}"
        );
        assert!(
            replies.iter().all(|it| it.body == replies[0].body),
            "{replies:?}"
        );
        assert_eq!(service.asked().len(), 8, "all had looked");
        assert_eq!(app.n_told("invoice.created").await, 1);
        assert_eq!(app.n_told("invoice.replaced").await, 0);
    });
}
