//! Who asks is settled before anything else, every time.

use http::Method;
use oncely::http::Routes;

use crate::harness::{App, Caller, Recipe, charge_body, run};

const KEY: [(&str, &str); 1] = [("idempotency-key", "k-1")];

#[test]
fn without_a_token_nothing_else_is_looked_at() {
    run(async {
        let app = App::start().await;
        let stranger = Caller::new(&app.url, "no-token-of-ours");
        for (headers, body) in [
            (&[][..], charge_body(1)),
            (&[("idempotency-key", "a, b")], "{".to_owned()),
            (&KEY, "a".repeat(2_000_000)),
        ] {
            let Ok(reply) = stranger
                .try_send(Method::POST, "/charge", headers, &body)
                .await
            else {
                // The connection was closed while the body, far too large, was still under way.
                assert!(1_000_000 < body.len());
                continue;
            };
            assert_eq!((reply.status, reply.code().as_str()), (401, "unauthorized"));
            assert_eq!(reply.header("www-authenticate"), "Bearer");
        }
        assert!(app.is_untouched().await);
    });
}

#[test]
fn a_route_added_after_the_tokens_asks_for_one_too() {
    run(async {
        let app = App::serving(Recipe::default(), |store, options, tokens| {
            let routes = Routes::new(store.clone(), options).authenticate(tokens);
            routes.get("/late", || async { "late" }).into_router()
        })
        .await;
        assert_eq!(
            Caller::new(&app.url, "no-token-of-ours")
                .get("/late")
                .await
                .status,
            401
        );
        assert_eq!(app.caller().get("/late").await.status, 200);
    });
}

#[test]
fn a_revoked_token_cannot_read_an_answer_back() {
    run(async {
        let app = App::start().await;
        assert_eq!(app.caller().charge("k-1", 4200).await.status, 201);
        let revoking = Recipe::default().beside(&app);
        let after = App::made(revoking.without_token("demo-token")).await;
        let refused = after.caller().charge("k-1", 4200).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (401, "unauthorized")
        );
        assert_eq!(refused.header("idempotent-replayed"), "");
        assert_eq!(app.n_charges().await, 1);
    });
}

#[test]
fn another_tenant_with_the_same_key_gets_its_own_charge() {
    run(async {
        let app = App::start().await;
        let ours = app.caller().charge("k-1", 4200).await;
        let theirs = app.other_tenant().charge("k-1", 4200).await;
        assert_eq!(theirs.idempotency_status(), "created");
        assert_ne!(theirs.json()["id"], ours.json()["id"]);
        for (caller, first) in [(app.caller(), ours), (app.other_tenant(), theirs)] {
            let again = caller.charge("k-1", 4200).await;
            assert_eq!(again.essence(), first.essence());
        }
        assert_eq!(app.n_charges_of(4200).await, 2);
    });
}
