//! How an app under test is made: which servers, which dialect, which settings.

use std::time::Duration;

use oncely::config::{Claim, Config};

use super::App;

/// Which Redis an app has.
#[derive(Debug, Clone)]
pub(crate) enum RedisChoice {
    /// The one that all tests share, under a prefix of the test's own.
    Shared,
    /// None, from the beginning.
    Absent,
    /// One of the test's own.
    At(String),
}

/// The Redis of an app that does not ask for one: none in a run with `ONCELY_TEST_REDIS=absent`, which
/// shows that the service says the same without it.
#[expect(
    clippy::disallowed_methods,
    reason = "which of the two runs this is only the environment can say"
)]
fn redis_of_this_run() -> RedisChoice {
    match std::env::var("ONCELY_TEST_REDIS").as_deref() {
        Ok("absent") => RedisChoice::Absent,
        Ok(other) => panic!("ONCELY_TEST_REDIS is {other:?}, and only `absent` is known"),
        Err(_) => RedisChoice::Shared,
    }
}

/// How an app is made.
pub(crate) struct Recipe {
    /// Which Redis.
    pub(crate) redis: RedisChoice,
    /// The database, where that is not one of the app's own on the shared server.
    pub(crate) database_url: Option<String>,
    /// Where the app reaches the database, where that is not the database's own address.
    pub(crate) ledger_url: Option<String>,
    /// The prefix of its keys in Redis, where it shares them with another app.
    pub(crate) key_prefix: Option<String>,
    /// Whether the advisory lock always says yes, so that the primary key alone must hold.
    pub(crate) stub_lock: bool,
    /// A token that it does not know, though every app does.
    pub(crate) revoked_token: Option<&'static str>,
    /// The settings.
    pub(crate) config: Config,
}

impl Default for Recipe {
    fn default() -> Self {
        let mut config = Config::default();
        config.http_addr.set_port(0);
        config.admin_addr.set_port(0);
        // A machine full of tests is slow, and what is tested is not how fast Redis and the ledger
        // are: where a time-out is the subject, the test sets it.
        config.hot.timeout = Duration::from_millis(500);
        config.ledger.epoch_max_age = Duration::from_secs(3);
        config.idempotency.fingerprint_secret = "a secret of the tests' own".into();
        Self {
            redis: redis_of_this_run(),
            database_url: None,
            ledger_url: None,
            key_prefix: None,
            stub_lock: false,
            revoked_token: None,
            config,
        }
    }
}

impl Recipe {
    /// The default recipe with the shared Redis in every run, for tests whose subject is Redis.
    pub(crate) fn with_redis() -> Self {
        Self::default().redis(RedisChoice::Shared)
    }

    /// With another Redis.
    pub(crate) fn redis(mut self, redis: RedisChoice) -> Self {
        self.redis = redis;
        self
    }

    /// With the database at `url`, where the books are read too.
    pub(crate) fn database_at(mut self, url: impl Into<String>) -> Self {
        self.database_url = Some(url.into());
        self
    }

    /// With the database reached by the app at `url`, a proxy, while the books are read past it.
    pub(crate) fn through(mut self, url: impl Into<String>) -> Self {
        self.ledger_url = Some(url.into());
        self
    }

    /// On the database and the keys of `app`, as another process would be.
    pub(crate) fn beside(self, app: &App) -> Self {
        Self {
            key_prefix: Some(app.key_prefix.clone()),
            ..self.database_at(&app.database_url)
        }
    }

    /// Without one of the usual tokens.
    pub(crate) fn without_token(mut self, token: &'static str) -> Self {
        self.revoked_token = Some(token);
        self
    }

    /// With another dialect.
    pub(crate) fn claim(mut self, claim: Claim) -> Self {
        self.config.ledger.claim = claim;
        self
    }

    /// With a lock that always says yes.
    pub(crate) fn stubbed_lock(mut self) -> Self {
        self.stub_lock = true;
        self
    }

    /// With other settings.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }
}
