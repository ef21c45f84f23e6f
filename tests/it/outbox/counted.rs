//! The broker in memory, with each call counted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use oncely::broker::{Broker, Durability, Epoch, Error, Lag, Memory, Refused, Subscription};
use oncely::domain::{Message, Topic};
use time::OffsetDateTime;
use tokio::time::Instant;

/// Counts the calls, and how many of them are on their way at once.
#[derive(Debug)]
pub(crate) struct Counted {
    memory: Memory,
    pub(crate) n_calls: AtomicUsize,
    n_now: AtomicUsize,
    pub(crate) n_most: AtomicUsize,
    /// When each batch arrived, and how many messages it had.
    pub(crate) arrivals: Mutex<Vec<(Instant, usize)>>,
}

impl Counted {
    pub(crate) fn new(memory: &Memory) -> Self {
        Self {
            memory: memory.clone(),
            n_calls: AtomicUsize::new(0),
            n_now: AtomicUsize::new(0),
            n_most: AtomicUsize::new(0),
            arrivals: Mutex::default(),
        }
    }

    fn count<'a, T: Send + 'a>(
        &'a self,
        call: impl Future<Output = T> + Send + 'a,
    ) -> BoxFuture<'a, T> {
        Box::pin(async move {
            self.n_calls.fetch_add(1, Ordering::SeqCst);
            let n_now = self.n_now.fetch_add(1, Ordering::SeqCst) + 1;
            self.n_most.fetch_max(n_now, Ordering::SeqCst);
            let answer = call.await;
            self.n_now.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }
}

impl Broker for Counted {
    fn name(&self) -> &'static str {
        self.memory.name()
    }
    fn durability(&self) -> BoxFuture<'_, Result<Durability, Error>> {
        self.count(self.memory.durability())
    }
    fn publish<'a>(
        &'a self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Result<(), Refused>>, Error>> {
        let arrival = (Instant::now(), messages.len());
        self.arrivals.lock().unwrap().push(arrival);
        self.count(self.memory.publish(messages))
    }
    fn epoch<'a>(&'a self, topics: &'a [Topic]) -> BoxFuture<'a, Result<Epoch, Error>> {
        self.count(self.memory.epoch(topics))
    }
    fn lag<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<Lag, Error>> {
        self.count(self.memory.lag(topic))
    }
    fn subscribe<'a>(
        &'a self,
        topic: &'a Topic,
        group: &'a str,
        member: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Error>> {
        self.count(self.memory.subscribe(topic, group, member))
    }
    fn trim<'a>(
        &'a self,
        topic: &'a Topic,
        before: OffsetDateTime,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        self.count(self.memory.trim(topic, before))
    }
}
