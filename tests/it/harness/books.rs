//! The books: what the database says was done, read past the service under test.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::App;

impl App {
    /// How many charges there are.
    pub(crate) async fn n_charges(&self) -> i64 {
        self.count("SELECT count(*) FROM public.charges").await
    }

    /// How many charges there are of this amount. Tests give each key an amount of its own, so
    /// that two rows of one amount are a double charge.
    pub(crate) async fn n_charges_of(&self, amount: i64) -> i64 {
        self.count(&format!(
            "SELECT count(*) FROM public.charges WHERE amount = {amount}"
        ))
        .await
    }

    /// How many records the ledger has.
    pub(crate) async fn n_records(&self) -> i64 {
        self.count("SELECT count(*) FROM oncely.records").await
    }

    /// How many connections of the service lie inside an open transaction.
    pub(crate) async fn n_open_transactions(&self) -> i64 {
        self.count(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = 'oncely' AND state LIKE 'idle in transaction%'",
        )
        .await
    }

    /// One number.
    pub(crate) async fn count(&self, statement: &str) -> i64 {
        let mut connection = PgConnection::connect(&self.database_url).await.unwrap();
        let count = sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        count
    }

    /// One text.
    pub(crate) async fn text(&self, statement: String) -> String {
        let mut connection = PgConnection::connect(&self.database_url).await.unwrap();
        let text = sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        text
    }

    /// Any statement.
    pub(crate) async fn execute(&self, statement: &str) {
        let mut connection = PgConnection::connect(&self.database_url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }
}
