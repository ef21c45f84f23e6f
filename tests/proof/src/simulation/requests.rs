//! Requests on their way through a process: when they take their steps, and how these go.

use super::faults::Fault;
use super::world::{MS, Request, S, Task, World};
use crate::protocol::{Choice, Event, Pc, RowState, Who};

/// How many processes serve.
pub(super) const N_PROCESSES: u8 = 4;
/// For how long a latch is believed without asking, as `hot.trust_window`.
const TRUST_WINDOW: u64 = 250 * MS;
/// How long a latch stays.
const LATCH: u64 = 5 * S;
/// The longest lease.
const LEASE: u64 = 5 * S;
/// How long a caller waits for one answer.
const PATIENCE: u64 = 2 * S;

impl World {
    /// A request of `caller`, or of a proxy that sends it again, goes out.
    pub(super) fn request(&mut self, key: usize, caller: usize, is_echo: bool) -> Who {
        let process = self.random.u8(0..N_PROCESSES);
        let site = &mut self.sites[key];
        let who = site.cell.add(site.callers[caller].body);
        site.requests.push(Request {
            caller: (!is_echo).then_some(caller),
            process,
            latched_at: 0,
            is_queued: false,
            is_answered: false,
            is_decided: false,
        });
        self.n_requests += 1;
        if !is_echo {
            self.after(PATIENCE, Task::Lost { key, caller, who });
        }
        if !self.strikes(Fault::RequestLost, 12) {
            self.sites[key].cell.send(who);
            self.arrange(key, who);
        }
        who
    }

    /// Sees to it that `who` goes on.
    pub(super) fn arrange(&mut self, key: usize, who: Who) {
        let site = &mut self.sites[key];
        let it = &site.cell.handlers[usize::from(who)];
        let request = &mut site.requests[usize::from(who)];
        let (pc, is_new) = (it.pc, it.reply.is_some() && !request.is_answered);
        request.is_answered |= is_new;
        let is_queued = request.is_queued;
        if is_new {
            self.answers(key, who);
        }
        match pc {
            Pc::Idle | Pc::End | Pc::Dead => (),
            Pc::AwaitCommit => self.decides(key, who),
            Pc::AwaitCall => self.calls(key, who),
            _ if is_queued => (),
            _ => {
                self.sites[key].requests[usize::from(who)].is_queued = true;
                let mut delay = self.up_to(2 * MS);
                if self.strikes(Fault::Pause, 6) {
                    delay += self.of_any_length(25);
                }
                self.after(delay, Task::Step { key, who });
            }
        }
    }

    fn answers(&mut self, key: usize, who: Who) {
        if self.sites[key].requests[usize::from(who)].caller.is_none()
            || self.strikes(Fault::AnswerLost, 12)
        {
            return;
        }
        let delay = self.up_to(2 * MS);
        self.after(delay, Task::Answer { key, who });
    }

    /// What the server makes of a COMMIT.
    fn decides(&mut self, key: usize, who: Who) {
        if std::mem::replace(
            &mut self.sites[key].requests[usize::from(who)].is_decided,
            true,
        ) {
            return;
        }
        let mut delay = self.up_to(3 * MS);
        let mut event = Event::Apply(who);
        if self.strikes(Fault::CommitCut, 7) {
            let cut = Event::Cut(who);
            self.after(delay, Task::Happens { key, event: cut });
            delay += self.of_any_length(22);
            if self.random.bool() {
                event = Event::Refuse(who);
            }
        } else if self.strikes(Fault::CommitRefused, 4) {
            event = Event::Refuse(who);
        }
        self.after(delay, Task::Happens { key, event });
    }

    /// What the processor makes of a call.
    fn calls(&mut self, key: usize, who: Who) {
        if std::mem::replace(
            &mut self.sites[key].requests[usize::from(who)].is_decided,
            true,
        ) {
            return;
        }
        let mut delay = self.up_to(20 * MS);
        let mut event = Event::Charge(who);
        if self.strikes(Fault::CallUnanswered, 10) {
            let late = Event::Unanswered(who);
            self.after(delay, Task::Happens { key, event: late });
            delay += self.of_any_length(22);
            if self.random.bool() {
                event = Event::Vanish(who);
            }
        } else if self.strikes(Fault::CallNotSent, 5) {
            event = Event::NotSent(who);
        }
        self.after(delay, Task::Happens { key, event });
    }

