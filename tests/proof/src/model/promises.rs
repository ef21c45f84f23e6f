//! What has to hold in every state (I), and what has to be reached in some (S).

use std::sync::atomic::{AtomicBool, Ordering};

use stateright::Property;

use super::claim::{Claims, World};
use crate::protocol::Reply;

/// Which promises were broken already. Of each, only the first counterexample counts: the checker
/// would put later ones, which are longer, in its place.
#[derive(Debug, Default)]
pub(super) struct Promises([AtomicBool; 7]);

type Promise = fn(&Claims, &World) -> bool;

const ALWAYS: [(&str, Promise); 7] = [
    ("I1 at most one effect", at_most_one_effect),
    ("I2 what was acknowledged is there", acknowledged_is_there),
    ("I3 replays are equal", replays_are_equal),
    ("I4 another request gets no answer", mismatch_gets_no_answer),
    ("I5 events and effects are the same", events_are_effects),
    ("I6 it ends with the truth", ends_with_the_truth),
    ("I7 what surely failed did nothing", failures_did_nothing),
];

impl Promises {
    pub(super) fn properties() -> Vec<Property<Claims>> {
        vec![
            always(ALWAYS[0].0, |model, world| holds(model, world, 0)),
            always(ALWAYS[1].0, |model, world| holds(model, world, 1)),
            always(ALWAYS[2].0, |model, world| holds(model, world, 2)),
            always(ALWAYS[3].0, |model, world| holds(model, world, 3)),
            always(ALWAYS[4].0, |model, world| holds(model, world, 4)),
            always(ALWAYS[5].0, |model, world| holds(model, world, 5)),
            always(ALWAYS[6].0, |model, world| holds(model, world, 6)),
            sometimes("S1 done", |_, world| {
                world.callers.iter().any(|it| it.answers != 0)
            }),
            sometimes("S2 in flight", |_, world| {
                let is_told = |it: &super::claim::Caller| it.last == Some(Reply::InFlight);
                world.callers.iter().any(is_told)
            }),
            sometimes("S3 replay to another", |_, world| {
                1 < world.callers.iter().filter(|it| it.answers != 0).count()
            }),
        ]
    }
}

fn always(name: &'static str, holds: Promise) -> Property<Claims> {
    Property::always(name, holds)
}

fn sometimes(name: &'static str, holds: Promise) -> Property<Claims> {
    Property::sometimes(name, holds)
}

fn holds(model: &Claims, world: &World, at: usize) -> bool {
    let was_broken = &model.promises.0[at];
    if was_broken.load(Ordering::Relaxed) || ALWAYS[at].1(model, world) {
        return true;
    }
    was_broken.swap(true, Ordering::Relaxed)
}

fn at_most_one_effect(_: &Claims, world: &World) -> bool {
    world.cell.n_effects() <= 1 && world.cell.outside.charges.count_ones() <= 1
}

fn acknowledged_is_there(_: &Claims, world: &World) -> bool {
    let cell = &world.cell;
    let is_there = cell.books.effects != 0 && (!cell.calls_outside() || cell.outside.charges != 0);
    is_there || world.callers.iter().all(|it| it.answers == 0)
}

fn replays_are_equal(_: &Claims, world: &World) -> bool {
    let all = world.callers.iter().fold(0, |all, it| all | it.answers);
    all.count_ones() <= 1
}

fn mismatch_gets_no_answer(model: &Claims, world: &World) -> bool {
    let n_attempts = usize::from(model.settings.n_attempts);
    world.callers.iter().enumerate().all(|(at, caller)| {
        let own = world.cell.handlers[at * n_attempts].body;
        let authors = world.cell.handlers.iter().enumerate();
        authors
            .filter(|(who, _)| caller.answers >> who & 1 == 1)
            .all(|(_, author)| author.body == own)
    })
}

fn events_are_effects(_: &Claims, world: &World) -> bool {
    world.cell.books.events == world.cell.books.effects
}

fn ends_with_the_truth(_: &Claims, world: &World) -> bool {
    !world.cell.is_quiet() || world.cell.ends_truthfully()
}

fn failures_did_nothing(_: &Claims, world: &World) -> bool {
    let failed = |it: &crate::protocol::Handler| it.reply == Some(Reply::Unavailable);
    let handlers = world.cell.handlers.iter().enumerate();
    let effects = world.cell.books.effects;
    handlers
        .filter(|(_, it)| failed(it))
        .all(|(who, _)| effects >> who & 1 == 0)
}
