//! A router whose mutating routes say what they do about keys.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on};
use axum::{Extension, Router};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_http::catch_panic::CatchPanicLayer;

use super::authenticate::{Tokens, authenticate};
use super::body::Validate;
use super::code::Code;
use super::guard::Guard;
use super::headers::{IDEMPOTENCY_STATUS, Status};
use super::policy::{Kind, Policy};
use super::problem::Problem;
use super::traced::traced;
use crate::config;
use crate::domain::{Fingerprinter, HeaderAllowList, HeaderRefused, Operation, Tenant};
use crate::store::{Error, Leased, LeasedOperation, Store, WaitingRoom};
use crate::telemetry::metrics;

/// The layer's settings, ready to use.
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) body_limit_bytes: usize,
    pub(super) request_timeout: Duration,
    pub(super) response_limit_bytes: usize,
    pub(super) mismatch_status: StatusCode,
    pub(super) replay_headers: HeaderAllowList,
    pub(super) fingerprinter: Arc<Fingerprinter>,
    pub(super) waiting: WaitingRoom,
}

/// What every guarded route of one router shares.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) store: Store,
    pub(super) options: Options,
}

/// Builds an axum router whose mutating routes each have a [`Policy`].
///
/// A mutating route without a policy does not compile:
///
/// ```compile_fail
/// # fn routes(routes: oncely::http::Routes) -> oncely::http::Routes {
/// routes.post("/charge", || async { "charged" })
/// # }
/// ```
///
/// ```
/// # use oncely::http::{Policy, Routes};
/// # fn routes(routes: Routes) -> Routes {
/// routes.post("/charge", Policy::required(), || async { "charged" })
/// # }
/// ```
#[derive(Debug)]
pub struct Routes<S = ()> {
    router: Router<S>,
    layer: Arc<Layer>,
    caller: Caller,
}

/// Where a request's tenant comes from.
#[derive(Debug, Clone)]
enum Caller {
    /// A layer of the application's own, around this router.
    Outside,
    /// The bearer token.
    Token(Tokens),
    /// There is one.
    Known(Tenant),
}

impl Options {
    /// Takes the settings of the sections `http` and `idempotency`. Fails on a header that must
    /// not be replayed.
    pub fn new(
        http: &config::Http,
        idempotency: &config::Idempotency,
    ) -> Result<Self, HeaderRefused> {
        Ok(Self {
            body_limit_bytes: http.body_limit_bytes,
            request_timeout: http.request_timeout,
            response_limit_bytes: idempotency.response_limit_bytes,
            mismatch_status: StatusCode::from_u16(idempotency.mismatch_status)
                .unwrap_or(StatusCode::UNPROCESSABLE_ENTITY),
            replay_headers: HeaderAllowList::with(idempotency.replay_header_names())?,
            fingerprinter: Arc::new(idempotency.fingerprinter()),
            waiting: WaitingRoom::new(idempotency),
        })
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// Starts with no routes.
    pub fn new(store: Store, options: Options) -> Self {
        Self {
            router: Router::new(),
            layer: Arc::new(Layer { store, options }),
            caller: Caller::Outside,
        }
    }

    /// A route that changes nothing: `GET`, and with it `HEAD`. A key is ignored. It is dropped and
    /// answered with 503 where it takes longer than `http.request_timeout`.
    #[must_use]
    pub fn get<H: Handler<T, S>, T: 'static>(mut self, path: &str, handler: H) -> Self {
        let limit = self.layer.options.request_timeout;
        let route = get(handler).layer(from_fn_with_state(limit, in_time));
        self.router = self.router.route(path, route);
        self
    }

