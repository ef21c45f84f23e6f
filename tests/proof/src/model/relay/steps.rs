//! The steps of relays and consumers.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use oncely::domain::{Aggregate, Message, Tenant, Topic};
use oncely::inbox::plan::{Look, key, plan};
use uuid::Uuid;

use super::way::{Desk, N, Relays, Trail, Way};

static MESSAGES: LazyLock<[[Message; N]; 2]> = LazyLock::new(|| {
    let message = |at: u8, is_chain: bool| {
        let tenant = Tenant::new("demo").expect("invariant: a tenant");
        let id = if is_chain { 0 } else { at }.to_string();
        Message {
            id: Uuid::from_u128(u128::from(at) + 1),
            topic: Topic::new("t").expect("invariant: a topic"),
            aggregate: Aggregate::new(tenant, "k", id).expect("invariant: an aggregate"),
            seq: if is_chain { i64::from(at) + 1 } else { 1 },
            previous: (is_chain && at == 1).then(|| Uuid::from_u128(1)),
            headers: [].into(),
            payload: [].as_slice().into(),
            created_at: time::OffsetDateTime::UNIX_EPOCH,
        }
    };
    [false, true].map(|is_chain| [message(0, is_chain), message(1, is_chain)])
});

impl Relays {
    /// With it, what a relay or a broker loses is found again; broken relays are shown without.
    pub(super) fn reconciles(&self) -> bool {
        self.trail == Trail::Sound
    }

    pub(super) fn can_claim(&self, way: &Way) -> [bool; N] {
        std::array::from_fn(|at| match self.trail {
            Trail::Cursor => way.committed[at] && usize::from(way.cursor) <= at,
            _ => way.pending[at],
        })
    }

    pub(super) fn is_quiet(&self, way: &Way) -> bool {
        way.committed == [true; N]
            && way.relays.iter().all(|it| it.batch.is_none())
            && way.consumers.iter().all(|it| *it == Desk::Idle)
            && way.stream == [0; N]
            && way.given == [0; N]
            && self.can_claim(way) == [false; N]
            && !(0..N).any(|at| way.can_resume(at))
            && !(0..N).any(|at| self.can_reconcile(way, at))
    }

    pub(super) fn can_reconcile(&self, way: &Way, at: usize) -> bool {
        self.reconciles() && way.committed[at] && !way.is_known(at) && !way.pending[at]
    }

    pub(super) fn relays(&self, way: &mut Way, which: usize) {
        let Some((batch, is_half)) = way.relays[which].batch else {
            return;
        };
        let ours = way.relays[which].fence == way.fence;
        let settles = (self.trail == Trail::SettlesFirst) != is_half;
        for at in (0..N).filter(|at| batch[*at]) {
            match (settles, self.trail) {
                // A second copy is enough to be more than one.
                (false, _) => way.stream[at] = (way.stream[at] + 1).min(2),
                (true, Trail::Cursor) => {
                    way.cursor = way.cursor.max(u8::try_from(at + 1).unwrap_or(u8::MAX));
                }
                // Who was taken over deletes nothing.
                (true, _) => way.pending[at] &= !ours,
            }
        }
        way.relays[which].batch = (!is_half).then_some((batch, true));
    }

    /// Looks, and plans by `inbox::plan`.
    pub(super) fn plans(&self, way: &Way, batch: [bool; N]) -> Desk {
        let all = &MESSAGES[usize::from(self.is_chain)];
        let places: Vec<usize> = (0..N).filter(|at| batch[*at]).collect();
        let messages: Vec<Message> = places.iter().map(|at| all[*at].clone()).collect();
        let looks = places.iter().map(|at| {
            let look = Look {
                is_below: way.is_below[*at] && self.trail != Trail::ForgetsWithoutHorizon,
                is_known: way.is_known(*at) && self.trail != Trail::NoInbox,
                is_next: self.trail == Trail::IgnoresOrder || self.is_next(way, *at),
            };
            (key(&all[*at]), look)
        });
        let planned = plan(&messages, &looks.collect::<HashMap<_, _>>());
        let mask = |of: &[usize]| std::array::from_fn(|at| of.iter().any(|it| places[*it] == at));
        // What nobody remembers becomes a dead letter in the same transaction; here at once, which
        // only makes it known earlier.
        Desk::Planned(batch, mask(&planned.next), mask(&planned.early))
    }

