//! A caller who sends the same request until it is answered, and writes down all that he sees.

use std::time::Duration;

use http::Method;
use oncely::domain::{Identity, Key, Lease, Operation, Tenant};
use oncely::history::{Answer, Log};
use oncely::ledger::{Finding, Resolve};
use serde_json::json;
use sqlx::Row as _;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::world::{SOURCE, World};
use crate::harness::{Caller, Reply};

/// How long one request may take; the service answers in less.
const REQUEST: Duration = Duration::from_secs(5);

/// A pause between two tries.
const PAUSE: Duration = Duration::from_millis(40);

/// How long a caller goes on: the bound, and what a busy machine adds to it.
const PATIENCE: Duration = Duration::from_mins(2);

/// One operation of one caller.
#[derive(Clone)]
pub(super) struct Client {
    log: Log,
    path: &'static str,
    key: String,
    amount: i64,
    /// What came back, one word for each try.
    pub(super) trail: Vec<String>,
}

/// How asking for an answer ended.
pub(super) enum Heard {
    Done,
    /// Nobody listens any more.
    Dead,
}

impl Client {
    /// The `n`th operation of the cell. Its amount is its own, so that a table's row tells its key.
    pub(super) fn new(log: &Log, world: &World, n: i64) -> Self {
        Self {
            log: log.clone(),
            path: if world.story.is_payment() {
                "/payments"
            } else {
                "/charge"
            },
            key: key(n),
            amount: amount(n),
            trail: Vec::new(),
        }
    }

    /// Sends once; `None` where no answer came.
    pub(super) async fn send(&mut self, url: &str) -> Option<Reply> {
        let sku = if self.path == "/charge" {
            r#", "sku": "sku-1", "quantity": 1"#
        } else {
            ""
        };
        let body = format!(
            r#"{{"amount": {}, "currency": "USD", "source": "{SOURCE}"{sku}}}"#,
            self.amount
        );
        let caller = Caller::new(url, "demo-token");
        let call = self.log.invoke(self.key.clone(), asks(self.amount));
        let headers = [("idempotency-key", self.key.as_str())];
        let sending = caller.try_send(Method::POST, self.path, &headers, &body);
        if let Ok(Ok(reply)) = timeout(REQUEST, sending).await {
            let (status, code) = (reply.idempotency_status(), reply.code());
            let code = Some(code.as_str()).filter(|it| !it.is_empty());
            let answer = Answer::of(reply.status, status, code, &reply.body);
            self.log.answer(call, answer);
            self.note(format!("{} {status}", reply.status));
            Some(reply)
        } else {
            self.log.lost(call);
            self.note("lost".to_owned());
            None
        }
    }

    /// Sends until it is done, or until `is_dead` says that nobody is there.
    pub(super) async fn until_done(
        &mut self,
        world: &World,
        url: &str,
        is_dead: impl Fn() -> bool,
    ) -> Result<Heard, String> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.send(url).await {
                Some(reply) if reply.status == 201 => return Ok(Heard::Done),
                Some(reply) if reply.code() == "operation-unknown" => self.resolve(world).await,
                Some(reply) if !matches!(reply.status, 409 | 503) => {
                    return Err(format!("{}: {}", reply.status, reply.code()));
                }
                Some(_) => (),
                None if is_dead() => return Ok(Heard::Dead),
                None => (),
            }
            sleep(PAUSE).await;
        }
        Err(format!("no answer after {PATIENCE:?}: {}", self.summary()))
    }

    /// What came back, with repeats counted.
    pub(super) fn summary(&self) -> String {
        let mut words: Vec<(String, usize)> = Vec::new();
        for word in &self.trail {
            match words.last_mut() {
                Some(last) if last.0 == *word => last.1 += 1,
                _ => words.push((word.clone(), 1)),
            }
        }
        let word = |it: &(String, usize)| match it.1 {
            1 => it.0.clone(),
            n => format!("{}×{n}", it.0),
        };
        words.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    fn note(&mut self, word: String) {
        self.trail.push(word);
    }

    /// Says what the processor's books say, as an operator does.
    async fn resolve(&self, world: &World) {
        let seen = format!(
            "SELECT attempt FROM oncely.records WHERE id = '\\x{}'",
            hex(lease_id(&self.key))
        );
        let attempt: i32 = world.rows(&seen).await[0].get(0);
        let finding = match &world.processor.charges_of(SOURCE)[..] {
            [] => Finding::DidNotHappen,
            [charge, ..] => Finding::Happened(json!({"succeeded": {"reference": charge.id}})),
        };
        let ledger = world.ledger();
        let resolve = Resolve {
            seen: Lease {
                id: lease_id(&self.key),
                tenant: Tenant::new("demo").unwrap(),
                attempt,
            },
            finding,
            who: "ada".to_owned(),
            why: "the processor's books".to_owned(),
        };
        // Where somebody was quicker, or the database is slow, the next try finds out.
        ledger.resolve(&resolve).await.ok();
        ledger.close().await;
    }
}

/// The key of the `n`th operation.
pub(super) fn key(n: i64) -> String {
    format!("k-{n}")
}

/// Its amount.
pub(super) fn amount(n: i64) -> i64 {
    4200 + n
}

/// What a request of this amount asks for.
pub(super) fn asks(amount: i64) -> String {
    format!("{amount} USD")
}

fn lease_id(key: &str) -> [u8; 16] {
    id_of("POST /payments", key)
}

/// The id of the record of `key` at this operation.
pub(super) fn id_of(operation: &str, key: &str) -> [u8; 16] {
    let tenant = Tenant::new("demo").unwrap();
    let operation = Operation::new(operation).unwrap();
    let key = Key::from_header([key.as_bytes()]).unwrap();
    Identity::of(&tenant, &operation, &key).id()
}

/// Bytes as Postgres' `encode` writes them.
pub(super) fn hex(bytes: [u8; 16]) -> String {
    Uuid::from_bytes(bytes).simple().to_string()
}
