//! All cells: one test for each thing that can happen at a point.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic;
use std::sync::{Arc, Once};
use std::time::Duration;

use oncely::testkit::{Pair, Postgres, PostgresOptions};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::cell::{Cell, Fault, NOT_THERE};
use super::rows::{ROWS, left_out};
use super::world::Place;
use crate::harness::{migrated, run_for};

/// How many cells live at once, over all tests of this file. Most of a cell's time is waiting.
static SEATS: Semaphore = Semaphore::const_new(14);

/// How long a fifth of the matrix may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(20);

#[test]
fn a_step_that_fails_leaves_one_effect_and_one_answer() {
    run_for(PATIENCE, fifth(Fault::Error));
}

#[test]
fn a_step_that_panics_leaves_one_effect_and_one_answer() {
    run_for(PATIENCE, fifth(Fault::Panic));
}

#[test]
fn a_step_that_hangs_leaves_one_effect_and_one_answer() {
    run_for(PATIENCE, fifth(Fault::Hang));
}

#[test]
fn a_step_whose_task_is_dropped_leaves_one_effect_and_one_answer() {
    run_for(PATIENCE, fifth(Fault::Cancel));
}

#[test]
fn a_step_whose_process_is_killed_leaves_one_effect_and_one_answer() {
    run_for(PATIENCE, fifth(Fault::Abort));
}

/// All cells of one fault, side by side.
async fn fifth(fault: Fault) {
    be_quiet_about_what_was_asked_for();
    let pair = Pair::shared().await.unwrap();
    let is_durable = fault == Fault::Abort;
    let own = match fault {
        Fault::Abort => {
            let options = PostgresOptions::with([("max_connections", "400")]);
            Some(Postgres::start(options).await.unwrap())
        }
        Fault::Error | Fault::Panic | Fault::Hang | Fault::Cancel => None,
    };
    let server_url = own.as_ref().unwrap_or(&pair.postgres).url().to_owned();
    let place = Arc::new(Place {
        template: migrated(&server_url).await,
        server_url,
        redis_url: pair.redis.url().to_owned(),
        is_durable,
    });
    let mut cells = JoinSet::new();
    for row in &ROWS {
        for has_redis in [true, false] {
            let cell = Cell {
                row,
                fault,
                has_redis,
            };
            if is_chosen(&cell) && left_out(&cell).is_none() {
                let place = Arc::clone(&place);
                cells.spawn(async move { (cell.to_string(), lived_through(cell, place).await) });
            }
        }
    }
    let mut outcomes = BTreeMap::new();
    while let Some(ended) = cells.join_next().await {
        let (name, outcome) = ended.unwrap();
        outcomes.insert(name, outcome);
    }
    tell(&outcomes);
}

async fn lived_through(cell: Cell, place: Arc<Place>) -> (Result<String, String>, Duration) {
    let _seat = SEATS.acquire().await.unwrap();
    let began = Instant::now();
    // A panic of one cell says something of that cell alone.
    let mut outcome = one_life(&cell, &place).await;
    if outcome.as_ref().is_err_and(|it| it.contains(NOT_THERE)) {
        // A time-out of a busy machine may lead past the point. Once more, in a new world.
        outcome = one_life(&cell, &place).await;
    }
    (outcome, began.elapsed())
}

async fn one_life(cell: &Cell, place: &Arc<Place>) -> Result<String, String> {
    let (cell, place) = (*cell, Arc::clone(place));
    let mut life = JoinSet::new();
    life.spawn(async move { Box::pin(cell.run(&place)).await });
    match life.join_next().await {
        Some(Ok(outcome)) => outcome,
        Some(Err(panicked)) => Err(panicked.to_string()),
        None => Err("it never lived".to_owned()),
    }
}

/// To look at a part of the matrix: `ONCELY_TEST_CELLS=outbox.relay`.
fn is_chosen(cell: &Cell) -> bool {
    let wanted = std::env::var_os("ONCELY_TEST_CELLS").unwrap_or_default();
    cell.to_string().contains(&*wanted.to_string_lossy())
}

/// Prints the table, and fails where a cell did.
fn tell(outcomes: &BTreeMap<String, (Result<String, String>, Duration)>) {
    let mut wrong = Vec::new();
    for (cell, (outcome, took)) in outcomes {
        match outcome {
            Ok(saw) => println!("{cell} | {saw} | {took:.1?}"),
            Err(why) => wrong.push(format!("{cell}, after {took:.1?}: {why}")),
        }
    }
    let n = outcomes.len();
    let mut err = std::io::stderr();
    writeln!(err, "{n} cells, {} of them wrong", wrong.len()).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(0 < n, "no cell was chosen");
}

/// Panics that a test asked for are not news.
fn be_quiet_about_what_was_asked_for() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<String>();
            if !text.is_some_and(|it| it.starts_with("a test made `")) {
                others(info);
            }
        }));
    });
}
