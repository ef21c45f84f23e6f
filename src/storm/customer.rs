//! The customers: each order by the retrying client until it is answered, and whoever sends the same
//! key a second time.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::time::sleep;

use super::history::{CHARGE, History, PAYMENT, Witness};
use super::plan::{Kind, Mischief, Order, Trouble};
use super::timeline::Timeline;
use crate::backoff;
use crate::client::{self, Client, Deadline, Error, Operation, Outcome, Response, breaker, budget};
use crate::domain::Key;
use crate::sandbox::{Processor, Quirk};

/// What is bought.
pub(super) const SKU: &str = "storm";

/// How long one call of the client may take; then it is asked again.
const CALL: Duration = Duration::from_secs(15);
/// How long one attempt may take. Longer than most pauses, shorter than a customer's patience.
const ATTEMPT: Duration = Duration::from_secs(3);
/// The longest wait from one call to the next.
const BREAK_MAX: Duration = Duration::from_secs(2);

/// Who orders, and where.
#[derive(Debug)]
pub(super) struct Customer {
    client: Client,
    /// Knows no gate and does not retry.
    side: reqwest::Client,
    gate_url: String,
    side_url: String,
    token: String,
    /// The amount of the first order.
    pub(super) base: i64,
    pub(super) history: History,
    timeline: Timeline,
    ends: Mutex<Vec<End>>,
    mints_anew: bool,
}

/// Where orders go, and with which credential.
#[derive(Debug)]
pub(super) struct Address {
    /// Through the proxy, where requests and answers are lost.
    pub(super) gate_url: String,
    /// Past it, to another process where there is one.
    pub(super) side_url: String,
    pub(super) token: String,
}

/// What became of an order.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) order: Order,
    pub(super) key: Key,
    /// What the history calls its key.
    pub(super) register: String,
    pub(super) body: Bytes,
    pub(super) took: Duration,
    pub(super) n_attempts: u32,
    /// `None` where it was never answered.
    pub(super) status: Option<u16>,
}

impl Order {
    /// The amount that is this order's own, where the first one's is `base`.
    pub(super) fn amount(&self, base: i64) -> i64 {
        base + 2 * i64::from(self.number)
    }

    pub(super) fn path(&self) -> &'static str {
        match self.kind {
            Kind::Charge | Kind::Declined => "/charge",
            Kind::Payment(_) => "/payments",
        }
    }

    pub(super) fn operation(&self) -> &'static str {
        match self.kind {
            Kind::Charge | Kind::Declined => CHARGE,
            Kind::Payment(_) => PAYMENT,
        }
    }

    pub(super) fn source(&self) -> String {
        match self.kind {
            Kind::Charge => "tok_visa".to_owned(),
            Kind::Declined => "tok_declined".to_owned(),
            // One of its own: the processor's bad days are told by the source.
            Kind::Payment(_) => format!("tok_storm_{}", self.number),
        }
    }

    fn body(&self, amount: i64) -> Bytes {
        let source = self.source();
        let mut body = json!({"amount": amount, "currency": "USD", "source": source});
        if let (Kind::Charge | Kind::Declined, Some(body)) = (self.kind, body.as_object_mut()) {
            body.insert("sku".to_owned(), SKU.into());
            body.insert("quantity".to_owned(), 1.into());
        }
        body.to_string().into()
    }

    /// Makes it a charge, where there may be no processor.
    pub(super) fn without_processor(&mut self) {
        if let Kind::Payment(_) = self.kind {
            self.kind = Kind::Charge;
        }
    }

    /// Lets the processor have the bad day that the plan gives it.
    pub(super) fn script(&self, processor: &Processor) {
        let quirk = match self.kind {
            Kind::Payment(Trouble::FailsFirst) => Quirk::FailBeforeWork(500),
            Kind::Payment(Trouble::HangsUpAfterWork) => Quirk::HangUpAfterWork,
            Kind::Payment(Trouble::AnswersLate) => Quirk::AnswerLate(Duration::from_millis(300)),
            Kind::Payment(Trouble::None) | Kind::Charge | Kind::Declined => return,
        };
        processor.script(&self.source(), [quirk]);
    }
}

impl Customer {
    pub(super) fn new(
        address: Address,
        base: i64,
        history: History,
        timeline: Timeline,
        mints_anew: bool,
    ) -> Result<Self> {
        let client = Client::builder()
            .bearer_auth(&address.token)
            .policy(policy(mints_anew))
            .http(reqwest::Client::builder().tls_certs_only([]))
            .watched_by(Witness::of(&history));
        let client = client.build().context("make the client")?;
        let side = reqwest::Client::builder().tls_certs_only([]);
        Ok(Self {
            client,
            side: side.timeout(ATTEMPT).build().context("make a client")?,
            gate_url: address.gate_url,
            side_url: address.side_url,
            token: address.token,
            base,
            history,
            timeline,
            ends: Mutex::default(),
            mints_anew,
        })
    }

