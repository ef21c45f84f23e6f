//! Incidents of requests and of what follows from them, side by side on one stack.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oncely::domain::{Identity, Key, Operation, Tenant};
use oncely::testkit::{Processor, Quirk};

use super::world::{Incident, World, first_column, run};
use crate::harness::{Caller, until};

/// Between two requests of one caller.
const PAUSE: Duration = Duration::from_millis(50);

/// The amount of the charge that the journal refuses.
const POISON: i64 = 666;

/// A deploy of the journal that refuses some amounts.
const REFUSE: &str = "
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amount = 666 THEN RAISE EXCEPTION 'no account for this amount'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON public.journal_entries
    FOR EACH ROW EXECUTE FUNCTION public.refuse()";

#[test]
fn requests_and_effects_go_wrong_and_the_runbook_ends_each_incident() {
    crate::harness::run(async {
        let world = World::start(&[("all", "oncely serve", &[])]).await;
        tokio::join!(
            callers_change_the_body_between_tries(&world),
            a_console_holds_a_key(&world),
            the_journal_refuses_a_message(&world),
            a_script_reserves_stock_a_second_time(&world),
        );
    });
}

#[test]
fn the_processor_goes_wrong_and_the_runbook_ends_each_incident() {
    crate::harness::run(async {
        let processor = Processor::start(false).await.unwrap();
        let settings = [
            ("ONCELY_PROCESSOR__URL", processor.url()),
            ("ONCELY_PROCESSOR__ACCEPTS_KEYS", "false"),
            ("ONCELY_PROCESSOR__TIMEOUT", "500ms"),
            ("ONCELY_LEDGER__RESCUE_INTERVAL", "1s"),
        ];
        let world = World::start(&[("all", "oncely serve", &settings)]).await;
        tokio::join!(
            the_processor_refuses_work(&world, &processor),
            an_answer_of_the_processor_is_lost(&world, &processor),
        );
    });
}

async fn callers_change_the_body_between_tries(world: &World) {
    let (caller, is_ill) = (world.caller("all"), AtomicBool::new(true));
    let paying = async {
        for n in 1.. {
            // A rate of exchange that is looked up anew for each try.
            let key = format!("order-{n}");
            let again = if is_ill.load(Ordering::Relaxed) {
                n + 1
            } else {
                n
            };
            caller.charge(&key, n).await;
            let reply = caller.charge(&key, again).await;
            assert!(matches!(reply.status, 201 | 409 | 422), "{reply:?}");
            tokio::time::sleep(PAUSE).await;
        }
    };
    let story = async {
        let mut incident = Incident::of(world, "OncelyMismatchSpike", "all").await;
        let said = incident.look().await;
        assert!(said.contains("outcome=\"mismatch\"}"), "{said}");
        let named = "422: the key was used for another request";
        let log = world.log("all");
        let line = log.lines().find(|it| it.contains(named)).unwrap();
        assert!(
            line.contains("demo") && line.contains("POST /charge"),
            "{line}"
        );
        incident.note(&format!("the log says: {}", line.trim()));
        incident.note("the caller takes its deploy back: a retry is sent unchanged");
        is_ill.store(false, Ordering::Relaxed);
        incident.ends().await;
    };
    tokio::select! { () = story => (), () = paying => () }
}

async fn a_console_holds_a_key(world: &World) {
    let key = Key::from_header([&b"held"[..]]).unwrap();
    let operation = Operation::new("POST /charge").unwrap();
    let lock = Identity::of(&Tenant::new("demo").unwrap(), &operation, &key).lock();
    let mut console = world.session().await;
    let hold = format!("BEGIN; SELECT pg_advisory_xact_lock({lock})");
    run(&mut console, &hold).await;
    let caller = world.caller("all");
    let paying = async {
        loop {
            let reply = caller.charge("held", 77).await;
            assert!(matches!(reply.status, 201 | 409), "{reply:?}");
            tokio::time::sleep(PAUSE).await;
        }
    };
    let story = async {
        let mut incident = Incident::of(world, "OncelyInFlightLasting", "all").await;
        let said = incident.look().await;
        // Ours are called by their name; the oldest comes first.
        let pid = first_column(&said, "idle in transaction");
        incident.look_with("PID", pid).await;
        incident.fix().await;
        incident.ends().await;
        let made = caller.charge("held", 77).await;
        assert_eq!(made.status, 201, "{made:?}");
    };
    tokio::select! { () = story => (), () = paying => () }
    drop(console);
    let made = "SELECT count(*) FROM public.charges WHERE amount = 77 AND sku IS NULL";
    assert!(1 <= world.count(made).await);
}

