//! The service in the test's own process, on a database and a Redis prefix of the test's own.

use axum::Router;
use oncely::config::Secret;
use oncely::domain::Tenant;
use oncely::failpoint::FailPoints;
use oncely::hot::Hot;
use oncely::http::{Options, Tokens};
use oncely::ledger::Ledger;
use oncely::shutdown::Tasks;
use oncely::store::Store;
use oncely::testkit::{Database, Pair, key_prefix};
use oncely::{ledger, payments};
use sqlx::{Connection, PgConnection};
use tokio::net::TcpListener;

use super::{Caller, Recipe, RedisChoice};

/// The tokens of the two tenants that every app knows.
const TOKENS: [(&str, &str); 2] = [("demo", "demo-token"), ("acme", "acme-token")];

/// A running app. Its fail points are its own, so tests run side by side.
pub(crate) struct App {
    /// The store under test.
    pub(crate) store: Store,
    /// The instants at which the test may make it fail.
    pub(crate) points: FailPoints,
    /// Where it answers: `http://127.0.0.1:…`.
    pub(crate) url: String,
    /// The prefix of its keys in Redis.
    pub(crate) key_prefix: String,
    /// The database; `None` where the recipe named another.
    database: Option<Database>,
    /// The database's own URL, past any proxy: what the books are read from.
    pub(crate) database_url: String,
}

impl App {
    /// The app by the default recipe.
    pub(crate) async fn start() -> Self {
        Self::made(Recipe::default()).await
    }

    /// An app made by `recipe`, with the payment path's routes.
    pub(crate) async fn made(recipe: Recipe) -> Self {
        let (processor, tax) = (recipe.config.processor.clone(), recipe.config.tax.clone());
        Self::serving(recipe, move |store, options, tokens| {
            payments::routes(store, options, tokens, (&processor, &tax)).unwrap()
        })
        .await
    }

    /// An app made by `recipe`, with routes of the test's own.
    pub(crate) async fn serving(
        recipe: Recipe,
        routes: impl FnOnce(&Store, Options, Tokens) -> Router,
    ) -> Self {
        // Settings are large, and whoever waits for this would carry them along.
        Box::pin(Self::set_up(recipe, routes)).await
    }

    async fn set_up(
        recipe: Recipe,
        routes: impl FnOnce(&Store, Options, Tokens) -> Router,
    ) -> Self {
        let pair = Pair::shared().await.unwrap();
        let (database, database_url) = match &recipe.database_url {
            None => {
                let database = migrated(pair.postgres.url()).await;
                let url = database.url().to_owned();
                (Some(database), url)
            }
            Some(url) => (None, url.clone()),
        };
        let mut config = recipe.config;
        let key_prefix = recipe.key_prefix.unwrap_or_else(key_prefix);
        config.hot.key_prefix.clone_from(&key_prefix);
        let tokens = TOKENS.into_iter();
        for (tenant, token) in tokens.filter(|it| recipe.revoked_token != Some(it.1)) {
            config.auth.allow(Tenant::new(tenant).unwrap(), token);
        }
        let (tasks, points) = (Tasks::default(), FailPoints::default());
        let hot = match recipe.redis {
            RedisChoice::Absent => Hot::absent(),
            RedisChoice::Shared => Hot::start(&Secret::new(pair.redis.url()), &config.hot, &tasks)
                .await
                .unwrap(),
            RedisChoice::At(url) => Hot::start(&Secret::new(url), &config.hot, &tasks)
                .await
                .unwrap(),
        };
        let url = Secret::new(recipe.ledger_url.unwrap_or_else(|| database_url.clone()));
        let mut ledger = Ledger::new(&url, &config.ledger, config.idempotency.retention).unwrap();
        if recipe.stub_lock {
            ledger = ledger.with_stubbed_lock();
        }
        let (hot, ledger) = ((hot, config.hot.clone()), (ledger, config.ledger.clone()));
        let store = Store::open(hot, ledger, tasks.clone(), points.clone()).await;
        let options = Options::new(&config.http, &config.idempotency).unwrap();
        let service = routes(&store, options, Tokens::new(&config.auth));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tasks.spawn_loop(async move { axum::serve(listener, service).await.unwrap() });
        Self {
            store,
            points,
            url,
            key_prefix,
            database,
            database_url,
        }
    }

    /// A caller with the token of tenant `demo`.
    pub(crate) fn caller(&self) -> Caller {
        Caller::new(&self.url, "demo-token")
    }

    /// A caller with the token of tenant `acme`.
    pub(crate) fn other_tenant(&self) -> Caller {
        Caller::new(&self.url, "acme-token")
    }

    /// The database that was made for it; `None` where the recipe named another.
    pub(crate) fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }
}

/// A database of the test's own on the server at `url`, with all tables.
pub(crate) async fn migrated(url: &str) -> Database {
    let database = Database::create(url).await.unwrap();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    ledger::migrate(&mut connection).await.unwrap();
    payments::migrate(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    database
}
