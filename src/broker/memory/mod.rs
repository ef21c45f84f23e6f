//! A broker in this process's memory, for tests: quick, on tokio's clock, and it fails on command.

mod broker;
mod stream;
mod subscription;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use self::stream::Stream;
use super::{Durability, Error};
use crate::domain::{Message, Topic};

/// A broker in this process's memory. Clones are the same broker.
///
/// Idle messages come again by tokio's clock, so a test under `start_paused` needs no patience.
#[derive(Debug, Clone)]
pub struct Memory {
    shared: Arc<Shared>,
    redeliver_after: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Told of each change that somebody who waits may want to see.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    topics: HashMap<Topic, Stream>,
    /// The number of the next message. Never used again, so that an old receipt means nothing new.
    next: u64,
    n_restarts: u64,
    n_fail_overs: u64,
    refused: HashSet<Topic>,
    is_down: bool,
    n_replies_to_lose: usize,
    n_publishes: usize,
    delay: Duration,
    durability: Durability,
}

impl Default for State {
    fn default() -> Self {
        Self {
            topics: HashMap::new(),
            next: 1,
            n_restarts: 0,
            n_fail_overs: 0,
            refused: HashSet::new(),
            is_down: false,
            n_replies_to_lose: 0,
            n_publishes: 0,
            delay: Duration::ZERO,
            durability: Durability::Hint,
        }
    }
}

impl Memory {
    /// An empty broker that gives a message again when it was not acknowledged for `redeliver_after`.
    pub fn new(redeliver_after: Duration) -> Self {
        Self {
            shared: Arc::default(),
            redeliver_after,
        }
    }

    /// Loses all messages and groups, as `FLUSHALL` does: each topic's place goes back to (0, 0).
    /// Members that are there go on with a new group.
    pub fn lose_everything(&self) {
        self.change(|state| state.topics.clear());
    }

    /// Loses all messages of `topic`, and nothing shows it: what only a reconciler can find.
    pub fn lose_silently(&self, topic: &Topic) {
        self.change(|state| {
            if let Some(stream) = state.topics.get_mut(topic) {
                stream.forget();
            }
        });
    }

    /// Changes the process, as a restart does. Messages stay.
    pub fn restart(&self) {
        self.change(|state| state.n_restarts += 1);
    }

    /// Changes the history, as a fail-over does. Messages stay.
    pub fn fail_over(&self) {
        self.change(|state| state.n_fail_overs += 1);
    }

    /// From now on each message of `topic` is refused, or taken again.
    pub fn refuse(&self, topic: &Topic, is_refused: bool) {
        self.change(|state| {
            if is_refused {
                state.refused.insert(topic.clone());
            } else {
                state.refused.remove(topic);
            }
        });
    }

    /// From now on each call fails, or works again. A call that waits fails at once.
    pub fn set_down(&self, is_down: bool) {
        self.change(|state| state.is_down = is_down);
    }

    /// The next `n` publishes take their messages, and fail all the same: the reply is lost.
    pub fn lose_replies(&self, n: usize) {
        self.change(|state| state.n_replies_to_lose = n);
    }

    /// From now on each call takes this long before it begins.
    pub fn set_delay(&self, delay: Duration) {
        self.change(|state| state.delay = delay);
    }

    /// What [`Broker::durability`](super::Broker::durability) answers. At first it is a hint.
    pub fn set_durability(&self, durability: Durability) {
        self.change(|state| state.durability = durability);
    }

    /// How many batches it was asked to publish, with those that failed.
    pub fn n_publishes(&self) -> usize {
        self.state().n_publishes
    }

    /// All messages of `topic` that are there, the oldest first.
    pub fn messages(&self, topic: &Topic) -> Vec<Message> {
        let state = self.state();
        state
            .topics
            .get(topic)
            .map(Stream::messages)
            .unwrap_or_default()
    }

    /// How many messages each member of the group holds that it did not acknowledge.
    pub fn held(&self, topic: &Topic, group: &str) -> BTreeMap<String, usize> {
        let state = self.state();
        let stream = state.topics.get(topic);
        stream.map(|it| it.held(group)).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let locked = self.shared.state.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.shared.changed.notify_waiters();
    }

    /// Takes as long as each call shall take.
    async fn begin(&self) {
        let delay = self.state().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// The state, unless the broker is down.
    fn up(&self, operation: &'static str) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.state();
        if state.is_down {
            return Err(Error::new(operation, "it is down"));
        }
        Ok(state)
    }
}

impl State {
    fn stream(&mut self, topic: &Topic) -> &mut Stream {
        self.topics.entry(topic.clone()).or_default()
    }
}
