//! A client that sends what a test says, and keeps every byte that comes back.

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

/// A client with a token. Each request may have its own headers and body.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// An answer, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Caller {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        // The client's feature brings TLS with it. Nobody here speaks it, and to read the system's
        // certificates takes a while.
        oncely::client::provide_tls();
        let http = reqwest::Client::builder()
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none());
        Self {
            http: http.build().unwrap(),
            url: url.to_owned(),
            token: token.to_owned(),
        }
    }

    /// `POST /charge` with a key and an amount, everything else usual.
    pub(crate) async fn charge(&self, key: &str, amount: i64) -> Reply {
        self.post("/charge", key, &charge_body(amount)).await
    }

    /// `POST` of a JSON body with a key.
    pub(crate) async fn post(&self, path: &str, key: &str, body: &str) -> Reply {
        self.send(Method::POST, path, &[("idempotency-key", key)], body)
            .await
    }

    /// `GET`.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], "").await
    }

    /// Any request; the content type is JSON unless `headers` has another.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    /// Any request, which may not be answered.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> reqwest::Result<Reply> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .body(body.to_owned());
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        Ok(Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await?,
        })
    }
}

impl Reply {
    /// A header's value; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// What the key came to.
    pub(crate) fn idempotency_status(&self) -> &str {
        self.header("idempotency-status")
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The problem's code; empty where this is no problem.
    pub(crate) fn code(&self) -> String {
        if self.header("content-type") != "application/problem+json" {
            return String::new();
        }
        self.json()["code"].as_str().unwrap().to_owned()
    }

    /// What a replay must repeat: status, body, and the headers that belong to the answer.
    pub(crate) fn essence(&self) -> (u16, Bytes, Vec<(String, Bytes)>) {
        let of_the_moment = [
            "date",
            "cache-control",
            "idempotency-status",
            "idempotent-replayed",
            "oncely-original-time",
        ];
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| !of_the_moment.contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), Bytes::copy_from_slice(value.as_bytes())))
            .collect();
        headers.sort();
        (self.status, self.body.clone(), headers)
    }
}

/// The body of a usual charge.
pub(crate) fn charge_body(amount: i64) -> String {
    format!(r#"{{"amount": {amount}, "currency": "USD", "source": "tok_visa"}}"#)
}
