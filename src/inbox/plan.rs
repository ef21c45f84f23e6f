//! What is to be done with each message of a batch, from what the inbox says of it. Pure.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::domain::Message;

/// Whose event, and which.
pub type Key = (Uuid, String);

/// What the inbox says of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Its id is below the horizon: nobody remembers whether it was applied.
    pub is_below: bool,
    /// It is in the inbox, in waiting, or an open dead letter.
    pub is_known: bool,
    /// Its predecessor is done with, or it has none.
    pub is_next: bool,
}

/// What is to be done with each message, by its place in the batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be applied, in this order.
    pub next: Vec<usize>,
    /// Before their predecessor: to be set aside.
    pub early: Vec<usize>,
    /// Nobody remembers them: dead letters.
    pub quarantined: Vec<usize>,
    /// Known already.
    pub absorbed: Vec<usize>,
}

/// The key of a message.
pub fn key(message: &Message) -> Key {
    let tenant = message.aggregate.tenant().as_str();
    (message.id, tenant.to_owned())
}

/// Plans a batch that is sorted by [`order`]: so a predecessor comes before what follows from it.
#[expect(
    clippy::implicit_hasher,
    reason = "it is the map that the look makes, and nobody needs another"
)]
pub fn plan(messages: &[Message], looks: &HashMap<Key, Look>) -> Plan {
    let mut plan = Plan::default();
    let mut applied_here = HashSet::new();
    for (place, message) in messages.iter().enumerate() {
        let look = looks.get(&key(message)).copied().unwrap_or_default();
        let follows = || {
            let before = message.previous.map(|it| (it, key(message).1));
            before.is_some_and(|it| applied_here.contains(&it))
        };
        if look.is_known {
            plan.absorbed.push(place);
        } else if look.is_below {
            plan.quarantined.push(place);
        } else if look.is_next || follows() {
            applied_here.insert(key(message));
            plan.next.push(place);
        } else {
            plan.early.push(place);
        }
    }
    plan
}

/// The order within a batch: whatever its ids are, an aggregate's events stand by their sequence.
pub fn order(message: &Message) -> (i64, Uuid) {
    (message.seq, message.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Aggregate, Tenant, Topic};

    fn message(id: u128, seq: i64, previous: Option<u128>) -> Message {
        let tenant = Tenant::new("demo").unwrap();
        Message {
            id: Uuid::from_u128(id),
            topic: Topic::new("t").unwrap(),
            aggregate: Aggregate::new(tenant, "k", "1").unwrap(),
            seq,
            previous: previous.map(Uuid::from_u128),
            headers: [].into(),
            payload: [].as_slice().into(),
            created_at: time::OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn planned(messages: &[Message], look: impl Fn(&Message) -> Look) -> Plan {
        let looks = messages.iter().map(|it| (key(it), look(it))).collect();
        plan(messages, &looks)
    }

    #[test]
    fn what_follows_from_the_batch_itself_is_applied_with_it() {
        let batch = [
            message(9, 1, None),
            message(8, 2, Some(9)),
            message(7, 3, Some(8)),
        ];
        let made = planned(&batch, |it| Look {
            is_next: it.seq == 1,
            ..Look::default()
        });
        assert_eq!(made.next, [0, 1, 2]);
    }

    #[test]
    fn a_gap_holds_up_all_that_comes_after_it() {
        let batch = [message(3, 3, Some(2)), message(4, 4, Some(3))];
        let made = planned(&batch, |_| Look::default());
        assert_eq!(made.early, [0, 1]);
        assert!(made.next.is_empty());
    }

    #[test]
    fn what_is_known_is_absorbed_and_is_nobodys_proof() {
        let batch = [message(1, 1, None), message(2, 2, Some(1))];
        // The first is a dead letter, so the second is not next.
        let made = planned(&batch, |it| Look {
            is_known: it.seq == 1,
            ..Look::default()
        });
        assert_eq!((made.absorbed, made.early), (vec![0], vec![1]));
    }

    #[test]
    fn what_nobody_remembers_is_put_aside_unless_it_is_known_after_all() {
        let batch = [message(1, 1, None), message(2, 1, None)];
        let made = planned(&batch, |it| Look {
            is_below: true,
            is_known: it.id == Uuid::from_u128(2),
            is_next: true,
        });
        assert_eq!((made.quarantined, made.absorbed), (vec![0], vec![1]));
    }
}
