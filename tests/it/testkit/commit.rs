//! The two ways to lose a COMMIT: before it arrives, and after it was done.

use oncely::testkit::{Database, Direction, Fired, Pair, Proxy};
use sqlx::{Connection, PgConnection};

use super::{count, execute, within};

#[tokio::test]
async fn a_commit_that_is_cut_before_it_arrives_commits_nothing() {
    within(60, async {
        let rows = rows_after(Proxy::cut_before_commit).await?;
        assert_eq!(rows, 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_is_cut_after_it_was_done_has_committed() {
    within(60, async {
        let rows = rows_after(Proxy::cut_after_commit).await?;
        assert_eq!(rows, 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_cut_after_any_number_of_bytes_leaves_all_or_nothing() {
    within(120, async {
        let pair = Pair::shared().await?;
        let database = Database::create(pair.postgres.url()).await?;
        execute(database.url(), "CREATE TABLE t (n int)").await?;
        let proxy = Proxy::start(database.url()).await?;
        for direction in [Direction::Request, Direction::Reply] {
            for n_bytes in [0, 1, 7, 90, 300, 450, 500, 600] {
                let before = count(database.url(), "SELECT count(*) FROM t").await?;
                let fired = proxy.cut_after_bytes(direction, n_bytes);
                let wrote = write_two(proxy.url()).await;
                proxy.disarm();
                if wrote.is_err() {
                    fired.wait().await?;
                }
                let added = count(database.url(), "SELECT count(*) FROM t").await? - before;
                assert!(added == 0 || added == 2, "{direction:?} {n_bytes}: {added}");
                assert!(
                    wrote.is_err() || added == 2,
                    "an acknowledged write is there"
                );
            }
        }
        Ok(())
    })
    .await;
}

/// Inserts a row through a proxy that loses the COMMIT, and counts what is there.
async fn rows_after(arm: impl FnOnce(&Proxy) -> Fired) -> anyhow::Result<i64> {
    let pair = Pair::shared().await?;
    let database = Database::create(pair.postgres.url()).await?;
    execute(database.url(), "CREATE TABLE t (n int)").await?;
    let proxy = Proxy::start(database.url()).await?;

    let mut connection = PgConnection::connect(proxy.url()).await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("INSERT INTO t VALUES (1)")
        .execute(&mut *transaction)
        .await?;
    let fired = arm(&proxy);
    assert!(transaction.commit().await.is_err(), "its reply is lost");
    fired.wait().await?;

    // The proxy goes on for others, and the server has ended the session by itself.
    execute(proxy.url(), "BEGIN; LOCK TABLE t; COMMIT").await?;
    count(proxy.url(), "SELECT count(*) FROM t").await
}

async fn write_two(url: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    let mut transaction = connection.begin().await?;
    for _ in 0..2 {
        sqlx::query("INSERT INTO t VALUES (1)")
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}
