//! What a storm must notice: a private stack that is broken on purpose. Never in a release.
//!
//! Most of it is planted into the database, below the service: the statements are the service's own,
//! and what they have written is taken away again. So the mutants stay what they are, however the
//! code changes.

use std::fmt;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use sqlx::{Connection as _, PgConnection};

/// A way to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// The ledger forgets each key when its operation commits; Redis alone remembers
    ForgetKey,
    /// The inbox forgets what was applied; each redelivery is applied again
    NoInbox,
    /// One event of eight is not written, though its charge is
    LostEvent,
    /// The client mints a new key for each attempt
    FreshKey,
    /// A charge is charged a second time, one of sixteen
    DoubleCharge,
}

/// Deletes what was just inserted: the writer sees one row, everybody else none.
const FORGET: &str = "
CREATE FUNCTION public.forget_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM oncely.records WHERE tenant = NEW.tenant AND id = NEW.id AND state = 'completed';
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER forget AFTER INSERT OR UPDATE ON oncely.records
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.forget_record()";

const NO_INBOX: &str = "
CREATE FUNCTION public.forget_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM oncely.inbox WHERE id = NEW.id AND consumer = NEW.consumer AND tenant = NEW.tenant;
    RETURN NULL;
END $$;
CREATE TRIGGER forget AFTER INSERT ON oncely.inbox
FOR EACH ROW EXECUTE FUNCTION public.forget_message()";

const LOST_EVENT: &str = "
CREATE FUNCTION public.lose_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM oncely.outbox_pending WHERE id = NEW.id AND tenant = NEW.tenant;
    DELETE FROM oncely.outbox_event WHERE id = NEW.id AND tenant = NEW.tenant;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON oncely.outbox_pending
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.position % 8 = 0)
EXECUTE FUNCTION public.lose_event()";

const DOUBLE_CHARGE: &str = "
CREATE FUNCTION public.charge_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.charges (tenant, id, amount, currency, source, sku, quantity, status, created_at)
    VALUES (NEW.tenant, NEW.id || '_again', NEW.amount, NEW.currency, NEW.source, NEW.sku,
        NEW.quantity, NEW.status, NEW.created_at);
    RETURN NULL;
END $$;
CREATE TRIGGER again AFTER INSERT ON public.charges
FOR EACH ROW WHEN (NEW.id NOT LIKE '%_again' AND NEW.amount / 2 % 16 = 0)
EXECUTE FUNCTION public.charge_again()";

impl Sabotage {
    /// Breaks the stack whose database is at `url`.
    pub(super) async fn plant(self, url: &str) -> Result<()> {
        let statements: &'static str = match self {
            Self::ForgetKey => FORGET,
            Self::NoInbox => NO_INBOX,
            Self::LostEvent => LOST_EVENT,
            Self::DoubleCharge => DOUBLE_CHARGE,
            // The customers break that one.
            Self::FreshKey => return Ok(()),
        };
        let mut connection = PgConnection::connect(url).await.context("connect")?;
        sqlx::raw_sql(statements)
            .execute(&mut connection)
            .await
            .context("plant the sabotage")?;
        connection.close().await.context("close a connection")
    }
}

impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("sabotage", |it| it.get_name()))
    }
}
