//! One visit of the doctor, and what it said.

use oncely::testkit::Redis;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::harness::Process;

/// What a visit came to.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) code: i32,
    pub(super) report: Value,
    /// All that was printed.
    pub(super) text: String,
}

/// Settings that leave nothing to complain about, on a machine that is full of tests.
const CALM: [(&str, &str); 3] = [
    ("ONCELY_HOT__TIMEOUT", "900ms"),
    ("ONCELY_AUTH_TOKENS", "demo:demo-token"),
    (
        "ONCELY_IDEMPOTENCY__FINGERPRINT_SECRET",
        "a secret of the tests' own",
    ),
];

/// Runs `oncely doctor` with these words after it.
pub(super) async fn doctor(
    words: &[&str],
    urls: (&str, &str),
    more: &[(&str, &str)],
) -> (i32, String) {
    let urls = [
        ("ONCELY_DATABASE_URL", urls.0),
        ("ONCELY_REDIS_URL", urls.1),
    ];
    let variables = CALM.iter().chain(&urls).chain(more).copied();
    let variables: Vec<_> = variables.collect();
    let words = [&["doctor"], words].concat();
    let (status, out, complaints) = Process::start(&words, &variables).ended().await;
    (status.code().unwrap(), out + &complaints)
}

/// A whole visit, read as programs read it.
pub(super) async fn visit(database_url: &str, redis_url: &str, more: &[(&str, &str)]) -> Visit {
    let (code, text) = doctor(&["--output", "json"], (database_url, redis_url), more).await;
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    Visit { code, report, text }
}

impl Visit {
    fn checks<'a>(&'a self, section: &'a str, name: &'a str) -> impl Iterator<Item = &'a Value> {
        let checks = self.report["checks"].as_array().unwrap().iter();
        checks.filter(move |it| it["section"] == section && it["check"] == name)
    }

    /// The levels of all checks of this name.
    pub(super) fn levels(&self, section: &str, name: &str) -> Vec<String> {
        let level = |it: &Value| it["level"].as_str().unwrap().to_owned();
        self.checks(section, name).map(level).collect()
    }

    /// Asserts that some check of this name has this level, says these words, and gives a next step.
    pub(super) fn finds(&self, section: &str, name: &str, level: &str, words: &str) {
        let mut checks = self.checks(section, name);
        let found = checks.find(|it| {
            it["level"] == level && it["found"].as_str().is_some_and(|it| it.contains(words))
        });
        let found = found.unwrap_or_else(|| panic!("no {level} {name} with {words:?}: {self:#?}"));
        let has_hint = found["hint"].as_str().is_some_and(|it| !it.is_empty());
        assert_eq!(has_hint, level != "good", "{found}");
    }

    /// Asserts that the check is there, once, and good.
    pub(super) fn is_good(&self, section: &str, name: &str) {
        assert_eq!(self.levels(section, name), ["good"], "{self:#?}");
    }
}

/// Any statement.
pub(super) async fn execute(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let statement = AssertSqlSafe(statement.to_owned());
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// A command, word by word.
pub(super) async fn tell(redis: &Redis, words: &str) {
    let client = ::redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = ::redis::Cmd::new();
    for word in words.split(' ') {
        command.arg(word);
    }
    command.exec_async(&mut connection).await.unwrap();
}

/// An address where nobody is.
pub(super) const NO_DATABASE: &str = "postgres://u:canary-7f3a@127.0.0.1:1/x";
pub(super) const NO_REDIS: &str = "redis://:canary-7f3a@127.0.0.1:1/";
