//! The processor's own books: what it was asked, and what it did.

use std::collections::HashMap;

use serde::Deserialize;
use uuid::Uuid;

/// A charge that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The processor's id of it.
    pub id: String,
    /// The caller's id of it.
    pub reference: String,
    /// In minor units of the currency.
    pub amount: i64,
    /// What was charged.
    pub source: String,
}

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The key that it carried.
    pub key: Option<String>,
    /// What was to be charged.
    pub source: String,
}

/// What a charge is asked for with.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Order {
    pub(super) reference: String,
    pub(super) amount: i64,
    pub(super) source: String,
}

/// An answer: status and body.
pub(super) type Answer = (u16, String);

#[derive(Debug, Default)]
pub(super) struct Books {
    charges: Vec<Entry>,
    seen: Vec<Seen>,
    /// What was answered to a key.
    answers: HashMap<String, Answer>,
}

impl Books {
    pub(super) fn arrive(&mut self, key: Option<&str>, order: &Order) {
        self.seen.push(Seen {
            key: key.map(ToOwned::to_owned),
            source: order.source.clone(),
        });
    }

    /// Charges or declines; a key that is known gets its first answer again.
    pub(super) fn settle(&mut self, key: Option<&str>, order: Order, is_declined: bool) -> Answer {
        if let Some(answer) = key.and_then(|it| self.answers.get(it)) {
            return answer.clone();
        }
        let answer = if is_declined {
            let reason = r#"{"reason":"The card was declined by its issuer."}"#;
            (402, reason.to_owned())
        } else {
            let id = format!("prc_{}", Uuid::new_v4().simple());
            let answer = (201, format!(r#"{{"id":"{id}"}}"#));
            self.charges.push(Entry {
                id,
                reference: order.reference,
                amount: order.amount,
                source: order.source,
            });
            answer
        };
        if let Some(key) = key {
            self.answers.insert(key.to_owned(), answer.clone());
        }
        answer
    }

    pub(super) fn charges_of(&self, source: &str) -> Vec<Entry> {
        let charges = self.charges.iter().filter(|it| it.source == source);
        charges.cloned().collect()
    }

    pub(super) fn seen(&self, source: &str) -> Vec<Seen> {
        let seen = self.seen.iter().filter(|it| it.source == source);
        seen.cloned().collect()
    }
}
