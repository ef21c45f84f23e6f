//! Whether a broker is still the one that acknowledged our messages. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a broker looks like at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// The process that answered, new after each restart.
    pub process: String,
    /// The history that it has, new after a fail-over, and where all of its data is gone.
    pub history: String,
    /// For each topic, the place of its latest message; (0, 0) where there is none. It only grows.
    pub topics: BTreeMap<String, (u64, u64)>,
}

/// Why messages that were acknowledged may be gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Change {
    /// Another process answers: the former one may have taken messages with it.
    #[error("the broker was restarted")]
    Restarted,
    /// Another history: a replica was promoted that may have lacked the last messages, or the data
    /// was thrown away.
    #[error("the broker's history is another: a fail-over, or its data is gone")]
    FailedOver,
    /// A topic is shorter than it was.
    #[error("the topic {0} went backwards")]
    WentBackwards(String),
}

impl Epoch {
    /// Why messages that were acknowledged before `self` may be gone, if they may.
    pub fn change_since(&self, earlier: &Self) -> Option<Change> {
        if self.history != earlier.history {
            return Some(Change::FailedOver);
        }
        if self.process != earlier.process {
            return Some(Change::Restarted);
        }
        let went_backwards = earlier.topics.iter().find(|(topic, was)| {
            let is = self.topics.get(*topic).copied().unwrap_or_default();
            is < **was
        });
        went_backwards.map(|(topic, _)| Change::WentBackwards(topic.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(process: &str, history: &str, last: (u64, u64)) -> Epoch {
        Epoch {
            process: process.to_owned(),
            history: history.to_owned(),
            topics: [("t".to_owned(), last)].into(),
        }
    }

    #[test]
    fn a_broker_that_goes_on_has_lost_nothing() {
        let now = epoch("p", "h", (7, 1));
        assert_eq!(now.change_since(&epoch("p", "h", (7, 1))), None);
        assert_eq!(now.change_since(&epoch("p", "h", (6, 9))), None);
    }

    #[test]
    fn a_restart_a_fail_over_and_a_step_back_are_noticed() {
        let was = epoch("p", "h", (7, 1));
        let restarted = epoch("q", "h", (7, 1)).change_since(&was);
        assert_eq!(restarted, Some(Change::Restarted));
        let promoted = epoch("q", "i", (7, 1)).change_since(&was);
        assert_eq!(promoted, Some(Change::FailedOver));
        let truncated = epoch("p", "h", (7, 0)).change_since(&was);
        assert_eq!(truncated, Some(Change::WentBackwards("t".to_owned())));
        let mut deleted = epoch("p", "h", (0, 0));
        deleted.topics.clear();
        assert_eq!(deleted.change_since(&was), truncated);
    }
}
