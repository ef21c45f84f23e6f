//! The member's side: receive, acknowledge, leave.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::Memory;
use super::stream::Asked;
use crate::broker::{Delivery, Error, Receipt, Subscription};
use crate::domain::Topic;

/// One member of a group.
#[derive(Debug)]
pub(super) struct Member {
    broker: Memory,
    topic: Topic,
    group: String,
    name: String,
}

impl Member {
    pub(super) fn new(broker: Memory, topic: Topic, group: &str, member: &str) -> Self {
        Self {
            broker,
            topic,
            group: group.to_owned(),
            name: member.to_owned(),
        }
    }

    /// Takes what is there, or tells until when it is worth waiting.
    fn take(&self, n_max: usize) -> Result<(Vec<Delivery>, Option<Instant>), Error> {
        let after = self.broker.redeliver_after;
        let mut state = self.broker.up("receive")?;
        let stream = state.stream(&self.topic);
        let asked = Asked {
            group: &self.group,
            member: &self.name,
            now: Instant::now(),
            redeliver_after: after,
        };
        let deliveries = stream.take(&asked, n_max);
        Ok((deliveries, stream.next_redelivery(&self.group, after)))
    }
}

impl Subscription for Member {
    fn receive(
        &mut self,
        n_max: usize,
        patience: Duration,
    ) -> BoxFuture<'_, Result<Vec<Delivery>, Error>> {
        Box::pin(async move {
            self.broker.begin().await;
            let until = Instant::now() + patience;
            loop {
                let mut changed = std::pin::pin!(self.broker.shared.changed.notified());
                changed.as_mut().enable();
                let (deliveries, redelivery) = self.take(n_max)?;
                if !deliveries.is_empty() || until <= Instant::now() {
                    return Ok(deliveries);
                }
                let next = redelivery.map_or(until, |it| it.min(until));
                tokio::select! {
                    () = changed => (),
                    () = tokio::time::sleep_until(next) => (),
                }
            }
        })
    }

    fn acknowledge<'a>(&'a mut self, receipts: &'a [Receipt]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.broker.begin().await;
            let mut state = self.broker.up("acknowledge")?;
            let stream = state.stream(&self.topic);
            stream.acknowledge(&self.group, receipts);
            Ok(())
        })
    }

    fn leave(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        // A member is nothing but a name here, and what it holds comes to others by itself.
        Box::pin(async move { self.broker.up("leave").map(drop) })
    }
}
