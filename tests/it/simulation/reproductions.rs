//! The stories that broke a design, step by step: told of the broken one, and of ours.

use oncely_proof::protocol::{Cell, Choice, Design, Event, Hot, Pc, Reply, Who};

/// A request for `body` that is on its way.
fn sends(cell: &mut Cell, body: u8) -> Who {
    let who = cell.add(body);
    cell.send(who);
    who
}

fn pc(cell: &Cell, who: Who) -> Pc {
    cell.handlers[usize::from(who)].pc
}

fn reply(cell: &Cell, who: Who) -> Option<Reply> {
    cell.handlers[usize::from(who)].reply
}

/// `who` goes on until it is there, or is over. Its COMMITs and calls succeed at once; a latch that it
/// meets is old.
fn goes_on(cell: &mut Cell, who: Who, until: Pc) {
    let mut choices = Vec::new();
    while pc(cell, who) != until && pc(cell, who) != Pc::End {
        if pc(cell, who) == Pc::AwaitCommit {
            cell.happens(Event::Apply(who));
        } else if pc(cell, who) == Pc::AwaitCall {
            cell.happens(Event::Charge(who));
        } else {
            choices.clear();
            cell.choices(who, false, &mut choices);
            let choice = *choices.last().expect("nobody waits in these stories");
            cell.step(who, choice);
        }
    }
}

/// The holder's lease is over, another one takes over and ends; then the first one wakes up.
#[test]
fn a_holder_that_was_taken_over_wakes_up() {
    for (design, n_effects) in [(Design::NoFence, 2), (Design::Leased, 1)] {
        let mut cell = Cell::new(design, true);
        let first = sends(&mut cell, 0);
        goes_on(&mut cell, first, Pc::Finish);
        cell.happens(Event::LeaseEnds);
        cell.happens(Event::Lose);
        let second = sends(&mut cell, 0);
        goes_on(&mut cell, second, Pc::End);
        goes_on(&mut cell, first, Pc::End);
        assert_eq!(cell.n_effects(), n_effects, "{design:?}");
        assert_eq!(reply(&cell, second), Some(Reply::Done(second)));
    }
}

/// One has looked, and found nothing; then the other one's commit comes through and frees the lock.
#[test]
fn a_lookup_that_is_older_than_the_lock() {
    for (design, n_effects) in [(Design::LookUpBeforeLock, 2), (Design::Advisory, 1)] {
        let mut cell = Cell::new(design, true);
        let first = sends(&mut cell, 0);
        goes_on(&mut cell, first, Pc::AwaitCommit);
        cell.happens(Event::Lose);
        let second = sends(&mut cell, 0);
        let is_broken = design == Design::LookUpBeforeLock;
        goes_on(
            &mut cell,
            second,
            if is_broken { Pc::Claim } else { Pc::End },
        );
        goes_on(&mut cell, first, Pc::End);
        goes_on(&mut cell, second, Pc::End);
        assert_eq!(cell.n_effects(), n_effects, "{design:?}");
    }
}

/// The answer is in Redis, a duplicate has it, and the transaction is rolled back.
#[test]
fn an_answer_that_was_early() {
    for (design, expected) in [
        (Design::PublishesBeforeCommit, Reply::Done(0)),
        (Design::Advisory, Reply::InFlight),
    ] {
        let mut cell = Cell::new(design, true);
        let first = sends(&mut cell, 0);
        goes_on(&mut cell, first, Pc::AwaitCommit);
        let duplicate = sends(&mut cell, 0);
        goes_on(&mut cell, duplicate, Pc::End);
        cell.happens(Event::Refuse(first));
        assert_eq!(reply(&cell, duplicate), Some(expected), "{design:?}");
        assert_eq!(cell.n_effects(), 0);
    }
}

