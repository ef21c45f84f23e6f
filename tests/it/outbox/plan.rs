//! The relay's statements walk along the primary key and prune partitions, whatever the planner is
//! made to believe.

use oncely::outbox::statements;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use uuid::Uuid;

use super::world::World;
use crate::harness::run;

/// What makes another plan look better.
const HOSTILE: &str =
    "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_sort = off;
SET enable_material = off; SET enable_hashagg = off; SET random_page_cost = 1000;";

/// As many as a minute of outage leaves.
const FILL: &str =
    "INSERT INTO oncely.outbox_pending (shard, position, tenant, id, seq, aggregate_hash)
SELECT n % 16, n, 'demo', gen_random_uuid(), 1, n FROM generate_series(1, 18000) n";

/// The plan of the statement as a prepared one, generic, with these arguments.
async fn plan(books: &mut PgConnection, types: &str, statement: &str, arguments: &str) -> String {
    let mut lines = Vec::new();
    for mode in ["force_generic_plan", "force_custom_plan"] {
        let prepare = format!(
            "SET plan_cache_mode = {mode}; DEALLOCATE ALL; PREPARE it ({types}) AS {statement}"
        );
        sqlx::raw_sql(AssertSqlSafe(prepare))
            .execute(&mut *books)
            .await
            .unwrap();
        let explain = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE it ({arguments})");
        let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *books);
        let rows = rows.await.unwrap();
        lines.extend(rows.iter().map(|it| it.get::<String, _>(0)));
    }
    lines.join("\n")
}

fn shards() -> &'static str {
    "'{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}'"
}

async fn check(books: &mut PgConnection, when: &str) {
    let [claim, scan, _] = statements();
    let lows = "'{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}'";
    let arguments = format!("{}, {lows}, 9223372036854775807, 200", shards());
    let claimed = plan(
        books,
        "smallint[], bigint[], bigint, bigint",
        claim,
        &arguments,
    )
    .await;
    let scanned = plan(books, "smallint[]", scan, shards()).await;
    for plan in [claimed, scanned] {
        assert!(
            plan.contains("using outbox_pending_key")
                && plan.contains("Index Cond: (shard = mine.shard)")
                || plan.contains("Index Cond: ((shard = mine.shard)"),
            "{when}:\n{plan}"
        );
        assert!(!plan.contains("Seq Scan"), "{when}:\n{plan}");
        assert!(!plan.contains("Sort"), "{when}:\n{plan}");
    }
}

#[test]
fn the_claim_walks_along_the_primary_key_whatever_the_planner_believes() {
    run(async {
        let world = World::start().await;
        let mut books = world.books().await;
        check(&mut books, "empty, friendly").await;
        sqlx::raw_sql(HOSTILE).execute(&mut books).await.unwrap();
        check(&mut books, "empty, hostile").await;
        world.execute(FILL).await;
        check(&mut books, "18,000 rows, not analyzed").await;
        world.execute("ANALYZE oncely.outbox_pending").await;
        check(&mut books, "18,000 rows, analyzed").await;
        let mut reader = world.books().await;
        let mut held = reader.begin().await.unwrap();
        let pin =
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM oncely.outbox_shard";
        sqlx::raw_sql(pin).execute(&mut *held).await.unwrap();
        world.execute("DELETE FROM oncely.outbox_pending").await;
        world.execute("VACUUM ANALYZE oncely.outbox_pending").await;
        check(&mut books, "18,000 dead rows behind a reader").await;
        let mut friendly = world.books().await;
        check(&mut friendly, "18,000 dead rows, friendly").await;
        held.rollback().await.unwrap();
    });
}

#[test]
fn the_events_are_read_from_their_partitions_alone() {
    run(async {
        let world = World::start().await;
        for (name, low, high) in [("p1", "01", "02"), ("p2", "02", "03"), ("p3", "03", "04")] {
            let rest = "000000-0000-0000-0000-000000000000";
            let create = format!(
                "CREATE TABLE oncely.{name} PARTITION OF oncely.outbox_event
                 FOR VALUES FROM ('{low}{rest}') TO ('{high}{rest}')"
            );
            world.execute(AssertSqlSafe(create)).await;
        }
        let mut books = world.books().await;
        let id = Uuid::from_u128(0x0200_0000_0000_0000_0000_0000_0000_0001);
        let [.., read] = statements();
        let plan = plan(
            &mut books,
            "uuid, uuid, uuid[]",
            read,
            &format!("'{id}', '{id}', '{{{id}}}'"),
        )
        .await;
        assert!(plan.contains("p2"), "{plan}");
        for other in ["p1", "p3", "default"] {
            assert!(!plan.contains(other), "{other}:\n{plan}");
        }
    });
}
