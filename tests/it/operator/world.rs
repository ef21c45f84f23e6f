//! A command as an operator runs it.

use crate::harness::Process;

/// What a command came to.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) complaints: String,
}

/// Runs `oncely` on a database.
pub(super) async fn oncely(database_url: &str, arguments: &[&str]) -> Ran {
    let url = [("ONCELY_DATABASE_URL", database_url)];
    let (status, out, complaints) = Process::start(arguments, &url).ended().await;
    Ran {
        code: status.code().unwrap(),
        out,
        complaints,
    }
}

impl Ran {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
