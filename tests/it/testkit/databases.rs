//! A database of its own for each test.

use oncely::testkit::{Database, Pair, key_prefix};
use sqlx::{Connection, PgConnection};

use super::{count, execute, within};

#[tokio::test]
async fn a_database_is_created_from_a_template_and_dropped_at_the_end() {
    within(60, async {
        let pair = Pair::shared().await?;
        let server = pair.postgres.url();
        let template = Database::create(server).await?;
        execute(template.url(), "CREATE TABLE t AS SELECT 1").await?;

        let copy = Database::from_template(server, template.name()).await?;
        assert_eq!(count(copy.url(), "SELECT count(*) FROM t").await?, 1);
        let name = copy.name().to_owned();
        drop(copy);

        let mut connection = PgConnection::connect(server).await?;
        let names: Vec<String> = sqlx::query_scalar("SELECT datname::text FROM pg_database")
            .fetch_all(&mut connection)
            .await?;
        assert!(names.iter().any(|it| it == template.name()));
        assert!(!names.contains(&name));
        Ok(())
    })
    .await;
}

#[test]
fn no_two_key_prefixes_are_the_same() {
    assert_ne!(key_prefix(), key_prefix());
}
