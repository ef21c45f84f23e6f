//! A service of the tests' own: each route writes one row and gives the answer that it is named for.

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use oncely::http::{Keeping, Policy, Routes, Tx};

use crate::harness::{App, Recipe};

/// Over the limit of what is stored by default, 256 KiB.
pub(super) const LARGE: usize = 262_145;

/// An app with `POST /answer/{name}`, whose handler writes `name` to `public.effects` and gives
/// the answer of that name.
pub(super) async fn shop(recipe: Recipe) -> App {
    shop_with(recipe, |routes| routes).await
}

/// The same with further routes.
pub(super) async fn shop_with(recipe: Recipe, more: impl FnOnce(Routes) -> Routes) -> App {
    let app = App::serving(recipe, |store, options, tokens| {
        let routes =
            Routes::new(store.clone(), options).post("/answer/{name}", Policy::required(), answer);
        more(routes).authenticate(tokens).into_router()
    })
    .await;
    app.execute("CREATE TABLE IF NOT EXISTS public.effects (what text NOT NULL)")
        .await;
    app
}

impl App {
    /// How often the effect of this name was committed.
    pub(super) async fn n_effects(&self, what: &str) -> i64 {
        self.count(&format!(
            "SELECT count(*) FROM public.effects WHERE what = '{what}'"
        ))
        .await
    }
}

/// Writes one row into `public.effects`.
pub(super) async fn effect(tx: &mut Tx, what: &str) {
    sqlx::query("INSERT INTO public.effects (what) VALUES ($1)")
        .bind(what)
        .execute(&mut **tx)
        .await
        .unwrap();
}

async fn answer(mut tx: Tx, Path(name): Path<String>) -> Response {
    effect(&mut tx, &name).await;
    if let Some(status) = name.strip_prefix("status-") {
        let status: StatusCode = status.parse().unwrap();
        return (status, format!("it is {status}")).into_response();
    }
    match name.as_str() {
        "panic" => panic!("the handler of this test panics"),
        "aborted" => {
            // The handler swallows the error, and the transaction is lost nevertheless.
            let failed = sqlx::query("SELECT 1 / 0").execute(&mut *tx).await;
            assert!(failed.is_err());
            "all is well".into_response()
        }
        _ => named(&name),
    }
}

/// Answers that depend on nothing but their name.
pub(super) fn named(name: &str) -> Response {
    match name {
        "gzip" => (
            [
                (header::CONTENT_TYPE, "application/json"),
                (header::CONTENT_ENCODING, "gzip"),
            ],
            // `{}` as gzip makes it.
            Bytes::from_static(
                b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0",
            ),
        )
            .into_response(),
        "binary" => (0..=255_u8).collect::<Vec<_>>().into_response(),
        "empty" => StatusCode::OK.into_response(),
        "no-content" => StatusCode::NO_CONTENT.into_response(),
        "created" => (
            StatusCode::CREATED,
            [(header::LOCATION, "/thing/1"), (header::ETAG, "\"v: 1\"")],
            "made",
        )
            .into_response(),
        "see-other" => (StatusCode::SEE_OTHER, [(header::LOCATION, "/thing/1")]).into_response(),
        "links" => {
            let mut response = "linked".into_response();
            for link in ["</z>; rel=next", "</a>; rel=prev", "</m>"] {
                response
                    .headers_mut()
                    .append(header::LINK, link.parse().unwrap());
            }
            response
        }
        "session" => {
            let mut response = "a session".into_response();
            for (name, value) in [
                ("set-cookie", "session=canary-cookie"),
                ("date", "Sat, 01 Jan 2000 00:00:00 GMT"),
                ("keep-alive", "timeout=canary-keep-alive"),
                ("www-authenticate", "canary-challenge"),
                ("x-request-id", "canary-request-id"),
                ("x-receipt", "r-1"),
            ] {
                let name: header::HeaderName = name.parse().unwrap();
                response.headers_mut().append(name, value.parse().unwrap());
            }
            response
        }
        "large" => vec![b'l'; LARGE].into_response(),
        "middling" => vec![b'm'; 100_000].into_response(),
        "many-headers" => {
            let mut response = "linked".into_response();
            for _ in 0..20 {
                let link = format!("<{}>", "l".repeat(3500)).parse().unwrap();
                response.headers_mut().append(header::LINK, link);
            }
            response
        }
        "broken" => {
            let parts = [
                Ok(Bytes::from_static(b"half")),
                Err(std::io::Error::other("broke off")),
            ];
            Body::from_stream(futures_util::stream::iter(parts)).into_response()
        }
        "kept-429" => kept(StatusCode::TOO_MANY_REQUESTS, Keeping::Answer),
        "committed-402" => kept(StatusCode::PAYMENT_REQUIRED, Keeping::EffectsAndAnswer),
        "forgotten-200" => kept(StatusCode::OK, Keeping::Nothing),
        "kept-500" => kept(StatusCode::INTERNAL_SERVER_ERROR, Keeping::EffectsAndAnswer),
        _ => panic!("no answer is called {name}"),
    }
}

fn kept(status: StatusCode, keeping: Keeping) -> Response {
    let mut response = (status, "as asked").into_response();
    response.extensions_mut().insert(keeping);
    response
}
