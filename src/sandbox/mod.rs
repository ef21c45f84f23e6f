//! A sandbox card processor over HTTP on loopback, with books of its own and bad days on command: for
//! tests and for `oncely storm`.
//!
//! ```no_run
//! use oncely::sandbox::{Processor, Quirk};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let processor = Processor::start(true).await?;
//! // The first charge of this source is made, and its answer lost.
//! processor.script("tok_unlucky", [Quirk::HangUpAfterWork]);
//! // … point `processor.url` at `processor.url()`, pay with `tok_unlucky`, send it again …
//! assert_eq!(processor.charges_of("tok_unlucky").len(), 1);
//! # Ok(())
//! # }
//! ```

mod books;
mod serve;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::shutdown::Tasks;
use books::Books;

pub use books::{Entry, Seen};

/// A running processor. Dropping it closes its address.
#[derive(Debug)]
pub struct Processor {
    desk: Arc<Desk>,
    url: String,
    _stop: DropGuard,
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// Nothing does.
    None,
    /// It is refused, with 402.
    Decline,
    /// It is done, and answered so much later.
    AnswerLate(Duration),
    /// It is done, and never answered; the connection stays open until the caller leaves.
    NeverAnswer,
    /// It is not done, and answered with this status.
    FailBeforeWork(u16),
    /// It is done, and answered with this status.
    FailAfterWork(u16),
    /// It is not done, and the connection is closed without an answer.
    HangUpBeforeWork,
    /// It is done, and the connection is closed without an answer.
    HangUpAfterWork,
}

/// What the server and the test share.
#[derive(Debug)]
struct Desk {
    accepts_keys: bool,
    books: Mutex<Books>,
    scripts: Mutex<HashMap<String, VecDeque<Quirk>>>,
    always: Mutex<HashMap<String, Quirk>>,
    n_seen: watch::Sender<usize>,
}

impl Processor {
    /// Starts one on a free port. `accepts_keys`: whether a request with a key that it has seen gets
    /// the first one's answer; otherwise each request is a charge of its own.
    pub async fn start(accepts_keys: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("listen on loopback")?;
        let url = format!(
            "http://{}",
            listener.local_addr().context("read the address")?
        );
        let desk = Arc::new(Desk {
            accepts_keys,
            books: Mutex::default(),
            scripts: Mutex::default(),
            always: Mutex::default(),
            n_seen: watch::Sender::new(0),
        });
        let stop = CancellationToken::new();
        let (serving, stopped) = (Arc::clone(&desk), stop.clone());
        Tasks::default().spawn(async move {
            let served = serve::serve(listener, serving);
            stopped.run_until_cancelled_owned(served).await
        });
        Ok(Self {
            desk,
            url,
            _stop: stop.drop_guard(),
        })
    }

    /// Where it is: the value of `processor.url`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What happens to the next requests of `source`, one after the other; then nothing goes wrong.
    pub fn script(&self, source: &str, quirks: impl IntoIterator<Item = Quirk>) {
        let mut scripts = lock(&self.desk.scripts);
        let script = scripts.entry(source.to_owned()).or_default();
        script.extend(quirks);
    }

    /// What happens to every request of `source` that has no script. `Quirk::None` ends it.
    pub fn always(&self, source: &str, quirk: Quirk) {
        lock(&self.desk.always).insert(source.to_owned(), quirk);
    }

    /// The charges that were made of `source`: its own books.
    pub fn charges_of(&self, source: &str) -> Vec<Entry> {
        lock(&self.desk.books).charges_of(source)
    }

    /// Every request for `source` that arrived, whatever became of it.
    pub fn seen(&self, source: &str) -> Vec<Seen> {
        lock(&self.desk.books).seen(source)
    }

    /// Waits until `n` requests for `source` have arrived.
    pub async fn has_seen(&self, source: &str, n: usize) {
        let mut arrivals = self.desk.n_seen.subscribe();
        while self.seen(source).len() < n {
            if arrivals.changed().await.is_err() {
                break;
            }
        }
    }
}

impl Desk {
    fn quirk(&self, source: &str) -> Quirk {
        let scripted = lock(&self.scripts)
            .get_mut(source)
            .and_then(VecDeque::pop_front);
        let always = || lock(&self.always).get(source).copied();
        scripted.or_else(always).unwrap_or(Quirk::None)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
