//! Who in this process waits for which operation's end, and is told of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::{Identity, Record};

/// A record's id.
type Id = [u8; 16];

/// What those who wait are told; the outer `None` until then.
type Told = Option<Option<Arc<Record>>>;

/// The ends that somebody waits for. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends(Arc<Mutex<HashMap<Id, watch::Sender<Told>>>>);

/// Hears of one end. Dropping it forgets it.
#[derive(Debug)]
pub(super) struct Listener {
    ends: Ends,
    id: Id,
    told: watch::Receiver<Told>,
}

impl Ends {
    /// Hears of the next end of this operation from now on.
    pub(super) fn listen(&self, identity: &Identity) -> Listener {
        let id = identity.id();
        let told = {
            let mut known = self.lock();
            let sender = known.entry(id).or_insert_with(|| watch::Sender::new(None));
            sender.subscribe()
        };
        let ends = self.clone();
        Listener { ends, id, told }
    }

    /// Tells that an attempt has ended. With the record that it left, nobody has to ask for it; without
    /// one, whoever waits may try.
    pub(super) fn tell(&self, id: Id, record: Option<&Record>) {
        let Some(sender) = self.lock().remove(&id) else {
            return;
        };
        sender.send_replace(Some(record.cloned().map(Arc::new)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, watch::Sender<Told>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Waits for the end; the record that it left, where there is one.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost: the next call hears of it.
    pub(super) async fn heard(&mut self) -> Option<Arc<Record>> {
        let told = self.told.wait_for(Option::is_some).await.ok()?;
        told.clone().flatten()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut known = self.ends.lock();
        // Once an end was told, its sender is gone, and what is there by this id is another's.
        let is_ours = self.told.has_changed().is_ok();
        let is_last = |it: &watch::Sender<Told>| it.receiver_count() == 1;
        if is_ours && known.get(&self.id).is_some_and(is_last) {
            known.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::domain::{Key, Operation, State, Tenant};

    fn identity(key: &str) -> Identity {
        Identity::of(
            &Tenant::new("demo").unwrap(),
            &Operation::new("POST /charge").unwrap(),
            &Key::from_header([key.as_bytes()]).unwrap(),
        )
    }

    fn record() -> Record {
        Record {
            fingerprint: None,
            state: State::Unknown,
        }
    }

    #[tokio::test]
    async fn everybody_who_listens_to_a_key_hears_its_end_and_nobody_else() {
        let ends = Ends::default();
        let mut two = [ends.listen(&identity("a")), ends.listen(&identity("a"))];
        let mut other = ends.listen(&identity("b"));
        ends.tell(identity("a").id(), Some(&record()));
        for listener in &mut two {
            assert_eq!(listener.heard().await.as_deref(), Some(&record()));
        }
        assert!(other.heard().now_or_never().is_none());
        ends.tell(identity("b").id(), None);
        assert_eq!(other.heard().now_or_never(), Some(None));
    }

    #[tokio::test]
    async fn who_listens_after_an_end_hears_of_the_next_one() {
        let ends = Ends::default();
        let mut early = ends.listen(&identity("a"));
        ends.tell(identity("a").id(), None);
        let mut late = ends.listen(&identity("a"));
        assert_eq!(early.heard().now_or_never(), Some(None));
        assert!(late.heard().now_or_never().is_none());
        drop(early);
        ends.tell(identity("a").id(), None);
        assert_eq!(
            late.heard().now_or_never(),
            Some(None),
            "the first one's leaving takes nothing from the second"
        );
    }

    #[test]
    fn nothing_is_left_of_those_who_have_gone() {
        let ends = Ends::default();
        let one = ends.listen(&identity("a"));
        let other = ends.listen(&identity("a"));
        drop(one);
        assert_eq!(ends.lock().len(), 1);
        drop(other);
        assert!(ends.lock().is_empty());
    }
}
