//! What the tests of waiting share: a first request that is held, and duplicates that wait for it.

use oncely::failpoint::Arrival;
use oncely::shutdown::Tasks;
use tokio::task::JoinHandle;

use crate::harness::{App, Caller, Recipe, Reply, VARIANTS, Variant, charge_body};

/// A request under way.
pub(super) struct Pending(JoinHandle<Reply>);

impl Pending {
    pub(super) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    pub(super) async fn reply(self) -> Reply {
        self.0.await.unwrap()
    }

    /// Hangs up.
    pub(super) fn hang_up(self) {
        self.0.abort();
    }
}

/// `POST` of a body that waits for so many seconds.
pub(super) fn send(caller: &Caller, path: &str, prefer: &str, body: &str) -> Pending {
    let (caller, path) = (caller.clone(), path.to_owned());
    let (prefer, body) = (prefer.to_owned(), body.to_owned());
    Pending(Tasks::default().spawn(async move {
        let headers = [("idempotency-key", "k-1"), ("prefer", prefer.as_str())];
        caller
            .send(http::Method::POST, &path, &headers, &body)
            .await
    }))
}

/// A charge of 1 with the key `k-1` that waits for so many seconds.
pub(super) fn charge(caller: &Caller, prefer: &str) -> Pending {
    send(caller, "/charge", prefer, &charge_body(1))
}

/// The first charge, which has written and not committed.
pub(super) async fn first(app: &App) -> (Arrival, Pending) {
    let mut held = app.points.hold("store.transactional.after_work");
    let first = charge(&app.caller(), "");
    assert!(held.arrived().await);
    (held, first)
}

/// A duplicate of it that has begun to wait.
pub(super) async fn second(app: &App, prefer: &str) -> Pending {
    let mut begun = app.points.hold("store.wait.begun");
    let second = charge(&app.caller(), prefer);
    assert!(begun.arrived().await);
    begun.release();
    second
}

/// Waits until somebody who waits has asked once more in vain.
pub(super) async fn has_asked_again(app: &App) {
    let mut again = app.points.hold("store.wait.begun");
    assert!(again.arrived().await);
    again.release();
}

/// The variants in which a duplicate can see that somebody is at it.
pub(super) fn seeing() -> impl Iterator<Item = (Variant, Recipe)> {
    let all = VARIANTS.into_iter().map(|it| (it, it.recipe()));
    all.filter(|(_, recipe)| !recipe.stub_lock)
}

/// Asserts that this is the first one's answer, repeated to somebody who has waited.
pub(super) fn is_replay(reply: &Reply, first: &Reply, what: &str) {
    assert_eq!(reply.status, first.status, "{what}: {reply:?}");
    assert_eq!(reply.idempotency_status(), "replayed", "{what}");
    assert_eq!(reply.header("idempotent-replayed"), "true", "{what}");
    assert!(!reply.header("preference-applied").is_empty(), "{what}");
    let without = |reply: &Reply| {
        let mut reply = reply.clone();
        reply.headers.remove("preference-applied");
        reply.essence()
    };
    assert_eq!(without(reply), without(first), "{what}");
}
