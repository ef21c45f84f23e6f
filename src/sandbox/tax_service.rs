//! A sandbox tax service over HTTP on loopback, which counts what it is asked and has bad days on
//! command.
//!
//! ```no_run
//! use oncely::sandbox::{TaxQuirk, TaxService};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let service = TaxService::start().await?;
//! // The next two questions are not answered.
//! service.script([TaxQuirk::Fail(503), TaxQuirk::HangUp]);
//! // … point `tax.url` at `service.url()`, and ask for an invoice …
//! assert_eq!(service.asked().len(), 3);
//! # Ok(())
//! # }
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::DropGuard;

use super::counter::{self, Answer, hold, read, write};

/// The countries that it knows, and their rates in millionths.
const RATES: [(&str, i64); 4] = [
    ("AT", 200_000),
    ("DE", 190_000),
    ("FR", 200_000),
    ("US", 88_750),
];

/// A running tax service. It knows AT, DE, FR and US, and refuses every other country with 422.
/// Dropping it closes its address.
#[derive(Debug)]
pub struct TaxService {
    desk: Arc<Desk>,
    url: String,
    _stop: DropGuard,
}

/// What goes wrong with one question. Each one is counted, whatever becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaxQuirk {
    /// Nothing does.
    None,
    /// It is answered so much later.
    AnswerLate(Duration),
    /// It is never answered; the connection stays open until the caller leaves.
    NeverAnswer,
    /// It is answered with this status and no reason.
    Fail(u16),
    /// It is answered with 200 and this body.
    Say(String),
    /// The connection is closed without an answer.
    HangUp,
}

/// A question that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Question {
    /// The caller's id of what is taxed.
    pub reference: String,
    /// Where it is taxed.
    pub country: String,
    /// ISO 4217 code.
    pub currency: String,
    /// What is taxed, in minor units of the currency.
    pub amount: i64,
}

/// What the server and the test share.
#[derive(Debug)]
struct Desk {
    asked: Mutex<Vec<Question>>,
    script: Mutex<VecDeque<TaxQuirk>>,
    always: Mutex<TaxQuirk>,
    n_asked: watch::Sender<usize>,
}

impl TaxService {
    /// Starts one on a free port.
    pub async fn start() -> Result<Self> {
        let desk = Arc::new(Desk {
            asked: Mutex::default(),
            script: Mutex::default(),
            always: Mutex::new(TaxQuirk::None),
            n_asked: watch::Sender::new(0),
        });
        let serving = Arc::clone(&desk);
        let (url, stop) = counter::open(move |stream| {
            let desk = Arc::clone(&serving);
            async move { attend(stream, &desk).await }
        })
        .await?;
        Ok(Self {
            desk,
            url,
            _stop: stop,
        })
    }

    /// Where it is: the value of `tax.url`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What happens to the next questions, one after the other; then nothing goes wrong.
    pub fn script(&self, quirks: impl IntoIterator<Item = TaxQuirk>) {
        lock(&self.desk.script).extend(quirks);
    }

    /// What happens to every question that has no script. `TaxQuirk::None` ends it.
    pub fn always(&self, quirk: TaxQuirk) {
        *lock(&self.desk.always) = quirk;
    }

    /// Every question that arrived, whatever became of it.
    pub fn asked(&self) -> Vec<Question> {
        lock(&self.desk.asked).clone()
    }

    /// Waits until `n` questions have arrived.
    pub async fn has_been_asked(&self, n: usize) {
        let mut arrivals = self.desk.n_asked.subscribe();
        let _is_there = arrivals.wait_for(|it| n <= *it).await.is_ok();
    }
}

/// An error ends the connection, which is all that a caller would be told.
async fn attend(mut stream: TcpStream, desk: &Desk) {
    let Some(question) = read::<Question>(&mut stream, "/quotes").await else {
        return;
    };
    let question = question.body;
    let answer = quoted(&question);
    lock(&desk.asked).push(question);
    let scripted = lock(&desk.script).pop_front();
    let quirk = scripted.unwrap_or_else(|| lock(&desk.always).clone());
    desk.n_asked.send_modify(|it| *it += 1);
    match quirk {
        TaxQuirk::None => write(&mut stream, &answer).await,
        TaxQuirk::AnswerLate(wait) => {
            sleep(wait).await;
            write(&mut stream, &answer).await;
        }
        TaxQuirk::NeverAnswer => hold(&mut stream).await,
        TaxQuirk::Fail(status) => write(&mut stream, &(status, String::new())).await,
        TaxQuirk::Say(body) => write(&mut stream, &(200, body)).await,
        TaxQuirk::HangUp => (),
    }
}

fn quoted(question: &Question) -> Answer {
    let known = RATES.iter().find(|it| it.0 == question.country);
    let rate = known.map(|(_, ppm)| (200, format!(r#"{{"rate_ppm":{ppm}}}"#)));
    let refusal = || r#"{"reason":"No tax is known for this country."}"#.to_owned();
    rate.unwrap_or_else(|| (422, refusal()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
