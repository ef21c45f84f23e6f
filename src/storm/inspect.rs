//! What the tables hold of our orders, past the service: read into the history, and looked at for
//! what the history has no word for.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection};

use super::customer::{Customer, End};
use super::history::asks;
use super::plan::Kind;
use crate::history::{Event, Log, digest};
use crate::sandbox::Processor;

/// Effects by the amounts that are ours.
const CHARGES: &str = "
SELECT id, amount, source FROM public.charges
WHERE tenant = $1 AND amount >= $2 AND amount < $3 ORDER BY created_at, id";
const PAYMENTS: &str = "
SELECT id, amount, source FROM public.payments
WHERE tenant = $1 AND amount >= $2 AND amount < $3 AND status = 'succeeded' ORDER BY created_at, id";

const RECORDS: &str = "
SELECT encode(id, 'hex'), response_status, response_body FROM oncely.records
WHERE tenant = $1 AND state = 'completed' AND response_body IS NOT NULL AND encode(id, 'hex') = ANY ($2)";

const EVENTS: &str = "
SELECT aggregate FROM oncely.outbox_event WHERE tenant = $1 AND aggregate = ANY ($2)";

/// What each consumer made of a charge, a row for each time. The journal writes two lines at a time.
const APPLIED: &str = "
SELECT 'journal', charge_id FROM public.journal_entries
WHERE tenant = $1 AND charge_id = ANY ($2) AND direction = 'debit'
UNION ALL SELECT 'receipts', charge_id FROM public.receipts
WHERE tenant = $1 AND charge_id = ANY ($2)
UNION ALL SELECT 'inventory', charge_id FROM public.reservations
WHERE tenant = $1 AND charge_id = ANY ($2)";

/// Charges whose lines do not cancel out, or are of another amount.
const UNBALANCED: &str = "
SELECT j.charge_id,
    sum(CASE j.direction WHEN 'debit' THEN j.amount ELSE -j.amount END)::bigint
FROM public.journal_entries AS j
JOIN public.charges AS c ON c.tenant = j.tenant AND c.id = j.charge_id
WHERE j.tenant = $1 AND j.charge_id = ANY ($2)
GROUP BY j.charge_id, c.amount, c.currency
HAVING sum(CASE j.direction WHEN 'debit' THEN j.amount ELSE -j.amount END) <> 0
    OR NOT bool_and(j.amount = c.amount AND j.currency = c.currency)";

/// How long an effect took to be told to the customer, in seconds: from charge to receipt.
const DELAYS: &str = "
SELECT extract(epoch FROM r.sent_at - c.created_at)::float8
FROM public.charges AS c
JOIN public.receipts AS r ON r.tenant = c.tenant AND r.charge_id = c.id
WHERE c.tenant = $1 AND c.id = ANY ($2)";

const DEAD_LETTERS: &str = "
SELECT consumer, aggregate FROM oncely.dead_letter WHERE tenant = $1 AND aggregate = ANY ($2)";

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) n_charges: usize,
    pub(super) n_payments: usize,
    pub(super) n_events: usize,
    /// Applications, by consumer.
    pub(super) applied: HashMap<String, usize>,
    /// Seconds from a charge to its receipt.
    pub(super) delays: Vec<f64>,
    /// Breaches that the history has no word for: (what, of what, seen).
    pub(super) breaches: Vec<(&'static str, String, String)>,
}

/// A reader of the books.
#[derive(Debug)]
pub(super) struct Inspector<'a> {
    books: PgConnection,
    tenant: &'a str,
    customer: &'a Customer,
    ends: &'a [End],
    n_orders: u32,
}

impl<'a> Inspector<'a> {
    pub(super) async fn open(
        url: &str,
        tenant: &'a str,
        customer: &'a Customer,
        ends: &'a [End],
        n_orders: u32,
    ) -> Result<Self> {
        let books = PgConnection::connect(url).await;
        Ok(Self {
            books: books.context("connect to the database that was stormed")?,
            tenant,
            customer,
            ends,
            n_orders,
        })
    }

    /// Reads everything, and tells the history.
    pub(super) async fn inspect(mut self, processor: Option<&Processor>) -> Result<Found> {
        let mut found = Found::default();
        let history = &self.customer.history;
        let charges = self.effects(CHARGES, &history.charges).await?;
        let payments = self.effects(PAYMENTS, &history.payments).await?;
        self.records(&history.charges, false).await?;
        self.records(&history.payments, true).await?;
        for (log, ids) in [(&history.charges, &charges), (&history.payments, &payments)] {
            found.n_events += self.events(log, ids).await?;
        }
        self.applied(&history.charges, &charges, &mut found).await?;
        self.unbalanced(&charges, &mut found).await?;
        self.dead_letters(&charges, &mut found).await?;
        found.delays = sqlx::query_scalar(DELAYS)
            .bind(self.tenant)
            .bind(&charges)
            .fetch_all(&mut self.books)
            .await
            .context("read the delays")?;
        if let Some(processor) = processor {
            self.processor(processor, &mut found);
        }
        (found.n_charges, found.n_payments) = (charges.len(), payments.len());
        self.books.close().await.context("close a connection")?;
        Ok(found)
    }

