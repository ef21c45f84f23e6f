//! The live race: two sessions on one key, in an identity of the doctor's own, on the real tables.
//!
//! Whatever a settings page says, this is what the promise rests on: the second of two sessions is
//! told that the key is taken, and where nothing tells it, the primary key stops it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http::{HeaderMap, StatusCode};
use uuid::Uuid;

use super::anchor;
use super::report::{Check, chain};
use crate::config::{self, Claim as Dialect, Secret};
use crate::domain::{
    Algorithm, Claim, Fingerprinter, Key, Operation, Response, Stored, Subject, Tenant,
};
use crate::ledger::{Acquired, Completion, Error, Ledger};

/// Nobody's tenant: a credential's has no such name unless somebody means harm to himself.
const TENANT: &str = "oncely-doctor";

/// What a race leaves behind where it is broken off is pruned after this.
const RETENTION: Duration = Duration::from_mins(1);

/// A session of each side, and one that looks afterwards.
const CONNECTIONS: u32 = 3;

const CLEAN: &str = "DELETE FROM oncely.records WHERE tenant = $1 AND id = $2";

/// How a race ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raced {
    /// The second session was given the key while the first had it.
    pub(super) claimed_twice: bool,
    /// Both wrote the record: the primary key did not decide.
    pub(super) written_twice: bool,
    /// Afterwards the record is there to be replayed.
    pub(super) is_found: bool,
}

/// Races two sessions twice: once with the claim of the settings, once with the primary key alone.
pub(super) async fn race(url: &Secret, settings: &config::Ledger) -> Result<Raced, Error> {
    let mut settings = settings.clone();
    settings.pool_size = CONNECTIONS;
    let ledger = Ledger::new(url, &settings, RETENTION)?;
    settings.claim = Dialect::Advisory;
    let bare = Ledger::new(url, &settings, RETENTION)?;
    let claim = claim();
    let raced = by_claim(&ledger, &claim).await;
    let written_twice = by_primary_key(&bare, &claim).await;
    ledger.close().await;
    bare.close().await;
    Ok(Raced {
        written_twice: written_twice?,
        ..raced?
    })
}

/// Both acquire, the first completes, a third looks.
async fn by_claim(ledger: &Ledger, claim: &Claim) -> Result<Raced, Error> {
    let (mut first, mut second) = (ledger.begin().await?, ledger.begin().await?);
    let is_ours = ledger.acquire(&mut first, claim).await? == Acquired::Claimed;
    let claimed_twice = ledger.acquire(&mut second, claim).await? == Acquired::Claimed;
    ledger.rollback(second).await?;
    let stored = ledger.complete(&mut first, claim, &answer()).await?;
    ledger.commit(first).await?;
    let record = ledger.look_up(claim).await?;
    clean(ledger, claim).await?;
    Ok(Raced {
        claimed_twice,
        written_twice: false,
        is_found: is_ours && matches!(stored, Completion::Stored(_)) && record.is_some(),
    })
}

/// Both write the record without asking, and the first commits while the second waits.
async fn by_primary_key(ledger: &Ledger, claim: &Claim) -> Result<bool, Error> {
    let (mut first, mut second) = (ledger.begin().await?, ledger.begin().await?);
    let answer = answer();
    let one = ledger.complete(&mut first, claim, &answer).await?;
    let (other, committed) = tokio::join!(
        ledger.complete(&mut second, claim, &answer),
        ledger.commit(first)
    );
    committed?;
    // An engine may also break the second one off: then it has written nothing.
    let other = other.unwrap_or(Completion::Lost);
    ledger.rollback(second).await.ok();
    clean(ledger, claim).await?;
    let is_stored = |it: &Completion| matches!(it, Completion::Stored(_));
    Ok(is_stored(&one) && is_stored(&other))
}

async fn clean(ledger: &Ledger, claim: &Claim) -> Result<(), Error> {
    let mut tx = ledger.begin().await?;
    sqlx::query(CLEAN)
        .bind(claim.tenant.as_str())
        .bind(claim.identity.id())
        .execute(&mut *tx)
        .await
        .map_err(Error::inspect)?;
    ledger.commit(tx).await
}

fn claim() -> Claim {
    let key = Uuid::new_v4().to_string();
    let scope = (
        Tenant::new(TENANT).expect("invariant: the constant is a tenant"),
        Operation::new("DOCTOR race").expect("invariant: the constant is an operation"),
        &Key::from_header([key.as_bytes()]).expect("invariant: a UUID is a key"),
    );
    let fingerprinter = Arc::new(Fingerprinter::new(TENANT.as_bytes(), &[]));
    Claim::new(scope, Algorithm::Bytes, Subject::default(), fingerprinter)
        .expect("invariant: bytes need no canonical form")
}

fn answer() -> Stored {
    Stored::Whole(Response {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: Bytes::new(),
    })
}

pub(super) fn judge(raced: &Result<Raced, Error>, dialect: Dialect) -> Check {
    let name = "race";
    let check = match raced {
        Err(error) => Check::error(
            name,
            format!("the race could not be run: {}", chain(error)),
            "put right what is wrong with the database first, then run it again",
        ),
        Ok(Raced {
            written_twice: true,
            ..
        }) => Check::error(
            name,
            "two sessions both wrote the record of one key: the primary key does not decide here",
            "do not serve from this database",
        ),
        Ok(Raced {
            is_found: false, ..
        }) => Check::error(
            name,
            "the record of the first session was not there afterwards: nothing would be replayed",
            "do not serve from this database",
        ),
        Ok(Raced {
            claimed_twice: true,
            ..
        }) => Check::warning(
            name,
            format!(
                "the claim `{}` does not keep a second session away; the primary key does",
                name_of(dialect)
            ),
            "set `ledger.claim = \"insert_wait\"`, or live with duplicates that work in vain",
        ),
        Ok(_) => Check::good(
            name,
            "of two sessions on one key, one won, by claim and by primary key",
        ),
    };
    check.see(anchor::LEDGER)
}

/// The race has not ended in time.
pub(super) fn unfinished(patience: Duration) -> Check {
    let shown = humantime::format_duration(patience);
    let found =
        format!("it was not done within {shown}: a commit waits, or the server is overloaded");
    let hint = "see whether commits wait for a synchronous standby: `pg_stat_activity.wait_event`";
    Check::error("race", found, hint).see(anchor::LEDGER)
}

const fn name_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Advisory => "advisory",
        Dialect::InsertWait => "insert_wait",
    }
}