    /// Places an order and waits for its answer, however often that has to be asked for.
    pub(super) async fn place(&self, order: Order) -> Result<()> {
        let mut operation = self.operation(&order)?;
        let key = operation.key();
        let register = self.history.register(order.operation(), &key)?;
        let body = order.body(order.amount(self.base));
        let began_at = self.timeline.elapsed();
        let mut end = End {
            order,
            key: key.clone(),
            register,
            body,
            took: Duration::ZERO,
            n_attempts: 0,
            status: None,
        };
        // Noted before it is sent: should it never be answered, its effect is still known to be its.
        let place = self.note(end.clone());
        let copies = self.copies(&end);
        let (answer, ()) = tokio::join!(self.settle(&order, &mut operation), copies);
        let answer = answer?;
        end.took = self.timeline.elapsed().saturating_sub(began_at);
        end.n_attempts = operation.n_attempts();
        end.status = Some(answer.status.as_u16());
        if order.mischief == Mischief::Impostor {
            let other = order.body(order.amount(self.base) + 1);
            self.send_aside(&end, other).await;
        }
        if let Some(noted) = self.lock().get_mut(place) {
            *noted = end;
        }
        Ok(())
    }

    fn note(&self, end: End) -> usize {
        let mut ends = self.lock();
        ends.push(end);
        ends.len() - 1
    }

    /// Asks once more for what was answered. The history compares.
    pub(super) async fn ask_again(&self, end: &End) -> bool {
        let answer = self.send_aside(end, end.body.clone()).await;
        answer.is_some_and(|it| Some(it.as_u16()) == end.status)
    }

    pub(super) fn ends(&self) -> Vec<End> {
        self.lock().clone()
    }

    pub(super) fn n_answered(&self) -> usize {
        self.lock().iter().filter(|it| it.status.is_some()).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<End>> {
        let ends = self.ends.lock();
        ends.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn operation(&self, order: &Order) -> Result<Operation> {
        let url = format!("{}{}", self.gate_url, order.path());
        let body = order.body(order.amount(self.base));
        let draft = Operation::post(url).route(order.path());
        draft
            .body("application/json", body)
            .context("make a request")
    }

    async fn settle(&self, order: &Order, operation: &mut Operation) -> Result<Response> {
        let deadline = || Deadline::after(CALL);
        let mut ended = self.client.run(operation, deadline()).await;
        loop {
            let cause: Error = match ended {
                Ok(Outcome::Done(answer) | Outcome::Rejected(answer)) => return Ok(answer),
                Ok(Outcome::Unknown { cause, .. }) | Err(cause) => cause,
            };
            let wait = cause.retry_after.unwrap_or_default().min(BREAK_MAX);
            sleep(wait + backoff::up_to(BREAK_MAX / 8, backoff::draw())).await;
            if self.mints_anew {
                *operation = self.operation(order)?;
            }
            ended = self.client.resolve(operation, deadline()).await;
        }
    }

    async fn copies(&self, end: &End) {
        let Mischief::Copies { n, after } = end.order.mischief else {
            return;
        };
        sleep(after).await;
        let copies = (0..n).map(|_| self.send_aside(end, end.body.clone()));
        futures_util::future::join_all(copies).await;
    }

    /// Sends a body under the order's key, once, past the gate.
    async fn send_aside(&self, end: &End, body: Bytes) -> Option<StatusCode> {
        let path = end.order.path();
        let call = self.history.invoke(path, &end.register, &body);
        let mut open = Aside {
            history: &self.history,
            call: Some(call),
        };
        let request = self.side.post(format!("{}{path}", self.side_url));
        let request = request
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .header("idempotency-key", end.key.as_str())
            .body(body);
        let answer = request.send().await.ok()?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.ok()?;
        open.answered(status, &headers, &body);
        Some(status)
    }
}

/// A request under way past the gate: dropped without an answer, it is lost.
struct Aside<'a> {
    history: &'a History,
    call: Option<u64>,
}

impl Aside<'_> {
    fn answered(&mut self, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
        if let Some(call) = self.call.take() {
            self.history.answered(call, status.as_u16(), headers, body);
        }
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.history.lost(call);
        }
    }
}

/// A customer who does not give up: the budget never ends, because here the retries are the point.
fn policy(mints_anew: bool) -> client::Policy {
    client::Policy {
        attempts_max: if mints_anew { 1 } else { 4 },
        attempt_timeout: ATTEMPT,
        throttled_base: Duration::from_millis(200),
        budget: budget::Policy {
            capacity_milli: 10_000 * budget::TOKEN_MILLI,
            success_milli: 10 * budget::TOKEN_MILLI,
            trickle: Duration::from_millis(100),
        },
        breaker: breaker::Policy {
            pause: Duration::from_millis(200),
            pause_max: Duration::from_secs(1),
            hint_max: Duration::from_secs(1),
            ..breaker::Policy::default()
        },
        ..client::Policy::default()
    }
}