    /// Reads effects; whose they are is told by their amounts.
    async fn effects(&mut self, statement: &'static str, log: &Log) -> Result<Vec<String>> {
        let base = self.customer.base;
        let above = base + 2 * i64::from(self.n_orders);
        let rows: Vec<(String, i64, String)> = sqlx::query_as(statement)
            .bind(self.tenant)
            .bind(base)
            .bind(above)
            .fetch_all(&mut self.books)
            .await
            .context("read the effects")?;
        let registers = self.ends.iter();
        let registers: HashMap<u32, &str> = registers
            .map(|it| (it.order.number, it.register.as_str()))
            .collect();
        for (id, amount, source) in &rows {
            let number = u32::try_from((amount - base) / 2).unwrap_or(u32::MAX);
            let key = registers.get(&number);
            let key = key.map_or_else(|| format!("order {number}"), |it| (*it).to_owned());
            log.push(Event::Effect {
                key,
                id: id.clone(),
                asks: Some(asks(*amount, source)),
            });
        }
        Ok(rows.into_iter().map(|(id, _, _)| id).collect())
    }

    async fn records(&mut self, log: &Log, of_payments: bool) -> Result<()> {
        let is_of = |it: &&End| matches!(it.order.kind, Kind::Payment(_)) == of_payments;
        let ours = self.ends.iter().filter(is_of);
        let ours: Vec<String> = ours.map(|it| it.register.clone()).collect();
        let rows: Vec<(String, i16, Vec<u8>)> = sqlx::query_as(RECORDS)
            .bind(self.tenant)
            .bind(ours)
            .fetch_all(&mut self.books)
            .await
            .context("read the ledger")?;
        for (key, status, body) in rows {
            log.push(Event::Record {
                key,
                status: u16::try_from(status).unwrap_or_default(),
                body: digest(&body),
            });
        }
        Ok(())
    }

    async fn events(&mut self, log: &Log, ids: &[String]) -> Result<usize> {
        let rows: Vec<String> = sqlx::query_scalar(EVENTS)
            .bind(self.tenant)
            .bind(ids)
            .fetch_all(&mut self.books)
            .await
            .context("read the events")?;
        let n = rows.len();
        for effect in rows {
            log.push(Event::Published { effect });
        }
        Ok(n)
    }

    async fn applied(&mut self, log: &Log, ids: &[String], found: &mut Found) -> Result<()> {
        let rows: Vec<(String, String)> = sqlx::query_as(APPLIED)
            .bind(self.tenant)
            .bind(ids)
            .fetch_all(&mut self.books)
            .await
            .context("read what consumers have done")?;
        for (consumer, effect) in rows {
            *found.applied.entry(consumer.clone()).or_default() += 1;
            log.push(Event::Applied { consumer, effect });
        }
        Ok(())
    }

    async fn unbalanced(&mut self, ids: &[String], found: &mut Found) -> Result<()> {
        let rows: Vec<(String, i64)> = sqlx::query_as(UNBALANCED)
            .bind(self.tenant)
            .bind(ids)
            .fetch_all(&mut self.books)
            .await
            .context("read the journal")?;
        let breaches = rows.into_iter().map(|(id, difference)| {
            let seen = format!("its lines differ by {difference}, or are of another amount");
            ("journal-unbalanced", id, seen)
        });
        found.breaches.extend(breaches);
        Ok(())
    }

    async fn dead_letters(&mut self, ids: &[String], found: &mut Found) -> Result<()> {
        let rows: Vec<(String, String)> = sqlx::query_as(DEAD_LETTERS)
            .bind(self.tenant)
            .bind(ids)
            .fetch_all(&mut self.books)
            .await
            .context("read the dead letters")?;
        let breaches = rows.into_iter().map(|(consumer, id)| {
            let seen = format!("consumer `{consumer}` has given it up");
            ("dead-letter", id, seen)
        });
        found.breaches.extend(breaches);
        Ok(())
    }

    /// The other side's books: each payment that succeeded was charged once.
    fn processor(&self, processor: &Processor, found: &mut Found) {
        for end in self.ends {
            if !matches!(end.order.kind, Kind::Payment(_)) || end.status != Some(201) {
                continue;
            }
            let n = processor.charges_of(&end.order.source()).len();
            if n != 1 {
                let seen = format!("the processor has charged it {n} times");
                let breach = ("processor-charges", end.register.clone(), seen);
                found.breaches.push(breach);
            }
        }
    }
}
