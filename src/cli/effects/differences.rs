//! The kinds of differences, each a statement that finds none where the books agree.
//!
//! Each takes: $1 and $2, from and until when the operation; $3 and $4, the same as ids of events; $5,
//! how many rows at most. Each answers with tenant, id, and a few words.

/// One kind of difference.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) statement: &'static str,
}

/// Every kind, in the order of the way from an operation to its effects.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "charge-without-record",
        meaning: "a charge that no stored answer stands for: a retry would charge again",
        statement: CHARGE_WITHOUT_RECORD,
    },
    Kind {
        name: "record-without-charge",
        meaning: "a stored answer says that a charge was made, and there is none",
        statement: RECORD_WITHOUT_CHARGE,
    },
    Kind {
        name: "charge-events",
        meaning: "a charge must have one event",
        statement: CHARGE_EVENTS,
    },
    Kind {
        name: "event-without-charge",
        meaning: "an event tells of a charge that is not there",
        statement: EVENT_WITHOUT_CHARGE,
    },
    Kind {
        name: "effect-missing",
        meaning: "a dead letter: its effect did not happen; `oncely dlq list`",
        statement: EFFECT_MISSING,
    },
    Kind {
        name: "journal",
        meaning: "a charge must have one debit and one credit of its amount",
        statement: JOURNAL,
    },
    Kind {
        name: "receipts",
        meaning: "a charge must have one receipt",
        statement: RECEIPTS,
    },
    Kind {
        name: "effect-without-charge",
        meaning: "a line of the journal or a receipt of a charge that is not there",
        statement: EFFECT_WITHOUT_CHARGE,
    },
];

/// A charge and its record are made at the same instant: that of their transaction's begin. Two of one
/// tenant may share a microsecond, so they are counted. Declined cards leave a record and no charge.
const CHARGE_WITHOUT_RECORD: &str = "
SELECT c.tenant, string_agg(c.id, ' ' ORDER BY c.id), format('%s charges, %s records', count(*),
    coalesce(kept.n, 0))
FROM public.charges AS c
LEFT JOIN (
    SELECT tenant, created_at, count(*) AS n FROM oncely.records
    WHERE operation = 'POST /charge' AND response_status = 201
        AND $1 <= created_at AND created_at < $2
    GROUP BY tenant, created_at
) AS kept ON kept.tenant = c.tenant AND kept.created_at = c.created_at
WHERE $1 <= c.created_at AND c.created_at < $2 AND $3::uuid < $4::uuid
GROUP BY c.tenant, c.created_at, kept.n
HAVING coalesce(kept.n, 0) < count(*)
ORDER BY c.created_at LIMIT $5";

const RECORD_WITHOUT_CHARGE: &str = "
SELECT r.tenant, string_agg(encode(r.id, 'hex'), ' ' ORDER BY r.id), format(
    '%s records, %s charges', count(*), coalesce(made.n, 0))
FROM oncely.records AS r
LEFT JOIN (
    SELECT tenant, created_at, count(*) AS n FROM public.charges
    WHERE $1 <= created_at AND created_at < $2 GROUP BY tenant, created_at
) AS made ON made.tenant = r.tenant AND made.created_at = r.created_at
WHERE r.operation = 'POST /charge' AND r.response_status = 201
    AND $1 <= r.created_at AND r.created_at < $2 AND $3::uuid < $4::uuid
GROUP BY r.tenant, r.created_at, made.n
HAVING coalesce(made.n, 0) < count(*)
ORDER BY r.created_at LIMIT $5";

const CHARGE_EVENTS: &str = "
SELECT c.tenant, c.id, format('%s events', coalesce(told.n, 0))
FROM public.charges AS c
LEFT JOIN (
    SELECT tenant, aggregate, count(*) AS n FROM oncely.outbox_event
    WHERE topic = 'charge.succeeded' AND $3 <= id AND id < $4 GROUP BY tenant, aggregate
) AS told ON told.tenant = c.tenant AND told.aggregate = c.id
WHERE $1 <= c.created_at AND c.created_at < $2 AND coalesce(told.n, 0) <> 1
ORDER BY c.created_at LIMIT $5";

