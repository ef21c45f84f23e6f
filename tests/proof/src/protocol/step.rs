//! One step of one request, and the ways in which it can go.

use super::{Cell, Hot, Pc, Who};

/// How a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// As it should.
    Go,
    /// It goes, and the latch that it meets is older than the trust window.
    GoOld,
    /// It fails, and surely nothing was done.
    Fails,
    /// No reply, and it was not done.
    LostUndone,
    /// No reply, and it was done.
    LostDone,
}

impl Cell {
    /// The ways in which the next step of `who` can go; none where it waits. With `is_flaky`, Redis
    /// fails and statements are given up.
    pub fn choices(&self, who: Who, is_flaky: bool, choices: &mut Vec<Choice>) {
        let it = self.look_at(who);
        let before = choices.len();
        match it.pc {
            Pc::Idle | Pc::AwaitCommit | Pc::AwaitCall | Pc::End | Pc::Dead => return,
            Pc::Latch => {
                choices.push(Choice::Go);
                if matches!(self.hot, Hot::Latch { body, .. } if body == it.body) {
                    choices.push(Choice::GoOld);
                }
                if is_flaky {
                    choices.extend([Choice::Fails, Choice::LostUndone, Choice::LostDone]);
                }
                return;
            }
            // A lock time-out ends these waits: the request learns that somebody is at it.
            Pc::Claim | Pc::ClaimLease => choices.push(Choice::Go),
            Pc::Complete | Pc::Advance | Pc::Finish | Pc::StoreKey => {
                if !self.must_wait(who) {
                    choices.push(Choice::Go);
                }
            }
            // Bounded by a statement's time; the lease ends by itself then.
            Pc::GiveUp | Pc::MarkUnknown => {
                let is_held = self.row_is_held();
                choices.push(if is_held { Choice::Fails } else { Choice::Go });
            }
            Pc::LookUp
            | Pc::LookUpBusy
            | Pc::LookUpUnanswered
            | Pc::LookUpLost
            | Pc::Work
            | Pc::Commit
            | Pc::DropForeign
            | Pc::Publish
            | Pc::Release
            | Pc::Call => choices.push(Choice::Go),
        }
        let can_fail = !matches!(it.pc, Pc::Commit | Pc::Call | Pc::Claim | Pc::ClaimLease);
        if is_flaky && can_fail && choices.get(before) != Some(&Choice::Fails) {
            choices.push(Choice::Fails);
        }
    }

    /// Takes the next step of `who`.
    pub fn step(&mut self, who: Who, choice: Choice) {
        match self.look_at(who).pc {
            Pc::Latch => self.latch(who, choice),
            Pc::DropForeign => self.drop_foreign(who, choice),
            Pc::Publish => self.publish(who, choice),
            Pc::Release => self.release(who, choice),
            Pc::Claim => self.claim(who),
            Pc::LookUp => self.look_up(who, choice),
            Pc::LookUpBusy => self.look_up_busy(who, choice),
            Pc::LookUpUnanswered => self.look_up_unanswered(who, choice),
            Pc::LookUpLost => self.look_up_lost(who, choice),
            Pc::Work => self.work(who, choice),
            Pc::Complete => self.complete(who, choice),
            Pc::Commit => self.commit(who),
            Pc::ClaimLease => self.claim_lease(who),
            Pc::StoreKey => self.store_key(who, choice),
            Pc::Call => self.call(who),
            Pc::Advance => self.advance(who, choice),
            Pc::Finish => self.finish(who, choice),
            Pc::GiveUp => self.give_up(who, choice),
            Pc::MarkUnknown => self.mark_unknown(who, choice),
            Pc::Idle | Pc::AwaitCommit | Pc::AwaitCall | Pc::End | Pc::Dead => (),
        }
    }
}
