//! One topic of the broker in memory: its messages, and how far each group is. Pure: the time is an
//! argument.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::broker::{Delivery, Lag, Receipt};
use crate::domain::Message;

/// One topic.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// How many were ever published here. It does not shrink when messages are forgotten.
    pub(super) n_added: u64,
    entries: BTreeMap<u64, Entry>,
    groups: HashMap<String, Group>,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    at: OffsetDateTime,
}

#[derive(Debug, Default)]
struct Group {
    /// The last number that was given out.
    last: u64,
    pending: BTreeMap<u64, Pending>,
}

#[derive(Debug)]
struct Pending {
    member: String,
    since: Instant,
    n_deliveries: u32,
}

impl Stream {
    /// Appends a message. Numbers grow over all topics and are never used again.
    pub(super) fn add(&mut self, number: u64, message: Message, at: OffsetDateTime) {
        self.n_added += 1;
        self.entries.insert(number, Entry { message, at });
    }

    /// All messages that are there.
    pub(super) fn messages(&self) -> Vec<Message> {
        let entries = self.entries.values();
        entries.map(|entry| entry.message.clone()).collect()
    }

    /// Forgets all messages, and what was given out. Nothing shows it.
    pub(super) fn forget(&mut self) {
        self.entries.clear();
        for group in self.groups.values_mut() {
            group.pending.clear();
        }
    }

    /// Makes the group where it does not exist; it begins with the oldest message.
    pub(super) fn join(&mut self, group: &str) {
        self.groups.entry(group.to_owned()).or_default();
    }

    /// Gives out up to `n_max`: what is idle first, then what is new.
    pub(super) fn take(&mut self, asked: &Asked<'_>, n_max: usize) -> Vec<Delivery> {
        let group = self.groups.entry(asked.group.to_owned()).or_default();
        let idle = group.pending.iter_mut();
        let idle = idle.filter(|(_, it)| it.since + asked.redeliver_after <= asked.now);
        let mut numbers = Vec::new();
        for (number, pending) in idle.take(n_max) {
            pending.n_deliveries = pending.n_deliveries.saturating_add(1);
            asked.member.clone_into(&mut pending.member);
            pending.since = asked.now;
            numbers.push((*number, pending.n_deliveries));
        }
        let n_left = n_max.saturating_sub(numbers.len());
        for (number, _) in self.entries.range(group.last + 1..).take(n_left) {
            group.last = *number;
            let pending = Pending {
                member: asked.member.to_owned(),
                since: asked.now,
                n_deliveries: 1,
            };
            group.pending.insert(*number, pending);
            numbers.push((*number, 1));
        }
        let deliveries = numbers.into_iter().filter_map(|(number, n_deliveries)| {
            let entry = self.entries.get(&number)?;
            Some(Delivery {
                message: Ok(entry.message.clone()),
                receipt: Receipt(number.to_string()),
                n_deliveries,
            })
        });
        deliveries.collect()
    }

    /// When the group's next pending message may be given out again.
    pub(super) fn next_redelivery(&self, group: &str, after: Duration) -> Option<Instant> {
        let pending = self.groups.get(group)?.pending.values();
        pending.map(|it| it.since + after).min()
    }

    /// Strikes these off the group's list.
    pub(super) fn acknowledge(&mut self, group: &str, receipts: &[Receipt]) {
        if let Some(group) = self.groups.get_mut(group) {
            for number in receipts.iter().filter_map(|it| it.0.parse::<u64>().ok()) {
                group.pending.remove(&number);
            }
        }
    }

    /// How many messages the groups have not finished.
    pub(super) fn lag(&self) -> Lag {
        let of = |group: &Group| {
            let n = self.entries.range(group.last + 1..).count() + group.pending.len();
            u64::try_from(n).unwrap_or(u64::MAX)
        };
        Lag::of(self.groups.values().map(of))
    }

    /// How many each member of the group holds, without those that hold none.
    pub(super) fn held(&self, group: &str) -> BTreeMap<String, usize> {
        let mut held = BTreeMap::new();
        let pending = self.groups.get(group).into_iter();
        for it in pending.flat_map(|group| group.pending.values()) {
            *held.entry(it.member.clone()).or_default() += 1;
        }
        held
    }

    /// Removes what is older than `before` and finished by each group; how many.
    pub(super) fn trim(&mut self, before: OffsetDateTime) -> u64 {
        let needed = |group: &Group| {
            let pending = group.pending.keys().next().copied();
            pending.unwrap_or(group.last + 1).min(group.last + 1)
        };
        let Some(needed_from) = self.groups.values().map(needed).min() else {
            return 0;
        };
        let n_before = self.entries.len();
        self.entries
            .retain(|number, entry| *number >= needed_from || entry.at >= before);
        u64::try_from(n_before - self.entries.len()).unwrap_or(u64::MAX)
    }
}

/// Who asks for messages, and when.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) group: &'a str,
    pub(super) member: &'a str,
    pub(super) now: Instant,
    pub(super) redeliver_after: Duration,
}