    /// A `POST` route with its policy.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(
        self,
        path: &str,
        policy: Policy,
        handler: H,
    ) -> Self {
        self.mutating(("POST", MethodFilter::POST), path, policy, handler)
    }

    /// A `POST` route of an operation whose effects lie outside Postgres. A key is required, and the
    /// body is a `B`, which is what the phases find as the request.
    #[must_use]
    pub fn post_leased<B>(mut self, path: &str, operation: Arc<dyn LeasedOperation>) -> Self
    where
        B: DeserializeOwned + Serialize + Validate + Send + 'static,
    {
        let name = format!("POST {path}");
        let name = Operation::new(name).expect("invariant: a route is short printable ASCII");
        metrics::register_operation(&name);
        let leased = Leased {
            operation,
            answer_bytes_max: self.layer.options.response_limit_bytes,
        };
        self.layer.store.register(name.clone(), leased.clone());
        let policy = Policy::required().body::<B>();
        let guard = Guard::new(Arc::clone(&self.layer), name, policy);
        let handle = move |request: Request| {
            let (guard, leased) = (guard.clone(), leased.clone());
            async move { guard.handle_leased::<B>(leased, request).await }
        };
        self.router = self.router.route(path, on(MethodFilter::POST, handle));
        self
    }

    /// A `PUT` route with its policy, often [`Policy::natural`].
    #[must_use]
    pub fn put<H: Handler<T, S>, T: 'static>(self, path: &str, policy: Policy, handler: H) -> Self {
        self.mutating(("PUT", MethodFilter::PUT), path, policy, handler)
    }

    /// A `PATCH` route with its policy.
    #[must_use]
    pub fn patch<H: Handler<T, S>, T: 'static>(
        self,
        path: &str,
        policy: Policy,
        handler: H,
    ) -> Self {
        self.mutating(("PATCH", MethodFilter::PATCH), path, policy, handler)
    }

    /// A `DELETE` route with its policy, often [`Policy::natural`].
    #[must_use]
    pub fn delete<H: Handler<T, S>, T: 'static>(
        self,
        path: &str,
        policy: Policy,
        handler: H,
    ) -> Self {
        self.mutating(("DELETE", MethodFilter::DELETE), path, policy, handler)
    }

    /// Requires a bearer token on every route, and takes the tenant from it.
    #[must_use]
    pub fn authenticate(mut self, tokens: Tokens) -> Self {
        self.caller = Caller::Token(tokens);
        self
    }

    /// Serves one tenant, for an application that has only one or authenticates elsewhere.
    ///
    /// An application with several puts each caller's [`Tenant`] into the request's extensions,
    /// in a layer of its own around this router.
    #[must_use]
    pub fn single_tenant(mut self, tenant: Tenant) -> Self {
        self.caller = Caller::Known(tenant);
        self
    }

    /// The finished router. Every answer of it says what the key came to.
    pub fn into_router(self) -> Router<S> {
        let limit = self.layer.options.body_limit_bytes;
        let router = self.router.method_not_allowed_fallback(method_not_allowed);
        // A route layer needs routes, and covers those that are there: so it comes last.
        let router = match self.caller {
            _ if !router.has_routes() => router,
            Caller::Outside => router,
            Caller::Token(tokens) => router.route_layer(from_fn_with_state(tokens, authenticate)),
            Caller::Known(tenant) => router.route_layer(Extension(tenant)),
        };
        router
            .layer(DefaultBodyLimit::max(limit))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(map_response(ignored_unless_said))
            .layer(from_fn(traced))
    }

    fn mutating<H: Handler<T, S>, T: 'static>(
        mut self,
        (method, filter): (&str, MethodFilter),
        path: &str,
        policy: Policy,
        handler: H,
    ) -> Self {
        let name = format!("{method} {path}");
        let operation = Operation::new(name).expect("invariant: a route is short printable ASCII");
        metrics::register_operation(&operation);
        match policy.kind {
            Kind::Required | Kind::Optional => {
                let guard = Guard::new(Arc::clone(&self.layer), operation, policy);
                let handle = move |State(state): State<S>, request: Request| {
                    guard.clone().handle(handler.clone(), state, request)
                };
                self.router = self.router.route(path, on(filter, handle));
            }
            Kind::Natural => {
                // Dropped where it takes too long, as its client's next one does the rest.
                let limit = self.layer.options.request_timeout;
                let route = on(filter, handler).layer(from_fn_with_state(limit, in_time));
                self.router = self.router.route(path, route);
            }
            Kind::Exempt { reason } => {
                tracing::info!(%operation, reason, "this route ignores idempotency keys");
                self.router = self.router.route(path, on(filter, handler));
            }
        }
        self
    }
}

/// A fallback for the outermost router: 404 as a problem document. [`Routes::into_router`] sets
/// none, because two routers with a fallback can't be merged.
pub async fn not_found() -> Problem {
    Problem::new(
        Code::NotFound,
        "See docs/http-api.md for the paths of this service.",
    )
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "See docs/http-api.md for the methods of this resource.",
    )
}

async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            let detail = "The answer took too long. Ask again after Retry-After.";
            Problem::new(Code::StoreUnavailable, detail).into_response()
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is tower-http's"
)]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let error = Error::from_panic(&*panic);
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "a handler panicked"
    );
    Problem::new(Code::Internal, "The request can't be answered.").into_response()
}

async fn ignored_unless_said(mut response: Response) -> Response {
    response
        .headers_mut()
        .entry(IDEMPOTENCY_STATUS)
        .or_insert_with(|| Status::Ignored.value());
    response
}