const EVENT_WITHOUT_CHARGE: &str = "
SELECT e.tenant, e.id::text, e.aggregate FROM oncely.outbox_event AS e
WHERE e.topic = 'charge.succeeded' AND $3 <= e.id AND e.id < $4
    AND $1 <= e.created_at AND e.created_at < $2
    AND NOT EXISTS (SELECT FROM public.charges AS c WHERE c.tenant = e.tenant AND c.id = e.aggregate)
ORDER BY e.id LIMIT $5";

const EFFECT_MISSING: &str = "
SELECT d.tenant, d.aggregate, format('%s, event %s, %s', d.consumer, d.id, d.reason)
FROM oncely.dead_letter AS d
WHERE d.topic = 'charge.succeeded' AND d.state = 'dead' AND $3 <= d.id AND d.id < $4
    AND $1 <= d.created_at AND d.created_at < $2
ORDER BY d.id LIMIT $5";

/// What has not been consumed yet has no lines, and is none of them too many.
const JOURNAL: &str = "
SELECT c.tenant, c.id, format('%s lines, debits %s, credits %s, charged %s', coalesce(posted.n, 0),
    coalesce(posted.debits, 0), coalesce(posted.credits, 0), c.amount)
FROM public.charges AS c
LEFT JOIN (
    SELECT tenant, charge_id, count(*) AS n,
        count(*) FILTER (WHERE direction = 'debit') AS n_debits,
        sum(amount) FILTER (WHERE direction = 'debit') AS debits,
        sum(amount) FILTER (WHERE direction = 'credit') AS credits,
        min(currency) AS currency, max(currency) AS other
    FROM public.journal_entries WHERE $1 <= created_at GROUP BY tenant, charge_id
) AS posted ON posted.tenant = c.tenant AND posted.charge_id = c.id
WHERE $1 <= c.created_at AND c.created_at < $2 AND (
    posted.n IS NULL AND EXISTS (
        SELECT FROM oncely.outbox_event AS e
        JOIN oncely.inbox AS i ON i.id = e.id AND i.tenant = e.tenant
        WHERE e.tenant = c.tenant AND e.aggregate = c.id AND $3 <= e.id AND e.id < $4
            AND i.consumer = 'journal' AND i.state = 'done')
    OR (posted.n, posted.n_debits, posted.debits, posted.credits, posted.currency, posted.other)
        <> (2, 1, c.amount, c.amount, c.currency, c.currency))
ORDER BY c.created_at LIMIT $5";

const RECEIPTS: &str = "
SELECT c.tenant, c.id, format('%s receipts', coalesce(sent.n, 0))
FROM public.charges AS c
LEFT JOIN (
    SELECT tenant, charge_id, count(*) AS n FROM public.receipts
    WHERE $1 <= sent_at GROUP BY tenant, charge_id
) AS sent ON sent.tenant = c.tenant AND sent.charge_id = c.id
WHERE $1 <= c.created_at AND c.created_at < $2 AND (
    sent.n IS NULL AND EXISTS (
        SELECT FROM oncely.outbox_event AS e
        JOIN oncely.inbox AS i ON i.id = e.id AND i.tenant = e.tenant
        WHERE e.tenant = c.tenant AND e.aggregate = c.id AND $3 <= e.id AND e.id < $4
            AND i.consumer = 'receipts' AND i.state = 'done')
    OR 1 < sent.n)
ORDER BY c.created_at LIMIT $5";

const EFFECT_WITHOUT_CHARGE: &str = "
SELECT tenant, charge_id, what FROM (
    SELECT tenant, charge_id, 'journal' AS what, created_at AS at FROM public.journal_entries
    UNION ALL
    SELECT tenant, charge_id, 'receipt', sent_at FROM public.receipts
) AS effects
WHERE $1 <= at AND at < $2 AND $3::uuid < $4::uuid AND NOT EXISTS (
    SELECT FROM public.charges AS c WHERE c.tenant = effects.tenant AND c.id = effects.charge_id)
GROUP BY tenant, charge_id, what
ORDER BY min(at) LIMIT $5";
