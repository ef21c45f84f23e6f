//! The statements of a charge as plain SQL, for handlers and for pgbench: the very rows that Oncely
//! writes, into the very tables.

/// The charge.
pub(crate) const CHARGE: &str = "
INSERT INTO public.charges (tenant, id, amount, currency, source, sku, quantity, status, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'succeeded', now())
RETURNING created_at";

/// Its event: the log, the queue and the counter.
pub(crate) const EVENT: &str = "
WITH counter AS (
    INSERT INTO oncely.outbox_aggregate (tenant, kind, id, topic, seq, last)
    VALUES ($2, 'charge', $3, 'charge.succeeded', 1, $1)
), event AS (
    INSERT INTO oncely.outbox_event
        (id, tenant, position, shard, kind, aggregate, seq, previous, topic, headers, payload)
    VALUES ($1, $2, nextval('oncely.outbox_position'), $4, 'charge', $3, 1, NULL,
        'charge.succeeded', '{\"content-type\": \"application/json\"}', $5)
    RETURNING id, position, seq
)
INSERT INTO oncely.outbox_pending (shard, position, tenant, id, seq, aggregate_hash)
SELECT $4, position, $2, id, seq, $6 FROM event";

/// The values that one charge of pgbench has. Ids begin with the time, as ours do.
const VALUES: &str = r"
\set a random(1, 9223372036854775806)
\set shard random(0, 15)
";

/// pgbench: three statements in one transaction.
pub(crate) fn three_in_a_transaction() -> String {
    format!(
        "{VALUES}BEGIN;\n{};\n{};\n{};\nCOMMIT;\n",
        one_line(PG_CHARGE),
        one_line(&format!("WITH {PG_EVENT} {PG_PENDING}")),
        one_line(PG_RECORD)
    )
}

/// pgbench: the same rows by one statement.
pub(crate) fn one_statement() -> String {
    let all =
        format!("WITH charge AS ({PG_CHARGE}), {PG_EVENT}, pending AS ({PG_PENDING}) {PG_RECORD}");
    format!("{VALUES}{};\n", one_line(&all))
}

fn one_line(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

const PG_CHARGE: &str = "
INSERT INTO public.charges (tenant, id, amount, currency, source, sku, quantity, status, created_at)
VALUES ('bench', 'ch_' || to_hex((extract(epoch FROM now()) * 1000)::bigint) || lpad(:a::text, 20, '0'),
    4200, 'USD', 'tok_visa', 'sku-1', 1, 'succeeded', now())";

const PG_EVENT: &str = "
minted AS MATERIALIZED (
    SELECT encode(
        substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        || substring(uuid_send(gen_random_uuid()) FROM 7), 'hex')::uuid AS id
), counter AS (
    INSERT INTO oncely.outbox_aggregate AS held (tenant, kind, id, topic, seq, last)
    SELECT 'bench', 'charge',
        'ch_' || to_hex((extract(epoch FROM now()) * 1000)::bigint) || lpad(:a::text, 20, '0'),
        'charge.succeeded', 1, minted.id
    FROM minted
    RETURNING held.id AS aggregate, held.seq, held.last
), event AS (
    INSERT INTO oncely.outbox_event
        (id, tenant, position, shard, kind, aggregate, seq, previous, topic, headers, payload)
    SELECT counter.last, 'bench', nextval('oncely.outbox_position'), :shard, 'charge',
        counter.aggregate, counter.seq, NULL, 'charge.succeeded',
        '{\"content-type\": \"application/json\"}', convert_to(repeat('x', 120), 'UTF8')
    FROM counter
    RETURNING id, position, seq
)";

const PG_PENDING: &str = "
INSERT INTO oncely.outbox_pending (shard, position, tenant, id, seq, aggregate_hash)
SELECT :shard, position, 'bench', id, seq, :a FROM event";

const PG_RECORD: &str = "
INSERT INTO oncely.records
    (tenant, id, operation, fingerprint, expires_at,
     state, completed_at, response_status, response_headers, response_body)
VALUES ('bench', uuid_send(gen_random_uuid()), 'POST /charge', convert_to(repeat('f', 37), 'UTF8'),
    now() + interval '72 hours', 'completed', now(), 201, convert_to(repeat('h', 90), 'UTF8'),
    convert_to(repeat('b', 240), 'UTF8'))";
