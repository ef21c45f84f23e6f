//! Redis before the ledger: `SET key latch NX GET`, and what its word is worth.

use oncely::store::{Hint, Knowledge, judge};

use super::words;
use super::{Cell, Choice, Design, Hot, Pc, Reply, Who};

impl Cell {
    /// As `store::transactional::latch`.
    pub(super) fn latch(&mut self, who: Who, choice: Choice) {
        let it = self.look_at(who);
        let (body, watched) = (it.body, it.epoch);
        let ours = Hot::Latch { by: who, body };
        match choice {
            Choice::Fails if self.design == Design::RedisOnly => {
                return self.answer(who, Reply::Unavailable);
            }
            // `may_have_happened`: the latch is ours to take away, whether it is there or not.
            Choice::LostDone | Choice::LostUndone => {
                if choice == Choice::LostDone && self.hot == Hot::Nothing {
                    self.hot = ours;
                }
                self.of(who).is_latched = true;
                return self.goes_on(who, false);
            }
            Choice::Fails => return self.goes_on(who, false),
            Choice::Go | Choice::GoOld => (),
        }
        let Some(held) = words::envelope(self.hot, choice == Choice::GoOld) else {
            if self.hot == Hot::Failure {
                return self.answer(who, Reply::Unavailable);
            }
            self.hot = ours;
            self.of(who).is_latched = true;
            return self.goes_on(who, true);
        };
        let known = match self.design {
            Design::IgnoresTheEpoch => Knowledge {
                epoch: Some(held.epoch),
                ..words::knowledge(watched)
            },
            _ => words::knowledge(watched),
        };
        match judge(words::claim(body), held, known) {
            Hint::Decided(decision) => self.answer(who, words::reply(decision)),
            Hint::AskLedger { .. } if self.design == Design::RedisOnly => {
                self.answer(who, Reply::InFlight);
            }
            Hint::AskLedger { foreign } => {
                self.of(who).foreign = foreign.map(|it| it.content.token[0]);
                self.goes_on(who, false);
            }
        }
    }

    /// To the ledger. `is_first`: Redis had nothing.
    fn goes_on(&mut self, who: Who, is_first: bool) {
        self.of(who).pc = match self.design {
            Design::RedisOnly => Pc::Work,
            Design::TrustsTheLatch if !is_first => Pc::LookUp,
            Design::LookUpBeforeLock => Pc::LookUp,
            design if design.is_leased() => Pc::ClaimLease,
            _ => Pc::Claim,
        };
    }

    /// Compare-and-delete of a leftover: nobody works on the key but `who`.
    pub(super) fn drop_foreign(&mut self, who: Who, choice: Choice) {
        let foreign = self.of(who).foreign.take();
        if choice == Choice::Go && matches!(self.hot, Hot::Latch { by, .. } if Some(by) == foreign)
        {
            self.hot = Hot::Nothing;
        }
        self.of(who).pc = self.of(who).then;
    }

    /// Compare-and-delete of the own latch.
    pub(super) fn release(&mut self, who: Who, choice: Choice) {
        let is_ours = matches!(self.hot, Hot::Latch { by, .. } if by == who);
        let is_blind = self.design == Design::UnconditionalRelease;
        if choice == Choice::Go && (is_ours || is_blind) {
            self.hot = Hot::Nothing;
        }
        self.of(who).pc = Pc::End;
    }
}
