//! The checker: what callers saw, against what there is in the end.

use super::callers::{Caller, End};
use super::world::{Site, World};
use crate::protocol::{Reply, RowState};

impl World {
    /// What is wrong, in sentences.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (key, site) in self.sites.iter().enumerate() {
            all.extend(
                site.violations()
                    .into_iter()
                    .map(|it| format!("key {key}: {it}")),
            );
            let n_events = self.post.events.iter().filter(|it| it.key == key).count();
            let n_effects = usize::try_from(site.cell.n_effects()).unwrap_or(usize::MAX);
            if n_events != n_effects {
                all.push(format!("key {key}: {n_effects} effects, {n_events} events"));
            }
        }
        for event in self.post.events.iter().filter(|it| it.n_applied != 1) {
            all.push(format!(
                "key {}: applied {} times",
                event.key, event.n_applied
            ));
        }
        if self.post.is_disordered {
            all.push("an event was applied before its predecessor".to_owned());
        }
        all
    }
}

impl Site {
    fn violations(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut complain = |is_wrong: bool, what: String| {
            if is_wrong {
                all.push(what);
            }
        };
        let books = self.cell.books;
        let (n_effects, n_charges) = (
            self.cell.n_effects(),
            self.cell.outside.charges.count_ones(),
        );
        complain(1 < n_effects, format!("{n_effects} effects"));
        complain(
            1 < n_charges,
            format!("the processor charged {n_charges} times"),
        );
        complain(
            books.events != books.effects,
            "events are not effects".to_owned(),
        );
        let answers = self.callers.iter().fold(0, |all, it| all | it.answers);
        complain(1 < answers.count_ones(), "two different answers".to_owned());
        complain(
            answers != 0 && books.effects == 0,
            "an answer without an effect".to_owned(),
        );
        let stored = match books.row.map(|it| it.state) {
            Some(RowState::Done(by)) => 1_u64 << by,
            _ => 0,
        };
        complain(
            answers & !stored != 0,
            "an answer that is not the stored one".to_owned(),
        );
        let surely_failed = self.cell.handlers.iter().enumerate();
        let surely_failed = surely_failed.filter(|(_, it)| it.reply == Some(Reply::Unavailable));
        for (who, _) in surely_failed {
            let is_there = books.effects >> who & 1 == 1;
            complain(
                is_there,
                format!("request {who} surely failed, and its effect is there"),
            );
        }
        for (at, caller) in self.callers.iter().enumerate() {
            if let Some(wrong) = self.wrongs(caller) {
                complain(true, format!("caller {at} {wrong}"));
            }
        }
        all
    }

    fn wrongs(&self, caller: &Caller) -> Option<&'static str> {
        let of = |who: usize| self.cell.handlers[who].body;
        let authors = (0..self.cell.handlers.len()).filter(|who| caller.answers >> who & 1 == 1);
        if authors.into_iter().any(|who| of(who) != caller.body) {
            return Some("got the answer to another request");
        }
        match caller.end {
            None => Some("never learnt how it ended"),
            Some(End::Done) if self.cell.books.effects == 0 => {
                Some("was told of an effect that is not there")
            }
            Some(End::Done) => None,
            Some(End::Refused) => {
                let is_misused = self.callers.iter().any(|it| it.body != caller.body);
                (!is_misused).then_some("was refused, and the key was used for nothing else")
            }
        }
    }

    /// How many callers were refused, and what they asked for was done all the same: see
    /// `tests/it/simulation/reproductions.rs`.
    pub(super) fn n_hasty(&self) -> u64 {
        let effects = self.cell.books.effects;
        let is_done = |body: u8| {
            let handlers = self.cell.handlers.iter().enumerate();
            handlers
                .filter(|(_, it)| it.body == body)
                .any(|(who, _)| effects >> who & 1 == 1)
        };
        let hasty = self.callers.iter();
        let hasty = hasty.filter(|it| it.end == Some(End::Refused) && is_done(it.body));
        u64::try_from(hasty.count()).unwrap_or(u64::MAX)
    }
}
