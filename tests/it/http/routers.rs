//! The layer's router inside somebody's own.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Extension, Router};
use http::StatusCode;
use oncely::domain::Tenant;
use oncely::http::{Policy, Routes, Tx};

use super::shop::effect;
use crate::harness::{App, Recipe, run};

/// Somebody's own state.
#[derive(Clone)]
struct Shelf {
    label: &'static str,
}

async fn order(
    State(shelf): State<Shelf>,
    Extension(tenant): Extension<Tenant>,
    Path(id): Path<String>,
    mut tx: Tx,
) -> String {
    let what = format!("{} {tenant} {id}", shelf.label);
    effect(&mut tx, &what).await;
    what
}

fn own_router(nested: Router<Shelf>, merged: Router<Shelf>) -> Router {
    Router::new()
        .route(
            "/about",
            get(async |State(shelf): State<Shelf>| shelf.label),
        )
        .nest("/v1", nested)
        .merge(merged)
        .fallback(async || "somebody's own fallback")
        .with_state(Shelf { label: "shelf" })
}

async fn library() -> App {
    let app = App::serving(Recipe::default(), |store, options, tokens| {
        let routes = || Routes::<Shelf>::new(store.clone(), options.clone());
        let nested = routes()
            .post("/orders/{id}", Policy::required(), order)
            .authenticate(tokens)
            .into_router();
        let merged = routes()
            .post("/gifts/{id}", Policy::required(), order)
            .single_tenant(Tenant::new("house").unwrap())
            .into_router();
        own_router(nested, merged)
    })
    .await;
    app.execute("CREATE TABLE public.effects (what text NOT NULL)")
        .await;
    app
}

#[test]
fn a_router_of_the_layer_can_be_nested_and_merged_with_the_state_of_others() {
    run(async {
        let app = library().await;
        for (path, body) in [
            ("/v1/orders/7", "shelf demo 7"),
            ("/gifts/7", "shelf house 7"),
        ] {
            for expected in ["created", "replayed"] {
                let reply = app.caller().post(path, "k-1", "{}").await;
                assert_eq!(
                    (reply.idempotency_status(), &reply.body[..]),
                    (expected, body.as_bytes())
                );
            }
            assert_eq!(app.n_effects(body).await, 1);
        }
        assert_eq!(app.caller().get("/about").await.body, "shelf");
        assert_eq!(
            app.caller().get("/elsewhere").await.body,
            "somebody's own fallback"
        );
    });
}

#[test]
fn a_single_tenant_needs_no_token_and_the_others_still_do() {
    run(async {
        let app = library().await;
        let stranger = crate::harness::Caller::new(&app.url, "no-token-of-ours");
        assert_eq!(stranger.post("/gifts/7", "k-1", "{}").await.status, 200);
        assert_eq!(
            stranger.post("/v1/orders/7", "k-1", "{}").await.code(),
            "unauthorized"
        );
    });
}

#[test]
fn a_guarded_route_that_knows_no_tenant_is_500_and_runs_nothing() {
    run(async {
        let app = App::serving(Recipe::default(), |store, options, _tokens| {
            Routes::new(store.clone(), options)
                .post("/open", Policy::optional(), async |_: Tx| "done")
                .into_router()
        })
        .await;
        let reply = app.caller().post("/open", "k-1", "{}").await;
        assert_eq!((reply.status, reply.code().as_str()), (500, "internal"));
        assert!(app.is_untouched().await);
    });
}

#[test]
fn the_same_route_under_two_prefixes_is_two_operations() {
    run(async {
        let app = App::serving(Recipe::default(), |store, options, tokens| {
            let orders = || {
                Routes::new(store.clone(), options.clone())
                    .post("/orders", Policy::required(), || async {
                        StatusCode::CREATED
                    })
                    .authenticate(tokens.clone())
                    .into_router()
            };
            Router::new().nest("/v1", orders()).nest("/v2", orders())
        })
        .await;
        for path in ["/v1/orders", "/v2/orders"] {
            let first = app.caller().post(path, "k-1", "{}").await;
            assert_eq!(first.idempotency_status(), "created", "{path}");
            let again = app.caller().post(path, "k-1", "{}").await;
            assert_eq!(again.idempotency_status(), "replayed", "{path}");
        }
        assert_eq!(app.n_records().await, 2);
    });
}