/// A commit that the standby never got, and its answer in Redis.
#[test]
fn a_ghost() {
    for (design, n_effects) in [
        (Design::IgnoresTheEpoch, 0),
        (Design::EpochAfterCommit, 0),
        (Design::Advisory, 1),
    ] {
        let mut cell = Cell::new(design, false);
        let first = sends(&mut cell, 0);
        goes_on(&mut cell, first, Pc::Publish);
        cell.happens(Event::FailOver);
        cell.happens(Event::Watch);
        goes_on(&mut cell, first, Pc::End);
        assert!(matches!(cell.hot, Hot::Answer { .. }));
        let retry = sends(&mut cell, 0);
        goes_on(&mut cell, retry, Pc::End);
        assert!(matches!(reply(&cell, retry), Some(Reply::Done(_))));
        assert_eq!(cell.n_effects(), n_effects, "{design:?}");
    }
}

/// COMMIT is not answered, and comes through later.
#[test]
fn a_commit_that_was_not_answered() {
    for (design, first_reply, retry_reply) in [
        (
            Design::KeepsFailures,
            Reply::Unavailable,
            Reply::Unavailable,
        ),
        (
            Design::TakesAbsenceForProof,
            Reply::Unavailable,
            Reply::Done(0),
        ),
        (Design::Advisory, Reply::OutcomeUnknown, Reply::Done(0)),
    ] {
        let mut cell = Cell::new(design, true);
        let first = sends(&mut cell, 0);
        goes_on(&mut cell, first, Pc::AwaitCommit);
        cell.happens(Event::Cut(first));
        goes_on(&mut cell, first, Pc::End);
        cell.happens(Event::Apply(first));
        let retry = sends(&mut cell, 0);
        goes_on(&mut cell, retry, Pc::End);
        assert_eq!(reply(&cell, first), Some(first_reply), "{design:?}");
        assert_eq!(reply(&cell, retry), Some(retry_reply), "{design:?}");
        assert_eq!(cell.n_effects(), 1);
    }
}

/// Found by the simulation: the window that ADR 0004 leaves open. The holder's latch is lost, somebody
/// misuses the key and latches, and the holder's own duplicate meets that latch while the lock is taken.
/// It is refused, and what it asks for is done.
#[test]
fn a_422_that_is_too_early() {
    let mut cell = Cell::new(Design::Advisory, true);
    let holder = sends(&mut cell, 0);
    goes_on(&mut cell, holder, Pc::Work);
    cell.happens(Event::Lose);
    let misuse = sends(&mut cell, 1);
    cell.step(misuse, Choice::Go);
    assert_eq!(pc(&cell, misuse), Pc::Claim);
    let duplicate = sends(&mut cell, 0);
    goes_on(&mut cell, duplicate, Pc::End);
    goes_on(&mut cell, misuse, Pc::End);
    goes_on(&mut cell, holder, Pc::End);
    assert_eq!(reply(&cell, duplicate), Some(Reply::Mismatch));
    assert_eq!(reply(&cell, misuse), Some(Reply::InFlight));
    assert_eq!(reply(&cell, holder), Some(Reply::Done(holder)));
    // Once the holder has committed, everybody is told the truth.
    for (body, expected) in [(0, Reply::Done(holder)), (1, Reply::Mismatch)] {
        let later = sends(&mut cell, body);
        goes_on(&mut cell, later, Pc::End);
        assert_eq!(reply(&cell, later), Some(expected));
    }
}

/// Found by the simulation: an attempt is paused before its call, an operator who sees nothing in the
/// processor's books says "it did not happen", and the call goes out after all.
#[test]
fn an_operator_who_does_not_wait() {
    let mut cell = Cell::new(Design::LeasedKeyless, true);
    let paused = sends(&mut cell, 0);
    goes_on(&mut cell, paused, Pc::Call);
    cell.happens(Event::LeaseEnds);
    cell.happens(Event::Lose);
    let second = sends(&mut cell, 0);
    goes_on(&mut cell, second, Pc::End);
    assert_eq!(reply(&cell, second), Some(Reply::OperationUnknown));
    assert!(cell.may_still_call(), "a careful operator waits here");
    cell.resolve();
    let third = sends(&mut cell, 0);
    goes_on(&mut cell, third, Pc::End);
    assert_eq!(cell.outside.charges.count_ones(), 1);
    goes_on(&mut cell, paused, Pc::End);
    assert_eq!(cell.outside.charges.count_ones(), 2);
    assert_eq!(
        cell.n_effects(),
        1,
        "in our own books there is one all the same"
    );
}
