//! The way to the broker: a breaker in front, a time limit on each call, one probe at a time.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::failure::Failure;
use crate::breaker::{Breaker, State};
use crate::broker::{self, Broker, Durability, Epoch, Refused};
use crate::config;
use crate::domain::{Message, Topic};
use crate::telemetry::messages;

/// The broker as the relay sees it.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) broker: Arc<dyn Broker>,
    breaker: Breaker,
    timeout: Duration,
}

impl Gate {
    pub(super) fn new(broker: Arc<dyn Broker>, settings: &config::Broker) -> Self {
        Self {
            broker,
            breaker: Breaker::new(settings.breaker_failures, settings.breaker_pause),
            timeout: settings.timeout,
        }
    }

    /// Whether a call would be made. Half open is for the probe alone.
    pub(super) fn state(&self) -> State {
        self.breaker.state()
    }

    /// Asks whether the broker is back. Costs no event anything.
    pub(super) async fn probe(&self) -> Result<(), Failure> {
        self.ask(self.broker.epoch(&[])).await.map(|_| ())
    }

    pub(super) async fn publish(
        &self,
        messages: &[Message],
    ) -> Result<Vec<Result<(), Refused>>, Failure> {
        self.ask(self.broker.publish(messages)).await
    }

    pub(super) async fn epoch(&self, topics: &[Topic]) -> Result<Epoch, Failure> {
        self.unless_probing(self.broker.epoch(topics)).await
    }

    pub(super) async fn durability(&self) -> Result<Durability, Failure> {
        self.unless_probing(self.broker.durability()).await
    }

    pub(super) async fn trim(&self, topic: &Topic, before: OffsetDateTime) -> Result<u64, Failure> {
        self.unless_probing(self.broker.trim(topic, before)).await
    }

    /// The longest of the topics' queues, each by its group that is furthest.
    pub(super) async fn lag(&self, topics: &BTreeSet<Topic>) -> Result<u64, Failure> {
        let mut longest = 0;
        for topic in topics {
            let lag = self.unless_probing(self.broker.lag(topic)).await?;
            longest = longest.max(lag.least);
        }
        Ok(longest)
    }

    /// The queue before the group of `topic` that is furthest behind.
    pub(super) async fn lag_of(&self, topic: &Topic) -> Result<u64, Failure> {
        let lag = self.unless_probing(self.broker.lag(topic)).await?;
        Ok(lag.most)
    }

    /// The probe is the pump's: it knows when the time has come, and what to do afterwards.
    async fn unless_probing<T>(
        &self,
        call: impl Future<Output = Result<T, broker::Error>> + Send,
    ) -> Result<T, Failure> {
        match self.breaker.state() {
            State::Closed => self.ask(call).await,
            State::Open | State::HalfOpen => Err(Failure::LeftAlone),
        }
    }

    async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, broker::Error>> + Send,
    ) -> Result<T, Failure> {
        let permit = self.breaker.admit().ok_or(Failure::LeftAlone)?;
        let answer = match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(answer)) => {
                permit.succeed();
                Ok(answer)
            }
            Ok(Err(error)) => {
                permit.fail();
                Err(error.into())
            }
            Err(_elapsed) => {
                permit.fail();
                Err(Failure::TooLong("the broker"))
            }
        };
        messages::set_broker_up(self.breaker.state() == State::Closed);
        answer
    }
}
