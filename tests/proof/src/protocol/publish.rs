//! After the ledger: the answer to the caller, and to Redis.

use super::{Cell, Choice, Design, Hot, Pc, Reply, Who};

impl Cell {
    /// Answers `who`. What Redis is told is queued by then, and may arrive later.
    pub(super) fn answer(&mut self, who: Who, reply: Reply) {
        let it = self.of(who);
        it.reply = Some(reply);
        it.pc = match it.publishes {
            Some(_) => Pc::Publish,
            None if it.is_latched => Pc::Release,
            None => Pc::End,
        };
    }

    /// Writes the answer over whatever is there.
    pub(super) fn publish(&mut self, who: Who, choice: Choice) {
        let epoch = match self.design {
            Design::EpochAfterCommit => self.epoch,
            _ => self.look_at(who).epoch,
        };
        if let Some((by, body)) = self.look_at(who).publishes
            && choice == Choice::Go
        {
            self.hot = Hot::Answer { by, body, epoch };
        }
        let is_early = self.look_at(who).reply.is_none();
        self.of(who).pc = if is_early { Pc::Commit } else { Pc::End };
    }
}
