//! Incidents of Postgres: a lock that somebody forgot, a server that is gone, rows that nobody may delete.

use std::time::Duration;

use super::world::{Incident, World, first_column, run};

/// Between two charges.
const PAUSE: Duration = Duration::from_millis(100);

/// A migration that somebody began in a console before lunch.
const FORGOTTEN: &str = "BEGIN; LOCK TABLE oncely.records IN ACCESS EXCLUSIVE MODE";

/// A report that keeps rows from being deleted. Other updates of them go on.
const REPORT: &str = "BEGIN; SELECT count(*) FROM (
    SELECT 1 FROM oncely.records ORDER BY created_at LIMIT 1 FOR KEY SHARE) AS kept";

const EXPIRE: &str = "
UPDATE oncely.records SET created_at = now() - interval '9 days', expires_at = now() - interval '6 days'
WHERE (tenant, id) IN (SELECT tenant, id FROM oncely.records ORDER BY created_at LIMIT 1)";

/// A backup by hand.
const BACKUP: &str = "BEGIN; LOCK TABLE public.receipts IN ACCESS EXCLUSIVE MODE";

#[test]
fn postgres_goes_wrong_and_the_runbook_ends_each_incident() {
    crate::harness::run(async {
        let world = World::start(&[("all", "oncely serve --role api,relay", &[])]).await;
        let caller = world.caller("all");
        let mut charges = tokio::task::JoinSet::new();
        charges.spawn(async move {
            for n in 1.. {
                let (key, body) = (format!("k-{n}"), crate::harness::charge_body(n));
                let headers = [("idempotency-key", &*key)];
                // Whatever it comes to: it is the weather of this drill.
                drop(
                    caller
                        .try_send(http::Method::POST, "/charge", &headers, &body)
                        .await,
                );
                tokio::time::sleep(PAUSE).await;
            }
        });
        let slow_burn = a_lock_is_forgotten(&world).await;
        postgres_is_gone(&world).await;
        tokio::join!(
            slow_burn.ends(),
            a_report_keeps_rows(&world),
            a_backup_keeps_the_audit_waiting(&world),
        );
        charges.shutdown().await;
    });
}

async fn a_lock_is_forgotten(world: &World) -> Incident<'_> {
    let mut console = world.session().await;
    run(&mut console, FORGOTTEN).await;
    let (slow, fast_burn, slow_burn) = tokio::join!(
        Incident::of(world, "OncelyLedgerSlow", "all"),
        Incident::of(world, "OncelyAvailabilityFastBurn", "all"),
        Incident::of(world, "OncelyAvailabilitySlowBurn", "all"),
    );
    let (mut slow, mut fast_burn, mut slow_burn) = (slow, fast_burn, slow_burn);
    for burn in [&mut fast_burn, &mut slow_burn] {
        let said = burn.look().await;
        assert!(said.contains("outcome=\"unavailable\"}"), "{said}");
    }
    let said = slow.look().await;
    let pid = first_column(&said, "LOCK TABLE");
    slow.look_with("PID", pid).await;
    slow.fix().await;
    tokio::join!(slow.ends(), fast_burn.ends());
    slow_burn
}

async fn postgres_is_gone(world: &World) {
    world.postgres.kill().await.unwrap();
    let mut incident = Incident::of(world, "OncelyLedgerRefusing", "all").await;
    let said = incident.look().await;
    assert!(said.contains("unavailable"), "{said}");
    assert!(said.contains("no response"), "{said}");
    world.postgres.restart().await.unwrap();
    incident.note("Postgres is brought back");
    incident.ends().await;
}

async fn a_report_keeps_rows(world: &World) {
    let mut report = world.session().await;
    run(&mut report, REPORT).await;
    world.execute(EXPIRE).await;
    let mut incident = Incident::of(world, "OncelyRetentionOverdue", "all").await;
    let said = incident.look().await;
    let pid = first_column(&said, "SELECT count");
    incident.look_with("PID", pid).await;
    incident.fix().await;
    incident.ends().await;
}

async fn a_backup_keeps_the_audit_waiting(world: &World) {
    let mut backup = world.session().await;
    run(&mut backup, BACKUP).await;
    let mut incident = Incident::of(world, "OncelyChoreSilent", "all").await;
    let said = incident.look().await;
    assert!(said.contains("chore=\"audit\"}"), "{said}");
    let pid = first_column(&said, "public.receipts");
    incident.look_with("PID", pid).await;
    incident.fix().await;
    incident.ends().await;
}
