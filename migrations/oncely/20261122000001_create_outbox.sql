-- Purpose: the outbox. An event is written in the transaction of the operation that it tells of, and
-- stays pending until a broker has taken it.
-- Needs: oncely 0.1. Lock impact: none, the tables are new.
-- Verify: SELECT count(*) FROM oncely.outbox_shard returns 16.
--
--                  enqueue                    relay: publish, then settle
--   (operation) ───────────▶ outbox_event ─┬─────────────────────────────▶ broker ──▶ inbox
--                            append-only   │
--                            outbox_pending┘ deleted when published; written again when the event
--                                            is found to be missing in the inbox
--
-- A publish is a hint, the inbox is the truth: a partition of outbox_event is dropped only when each of
-- its events is in the inbox of each of its consumers, or is a dead letter.

SET LOCAL lock_timeout = '5s';

-- Where an event stands among all others. Taken while the event's aggregate is locked, so within one
-- aggregate its order is the order of commits. Across aggregates it says nothing: a lower position may
-- commit later, so nobody may read "up to here".
CREATE SEQUENCE oncely.outbox_position AS bigint;

-- One row for each aggregate that has had an event: its lock, and the counter of its events.
CREATE TABLE oncely.outbox_aggregate (
    tenant text   NOT NULL,
    kind   text   NOT NULL,
    id     text   NOT NULL,
    topic  text,
    seq    bigint NOT NULL,
    last   uuid,

    CONSTRAINT outbox_aggregate_key PRIMARY KEY (tenant, kind, id),
    CONSTRAINT outbox_aggregate_tenant_length CHECK (octet_length(tenant) BETWEEN 1 AND 255),
    CONSTRAINT outbox_aggregate_kind_length CHECK (octet_length(kind) BETWEEN 1 AND 100),
    CONSTRAINT outbox_aggregate_id_length CHECK (octet_length(id) BETWEEN 1 AND 255),
    CONSTRAINT outbox_aggregate_seq CHECK (
        seq = 0 AND last IS NULL AND topic IS NULL
        OR 0 < seq AND last IS NOT NULL AND topic IS NOT NULL)
);

