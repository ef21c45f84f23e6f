//! A server that does what a test says, and keeps what it received.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method};
use oncely::shutdown::Tasks;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// A request as it was received.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Since the server began.
    pub(super) at: Duration,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A running server.
pub(super) struct Server {
    /// Where it answers: `http://127.0.0.1:…`.
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: Tasks,
}

impl Server {
    /// Answers each request with what `answer` makes of it and of how many came before.
    pub(super) async fn start<A, F>(answer: A) -> Self
    where
        A: Fn(usize, Seen) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (book, began_at) = (Arc::clone(&seen), Instant::now());
        let handler = move |request: Request| {
            let (book, answer) = (Arc::clone(&book), answer.clone());
            async move {
                let (head, body) = request.into_parts();
                let request = Seen {
                    at: began_at.elapsed(),
                    method: head.method,
                    path: head.uri.path().to_owned(),
                    headers: head.headers,
                    body: axum::body::to_bytes(body, usize::MAX).await.unwrap(),
                };
                let n_before = {
                    let mut book = book.lock().unwrap();
                    book.push(request.clone());
                    book.len() - 1
                };
                answer(n_before, request).await
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Router::new().fallback(handler);
        let tasks = Tasks::default();
        tasks.spawn_loop(async move { axum::serve(listener, service).await.unwrap() });
        Self {
            url,
            seen,
            _tasks: tasks,
        }
    }

    /// Answers with these statuses in turn, and then with the last one for ever.
    pub(super) async fn statuses(statuses: &'static [u16]) -> Self {
        Self::start(
            move |n, _| async move { reply(statuses[n.min(statuses.len() - 1)], &[], "{}") },
        )
        .await
    }

    /// What it received.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests it received.
    pub(super) fn n_seen(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Seen {
    /// A header's value.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// An answer.
pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: &'static str) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body)).unwrap()
}