    pub(super) fn is_next(&self, way: &Way, at: usize) -> bool {
        !self.is_chain || at == 0 || way.inbox[0] || way.is_below[0]
    }

    pub(super) fn forgets(&self) -> bool {
        matches!(
            self.trail,
            Trail::Sound | Trail::ForgetsWithoutHorizon | Trail::ForgetsAtOnce
        )
    }

    /// Whether no transaction lives any more that has looked before the horizon was raised: that is
    /// what five minutes are waited for.
    pub(super) fn is_announced(&self, way: &Way, at: usize) -> bool {
        let knows_the_old_one =
            |it: &Desk| matches!(it, Desk::Planned(_, next, early) if next[at] || early[at]);
        self.trail != Trail::Sound || !way.consumers.iter().any(knows_the_old_one)
    }

    pub(super) fn consumes(&self, way: &mut Way, which: usize) {
        way.consumers[which] = match way.consumers[which] {
            Desk::Idle => return,
            Desk::Has(batch) => match self.trail {
                Trail::AcknowledgesFirst => {
                    way.acknowledge(batch);
                    Desk::Acknowledged(batch)
                }
                Trail::InboxApart => {
                    let new = std::array::from_fn(|at| batch[at] && !way.inbox[at]);
                    for at in (0..N).filter(|at| new[*at]) {
                        way.inbox[at] = true;
                    }
                    Desk::Noted(batch, new)
                }
                _ => self.plans(way, batch),
            },
            Desk::Acknowledged(batch) => {
                for at in (0..N).filter(|at| batch[*at]) {
                    if !way.inbox[at] {
                        self.apply(way, at);
                    }
                }
                Desk::Idle
            }
            Desk::Noted(batch, new) => {
                for at in (0..N).filter(|at| new[*at]) {
                    way.n_applied[at] += 1;
                }
                Desk::Done(batch)
            }
            Desk::Planned(batch, next, early) => self.commits(way, batch, next, early),
            Desk::Done(batch) => {
                way.acknowledge(batch);
                Desk::Idle
            }
        }
    }

    /// Inserts, sorts out what others have applied since the look, applies, and commits.
    pub(super) fn commits(
        &self,
        way: &mut Way,
        batch: [bool; N],
        next: [bool; N],
        early: [bool; N],
    ) -> Desk {
        let has_inbox = self.trail != Trail::NoInbox;
        let is_late = |at: usize| has_inbox && next[at] && way.is_known(at);
        let late: [bool; N] = std::array::from_fn(is_late);
        if self.is_chain && late[0] && next[1] && !late[1] {
            // Everything is looked at anew.
            return Desk::Has(batch);
        }
        for at in 0..N {
            if next[at] && !late[at] {
                self.apply(way, at);
            } else if early[at] && !way.is_known(at) {
                way.waiting[at] = true;
            } else if batch[at] && way.is_below[at] && !way.inbox[at] && !next[at] {
                way.dead[at] = true;
            }
        }
        Desk::Done(batch)
    }

    pub(super) fn apply(&self, way: &mut Way, at: usize) {
        way.is_disordered |= !self.is_next(way, at);
        way.inbox[at] = true;
        way.waiting[at] = false;
        way.n_applied[at] = way.n_applied[at].saturating_add(1).min(2);
    }

    pub(super) fn holds(&self, at: usize, is_so: bool) -> bool {
        let was_broken = &self.was_broken[at];
        is_so || was_broken.swap(true, Ordering::Relaxed)
    }
}

impl Way {
    pub(super) fn is_known(&self, at: usize) -> bool {
        self.inbox[at] || self.waiting[at] || self.dead[at]
    }

    pub(super) fn can_resume(&self, at: usize) -> bool {
        self.waiting[at] && (at == 0 || self.inbox[0] || self.is_below[0])
    }

    pub(super) fn acknowledge(&mut self, batch: [bool; N]) {
        for at in (0..N).filter(|at| batch[*at]) {
            self.given[at] = self.given[at].saturating_sub(1);
        }
    }
}