async fn the_journal_refuses_a_message(world: &World) {
    world.execute(REFUSE).await;
    let reply = world.caller("all").charge("poison", POISON).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let mut incident = Incident::of(world, "OncelyDeadLetters", "all").await;
    let listed = incident.look().await;
    let is_id = |it: &&str| it.len() == 36 && it.chars().filter(|c| *c == '-').count() == 4;
    let id = listed
        .split_whitespace()
        .find(is_id)
        .expect("the list has ids");
    let shown = incident.look_with("ID", id).await;
    assert!(shown.contains("no account for this amount"), "{shown}");
    world
        .execute("DROP TRIGGER refuse ON public.journal_entries")
        .await;
    incident.note("the journal's deploy is taken back");
    incident.fix().await;
    incident.ends().await;
    let lines = "SELECT count(*) FROM public.journal_entries WHERE amount = 666";
    until(|| async { world.count(lines).await == 2 }).await;
}

async fn a_script_reserves_stock_a_second_time(world: &World) {
    let body = r#"{"amount": 4200, "currency": "USD", "source": "tok_visa", "sku": "sku-1", "quantity": 3}"#;
    let reply = world.caller("all").post("/charge", "stock", body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let reserved = "SELECT count(*) FROM public.reservations";
    until(|| async { world.count(reserved).await == 1 }).await;
    let again = "
        INSERT INTO public.reservations (tenant, id, sku, quantity, status, charge_id)
        SELECT tenant, 'rs_by_hand', sku, quantity, status, charge_id FROM public.reservations;
        UPDATE public.inventory SET available = available - 3, reserved = reserved + 3";
    world.execute(again).await;
    let mut incident = Incident::of(world, "OncelyEffectsMismatch", "all").await;
    let said = incident.look().await;
    let charge = reply.json()["id"].as_str().unwrap().to_owned();
    assert!(said.contains(&charge), "{said}");
    let said = incident.look_with("CHARGE", charge).await;
    // The one that came after the event was applied.
    let extra = first_column(&said, "rs_by_hand");
    incident.shell.set("EXTRA", extra);
    incident.fix().await;
    incident.ends().await;
    let stock = "SELECT available FROM public.inventory WHERE sku = 'sku-1'";
    assert_eq!(world.count(stock).await, 1_000_000 - 3);
    assert_eq!(world.count(reserved).await, 1);
}

async fn the_processor_refuses_work(world: &World, processor: &Processor) {
    processor.always("tok_busy", Quirk::FailBeforeWork(429));
    let caller = world.caller("all");
    let paying = async {
        for n in 1.. {
            for attempt in ["1", "2", "3", "4"] {
                if pay(&caller, "tok_busy", &format!("pay-{n}"), attempt).await == 201 {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let story = async {
        let mut incident = Incident::of(world, "OncelyAttemptSurge", "all").await;
        let said = incident.look().await;
        assert!(said.contains("outcome=\"unfinished\"}"), "{said}");
        assert!(said.contains("POST /payments"), "{said}");
        processor.always("tok_busy", Quirk::None);
        incident.note("the processor takes work again");
        incident.ends().await;
    };
    tokio::select! { () = story => (), () = paying => () }
    // What callers have given up is brought to its end all the same, and each payment is one charge.
    let open = "SELECT count(*) FROM oncely.records WHERE state = 'leased'";
    until(|| async { world.count(open).await == 0 }).await;
    let paid = "SELECT count(*) FROM public.payments WHERE source = 'tok_busy'";
    let n_charges = i64::try_from(processor.charges_of("tok_busy").len()).unwrap();
    assert_eq!(world.count(paid).await, n_charges);
}

async fn pay(caller: &Caller, source: &str, key: &str, attempt: &str) -> u16 {
    let headers = [("idempotency-key", key), ("oncely-attempt", attempt)];
    let body = format!(r#"{{"amount": 4200, "currency": "USD", "source": "{source}"}}"#);
    let reply = caller
        .send(http::Method::POST, "/payments", &headers, &body)
        .await;
    reply.status
}

async fn an_answer_of_the_processor_is_lost(world: &World, processor: &Processor) {
    processor.script("tok_lost", [Quirk::HangUpBeforeWork]);
    let caller = world.caller("all");
    assert_eq!(pay(&caller, "tok_lost", "lost", "1").await, 409);
    let mut incident = Incident::of(world, "OncelyUnknownOutcomes", "all").await;
    let listed = incident.look().await;
    let is_id = |it: &&str| it.len() == 32 && it.chars().all(|c| c.is_ascii_hexdigit());
    let id = listed.split_whitespace().find(is_id);
    let id = id.expect("the list has ids");
    incident.look_with("ID", id).await;
    let books = processor.charges_of("tok_lost");
    assert!(books.is_empty(), "{books:?}");
    incident
        .note("the processor has no such charge in its books, and confirms that none will come");
    incident.shell.set("ATTEMPT", "1");
    incident.fix().await;
    incident.ends().await;
    assert_eq!(pay(&caller, "tok_lost", "lost", "2").await, 201);
    assert_eq!(processor.charges_of("tok_lost").len(), 1);
}
