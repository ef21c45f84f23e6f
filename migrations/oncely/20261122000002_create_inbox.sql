-- Purpose: the inbox. What a consumer has applied, what it has set aside, and what it has given up.
-- Needs: oncely 0.1. Lock impact: none, the tables are new.
-- Verify: SELECT id FROM oncely.inbox_horizon returns one row.
--
--                       first delivery, applied
--   (message) ──────────────────────────────────────────────▶ inbox: done
--      │                                                          ▲
--      │ failed, delivered again, or before its predecessor       │ applied
--      ▼                                                          │
--   inbox_waiting ────────────────────────────────────────────────┘
--      │      ▲  each attempt is counted before the work
--      │ N    │ redrive (attempts start anew)
--      ▼      │
--   dead_letter: dead ──discard──▶ dead_letter: discarded
--   inbox: dead                    inbox: discarded
--
-- The inbox row, the consumer's own writes and the leaving of inbox_waiting are one transaction.

SET LOCAL lock_timeout = '5s';

-- Who has to have which events. An event counts as confirmed when each consumer of its topic has it.
CREATE TABLE oncely.inbox_consumer (
    consumer text        NOT NULL,
    topic    text        NOT NULL,
    since    timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT inbox_consumer_key PRIMARY KEY (consumer, topic),
    CONSTRAINT inbox_consumer_name CHECK (consumer ~ '^[a-z0-9][a-z0-9._-]{0,62}$' AND consumer <> 'relay'),
    CONSTRAINT inbox_consumer_topic_name CHECK (topic ~ '^[a-z0-9][a-z0-9._-]{0,99}$')
);

-- What was applied. Partitioned by the message's own id, so the key is unique across all partitions,
-- and forgetting is dropping one.
CREATE TABLE oncely.inbox (
    id       uuid        NOT NULL,
    consumer text        NOT NULL,
    tenant   text        NOT NULL,
    state    text        NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT inbox_key PRIMARY KEY (id, consumer, tenant),
    CONSTRAINT inbox_state CHECK (state IN ('done', 'dead', 'discarded'))
) PARTITION BY RANGE (id);

CREATE TABLE oncely.inbox_default PARTITION OF oncely.inbox DEFAULT;

-- A message with a lower id than this is no longer remembered: it is put aside, never applied. Raised
-- well before a partition is dropped, so that no transaction is still working by the old horizon.
CREATE TABLE oncely.inbox_horizon (
    only_row  boolean     NOT NULL DEFAULT true,
    id        uuid        NOT NULL,
    raised_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT inbox_horizon_only_row PRIMARY KEY (only_row),
    CONSTRAINT inbox_horizon_is_one_row CHECK (only_row)
);

INSERT INTO oncely.inbox_horizon (id) VALUES ('00000000-0000-0000-0000-000000000000');

-- Messages that a consumer has taken from the broker and will apply by itself. The broker may lose them.
CREATE TABLE oncely.inbox_waiting (
    consumer   text        NOT NULL,
    id         uuid        NOT NULL,
    tenant     text        NOT NULL,
    topic      text        NOT NULL,
    kind       text        NOT NULL,
    aggregate  text        NOT NULL,
    seq        bigint      NOT NULL,
    previous   uuid,
    headers    jsonb       NOT NULL,
    payload    bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    reason     text        NOT NULL,
    attempts   integer     NOT NULL DEFAULT 0,
    since      timestamptz NOT NULL DEFAULT now(),
    ready_at   timestamptz NOT NULL DEFAULT now(),
    last_error text,

    CONSTRAINT inbox_waiting_key PRIMARY KEY (consumer, id, tenant),
    CONSTRAINT inbox_waiting_reason CHECK (reason IN ('failed', 'redelivered', 'gap', 'redriven')),
    CONSTRAINT inbox_waiting_attempts CHECK (0 <= attempts)
);

CREATE INDEX inbox_waiting_ready ON oncely.inbox_waiting (consumer, ready_at);

-- What was given up, whole, for people to look at and decide.
CREATE TABLE oncely.dead_letter (
    consumer   text        NOT NULL,
    id         uuid        NOT NULL,
    tenant     text        NOT NULL,
    topic      text        NOT NULL,
    kind       text        NOT NULL,
    aggregate  text        NOT NULL,
    seq        bigint      NOT NULL,
    previous   uuid,
    headers    jsonb       NOT NULL,
    payload    bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    reason     text        NOT NULL,
    attempts   integer     NOT NULL,
    error      text        NOT NULL,
    dead_at    timestamptz NOT NULL DEFAULT now(),
    state      text        NOT NULL DEFAULT 'dead',

    CONSTRAINT dead_letter_key PRIMARY KEY (consumer, id, tenant),
    CONSTRAINT dead_letter_reason CHECK (reason IN ('failed', 'killed', 'quarantined', 'unpublishable')),
    CONSTRAINT dead_letter_state CHECK (state IN ('dead', 'redriven', 'discarded'))
);

CREATE INDEX dead_letter_open ON oncely.dead_letter (dead_at) WHERE state = 'dead';

-- What people did with dead letters, who, and why.
CREATE TABLE oncely.dead_letter_audit (
    tenant   text        NOT NULL,
    entry    bigint      GENERATED ALWAYS AS IDENTITY,
    at       timestamptz NOT NULL DEFAULT now(),
    action   text        NOT NULL,
    consumer text        NOT NULL,
    id       uuid        NOT NULL,
    who      text        NOT NULL,
    why      text        NOT NULL,

    CONSTRAINT dead_letter_audit_key PRIMARY KEY (tenant, entry),
    CONSTRAINT dead_letter_audit_action CHECK (action IN ('redrive', 'discard'))
);

COMMENT ON TABLE oncely.inbox_consumer IS 'Who has to have which events; a consumer that is gone for good is deleted here, by hand';
COMMENT ON TABLE oncely.inbox IS 'What each consumer has applied or given up; the primary key makes the effect once';
COMMENT ON COLUMN oncely.inbox.id IS 'The event''s id';
COMMENT ON COLUMN oncely.inbox.state IS 'done, dead or discarded, drawn in the migration that creates the table';
COMMENT ON TABLE oncely.inbox_horizon IS 'One row: a message with a lower id is put aside as quarantined, never applied';
COMMENT ON TABLE oncely.inbox_waiting IS 'Messages that failed, came again or came early; their consumer applies them from here';
COMMENT ON COLUMN oncely.inbox_waiting.reason IS 'failed, redelivered, gap or redriven';
COMMENT ON COLUMN oncely.inbox_waiting.attempts IS 'How often it was tried, counted before the work';
COMMENT ON COLUMN oncely.inbox_waiting.ready_at IS 'Not to be tried before; while it is tried, the end of the attempt''s lease';
COMMENT ON TABLE oncely.dead_letter IS 'Messages that were given up, whole; see oncely dlq';
COMMENT ON COLUMN oncely.dead_letter.consumer IS 'Whose; relay where no broker would take it';
COMMENT ON COLUMN oncely.dead_letter.reason IS 'failed (N attempts), killed (its last attempt never ended), quarantined (older than the inbox remembers), unpublishable';
COMMENT ON COLUMN oncely.dead_letter.error IS 'The last error with its causes';
COMMENT ON COLUMN oncely.dead_letter.created_at IS 'When the event was enqueued';
COMMENT ON COLUMN oncely.dead_letter.state IS 'dead, redriven or discarded';
COMMENT ON TABLE oncely.dead_letter_audit IS 'What people did with dead letters';