    /// The next step of `who`.
    pub(super) fn step(&mut self, key: usize, who: Who) {
        self.sites[key].requests[usize::from(who)].is_queued = false;
        let mut choices = Vec::with_capacity(5);
        let cell = &self.sites[key].cell;
        let pc = cell.handlers[usize::from(who)].pc;
        cell.choices(who, self.is_faulty, &mut choices);
        let choice = match choices.as_slice() {
            [] => None,
            [only] => Some(*only),
            _ if pc == Pc::Latch => Some(self.latches(key, who, &choices)),
            [Choice::Go, Choice::Fails] => {
                let is_hot = matches!(pc, Pc::Publish | Pc::Release | Pc::DropForeign);
                let fault = if is_hot {
                    Fault::RedisFails
                } else {
                    Fault::StatementFails
                };
                let fails = self.strikes(fault, if is_hot { 16 } else { 3 });
                Some(if fails { Choice::Fails } else { Choice::Go })
            }
            all => all.first().copied(),
        };
        // A statement that waits for another one's row ends by its time-out at last.
        let is_wait = pc != Pc::Latch && choice == Some(Choice::Fails) && choices.len() == 1;
        let Some(choice) = choice.filter(|_| !is_wait || self.random.u8(0..20) == 0) else {
            self.sites[key].requests[usize::from(who)].is_queued = true;
            let delay = self.up_to(50 * MS);
            return self.after(delay, Task::Step { key, who });
        };
        self.sites[key].cell.step(who, choice);
        self.arrange(key, who);
    }

    fn latches(&mut self, key: usize, who: Who, choices: &[Choice]) -> Choice {
        let (now, site) = (self.now, &mut self.sites[key]);
        let holder = match site.cell.hot {
            crate::protocol::Hot::Latch { by, .. } => Some(by),
            _ => None,
        };
        let age = holder.map(|by| now - site.requests[usize::from(by)].latched_at);
        let is_old = age.is_some_and(|it| TRUST_WINDOW < it);
        if holder.is_none() {
            site.requests[usize::from(who)].latched_at = now;
            self.after(LATCH, Task::LatchEnds { key, by: who });
        }
        if self.strikes(Fault::RedisFails, 16) {
            let all = [Choice::Fails, Choice::LostUndone, Choice::LostDone];
            return all[self.random.usize(0..3)];
        }
        if is_old && choices.contains(&Choice::GoOld) {
            Choice::GoOld
        } else {
            Choice::Go
        }
    }

    /// Something happens to a request, if it still can.
    pub(super) fn happens(&mut self, key: usize, event: Event) {
        let cell = &mut self.sites[key].cell;
        let pc = |who: Who| cell.handlers[usize::from(who)].pc;
        let (who, can, ends) = match event {
            Event::Apply(who) | Event::Refuse(who) => (who, cell.is_committing(who), true),
            Event::Cut(who) => (who, pc(who) == Pc::AwaitCommit, false),
            Event::Charge(who) | Event::Vanish(who) => (who, cell.is_calling(who), true),
            Event::NotSent(who) => (who, cell.is_calling(who), true),
            Event::Unanswered(who) => (who, pc(who) == Pc::AwaitCall, false),
            Event::Reap(who) => (who, cell.is_orphan(who), false),
            _ => return,
        };
        if ends {
            self.sites[key].requests[usize::from(who)].is_decided = false;
        }
        if !can {
            return self.arrange(key, who);
        }
        let cell = &mut self.sites[key].cell;
        let before = cell.books.events;
        let is_waiting = cell.handlers[usize::from(who)].pc == Pc::AwaitCall;
        cell.happens(match event {
            // The process is gone, and with it whoever would draw a conclusion.
            Event::NotSent(who) if !is_waiting => Event::Vanish(who),
            event => event,
        });
        let new = cell.books.events & !before;
        if new != 0 {
            self.enqueue(key);
        }
        self.lease(key);
        self.arrange(key, who);
    }

    fn lease(&mut self, key: usize) {
        let row = self.sites[key].cell.books.row.map(|it| it.state);
        if let Some(RowState::Leased {
            attempt,
            is_over: false,
            ..
        }) = row
        {
            let delay = self.up_to(LEASE);
            self.after(delay, Task::LeaseEnds { key, attempt });
        }
    }

    pub(super) fn lease_ends(&mut self, key: usize, of: u8) {
        let row = self.sites[key].cell.books.row.map(|it| it.state);
        if matches!(row, Some(RowState::Leased { attempt, .. }) if attempt == of) {
            self.sites[key].cell.happens(Event::LeaseEnds);
        }
    }

    pub(super) fn latch_ends(&mut self, key: usize, of: Who) {
        let cell = &mut self.sites[key].cell;
        if matches!(cell.hot, crate::protocol::Hot::Latch { by, .. } if by == of) {
            cell.happens(Event::Lose);
        }
    }
}