-- The log of events: written once, never updated, dropped by whole partitions. An id carries its time,
-- and the time is the database's.
CREATE TABLE oncely.outbox_event (
    id         uuid        NOT NULL,
    tenant     text        NOT NULL,
    position   bigint      NOT NULL,
    shard      smallint    NOT NULL,
    kind       text        NOT NULL,
    aggregate  text        NOT NULL,
    seq        bigint      NOT NULL,
    previous   uuid,
    topic      text        NOT NULL,
    headers    jsonb       NOT NULL,
    payload    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT outbox_event_key PRIMARY KEY (id, tenant),
    CONSTRAINT outbox_event_shard_range CHECK (shard BETWEEN 0 AND 15),
    CONSTRAINT outbox_event_topic_name CHECK (topic ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
    CONSTRAINT outbox_event_headers_object CHECK (jsonb_typeof(headers) = 'object'),
    CONSTRAINT outbox_event_payload_length CHECK (octet_length(payload) <= 1048576),
    CONSTRAINT outbox_event_first CHECK ((seq = 1) = (previous IS NULL) AND 0 < seq)
) PARTITION BY RANGE (id);

-- The net: with no relay to make partitions ahead, no operation fails for want of one.
CREATE TABLE oncely.outbox_event_default PARTITION OF oncely.outbox_event DEFAULT;

-- What is to be published: one slim row for each event, deleted when a broker has it.
CREATE TABLE oncely.outbox_pending (
    shard          smallint NOT NULL,
    position       bigint   NOT NULL,
    tenant         text     NOT NULL,
    id             uuid     NOT NULL,
    seq            bigint   NOT NULL,
    aggregate_hash bigint   NOT NULL,
    attempts       smallint NOT NULL DEFAULT 0,
    next_at        timestamptz,
    last_error     text,

    CONSTRAINT outbox_pending_key PRIMARY KEY (shard, position, tenant),
    CONSTRAINT outbox_pending_attempts CHECK (0 <= attempts)
) WITH (
    -- A queue: many rows come and go. It is vacuumed often, and in one go.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);

-- Who relays which shard: a lease by the database's clock, with a fence that grows with each owner.
-- Whoever has shard 0 also does the chores: reconciling, partitions, trimming.
CREATE TABLE oncely.outbox_shard (
    shard       smallint    NOT NULL,
    owner       uuid,
    owner_name  text,
    fence       bigint      NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',

    CONSTRAINT outbox_shard_key PRIMARY KEY (shard),
    CONSTRAINT outbox_shard_range CHECK (shard BETWEEN 0 AND 15)
) WITH (fillfactor = 50);

INSERT INTO oncely.outbox_shard (shard) SELECT generate_series(0, 15);

-- Which relays are there, so that each knows its share of the shards before it has any.
CREATE TABLE oncely.outbox_relay (
    owner      uuid        NOT NULL,
    owner_name text        NOT NULL,
    live_until timestamptz NOT NULL,

    CONSTRAINT outbox_relay_key PRIMARY KEY (owner)
);

-- What the broker looked like when it was last asked: where that changes, it may have lost messages.
CREATE TABLE oncely.outbox_broker (
    broker  text        NOT NULL,
    epoch   text        NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT outbox_broker_key PRIMARY KEY (broker)
);

-- Every event with a lower id has been confirmed by each of its consumers.
CREATE TABLE oncely.outbox_confirmed (
    only_row   boolean     NOT NULL DEFAULT true,
    before     uuid        NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT outbox_confirmed_only_row PRIMARY KEY (only_row),
    CONSTRAINT outbox_confirmed_is_one_row CHECK (only_row)
);

INSERT INTO oncely.outbox_confirmed (before) VALUES ('00000000-0000-0000-0000-000000000000');

COMMENT ON SEQUENCE oncely.outbox_position IS 'Order of events within an aggregate; no order at all across aggregates';
COMMENT ON TABLE oncely.outbox_aggregate IS 'One row for each aggregate that has had an event: its lock and its counter';
COMMENT ON COLUMN oncely.outbox_aggregate.kind IS 'What it is, such as charge';
COMMENT ON COLUMN oncely.outbox_aggregate.id IS 'Which one';
COMMENT ON COLUMN oncely.outbox_aggregate.topic IS 'Where all its events are published: a consumer of another topic would wait for what it never gets';
COMMENT ON COLUMN oncely.outbox_aggregate.seq IS 'How many events it has had; they are numbered 1 to this without a gap';
COMMENT ON COLUMN oncely.outbox_aggregate.last IS 'Its latest event';
COMMENT ON TABLE oncely.outbox_event IS 'The log of events, append-only, partitioned by id; partitions are dropped once confirmed';
COMMENT ON COLUMN oncely.outbox_event.id IS 'UUIDv7, its time being the database''s: also the message''s id at the broker and in the inbox';
COMMENT ON COLUMN oncely.outbox_event.position IS 'From oncely.outbox_position, taken while the aggregate was locked';
COMMENT ON COLUMN oncely.outbox_event.shard IS 'From the hash of tenant, kind and aggregate: 0 to 15';
COMMENT ON COLUMN oncely.outbox_event.seq IS 'Which of its aggregate''s events it is, from 1, without a gap';
COMMENT ON COLUMN oncely.outbox_event.previous IS 'The aggregate''s event before this one';
COMMENT ON COLUMN oncely.outbox_event.topic IS 'Where it is published, such as charge.succeeded';
COMMENT ON COLUMN oncely.outbox_event.headers IS 'Text by name, such as traceparent';
COMMENT ON COLUMN oncely.outbox_event.payload IS 'The event itself, byte for byte as it is published';
COMMENT ON TABLE oncely.outbox_pending IS 'Events that no broker has yet, or that are to be published again';
COMMENT ON COLUMN oncely.outbox_pending.aggregate_hash IS 'Which aggregate, as a number';
COMMENT ON COLUMN oncely.outbox_pending.attempts IS 'How often the broker refused this very event; an outage counts nothing';
COMMENT ON COLUMN oncely.outbox_pending.next_at IS 'Not to be tried before';
COMMENT ON TABLE oncely.outbox_shard IS 'Leases of the relays, by the database''s clock';
COMMENT ON COLUMN oncely.outbox_shard.fence IS 'Grows with each owner: what an earlier one settles late counts no more';
COMMENT ON TABLE oncely.outbox_relay IS 'Relays that are there, by the database''s clock; each aims at its share of the shards';
COMMENT ON TABLE oncely.outbox_broker IS 'What the broker looked like when it was last asked';
COMMENT ON TABLE oncely.outbox_confirmed IS 'One row: every event with a lower id is confirmed by each of its consumers';
