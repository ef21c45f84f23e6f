//! The broker's side: publish, look, trim.

use std::time::Duration;

use futures_util::future::BoxFuture;
use time::OffsetDateTime;

use super::subscription::Member;
use super::{Memory, State};
use crate::broker::{Broker, Durability, Epoch, Error, Lag, Refused, Subscription};
use crate::clock;
use crate::domain::{Message, Topic};

impl Broker for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn durability(&self) -> BoxFuture<'_, Result<Durability, Error>> {
        Box::pin(async move {
            self.begin().await;
            Ok(self.up("tell its durability")?.durability)
        })
    }

    fn publish<'a>(
        &'a self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Result<(), Refused>>, Error>> {
        Box::pin(async move {
            self.state().n_publishes += 1;
            self.begin().await;
            let mut state = self.up("publish")?;
            let taken = messages.iter().map(|it| state.add(it)).collect();
            let is_reply_lost = state.n_replies_to_lose > 0;
            state.n_replies_to_lose = state.n_replies_to_lose.saturating_sub(1);
            drop(state);
            self.shared.changed.notify_waiters();
            if is_reply_lost {
                return Err(Error::new("publish", "the reply is lost"));
            }
            Ok(taken)
        })
    }

    fn epoch<'a>(&'a self, topics: &'a [Topic]) -> BoxFuture<'a, Result<Epoch, Error>> {
        Box::pin(async move {
            self.begin().await;
            let state = self.up("tell its epoch")?;
            let place = |topic| state.topics.get(topic).map_or(0, |stream| stream.n_added);
            let topics = topics.iter().map(|it| (it.to_string(), (place(it), 0)));
            Ok(Epoch {
                process: state.n_restarts.to_string(),
                history: state.n_fail_overs.to_string(),
                topics: topics.collect(),
            })
        })
    }

    fn lag<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<Lag, Error>> {
        Box::pin(async move {
            self.begin().await;
            let state = self.up("tell the lag")?;
            let stream = state.topics.get(topic);
            Ok(stream.map(super::Stream::lag).unwrap_or_default())
        })
    }

    fn subscribe<'a>(
        &'a self,
        topic: &'a Topic,
        group: &'a str,
        member: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, Error>> {
        Box::pin(async move {
            self.begin().await;
            self.up("subscribe")?.stream(topic).join(group);
            let member = Member::new(self.clone(), topic.clone(), group, member);
            Ok(Box::new(member) as Box<dyn Subscription>)
        })
    }

    fn trim<'a>(
        &'a self,
        topic: &'a Topic,
        before: OffsetDateTime,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            self.begin().await;
            let mut state = self.up("trim")?;
            let stream = state.topics.get_mut(topic);
            Ok(stream.map_or(0, |stream| stream.trim(before)))
        })
    }
}

impl State {
    fn add(&mut self, message: &Message) -> Result<(), Refused> {
        if self.refused.contains(&message.topic) {
            return Err(Refused("this topic is refused".to_owned()));
        }
        let number = self.next;
        self.next += 1;
        let at = clock::now();
        self.stream(&message.topic).add(number, message.clone(), at);
        Ok(())
    }
}

impl Default for Memory {
    /// Gives a message again after 30 seconds.
    fn default() -> Self {
        Self::new(Duration::from_secs(30))
    }
}
