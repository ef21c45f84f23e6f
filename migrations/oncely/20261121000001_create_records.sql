-- Purpose: the ledger. One row for each scoped key whose operation is done. The primary key is
-- the authority on "never twice"; everything else only makes it quicker or clearer.
-- Needs: oncely 0.1. Lock impact: none, the table is new. Verify: \d+ oncely.records
--
--            claim (insert_wait only, never committed)
--   (none) ───────────────────────────────▶ in_progress
--     │                                          │
--     │ complete (one INSERT)                    │ complete (UPDATE … WHERE state = 'in_progress')
--     ▼                                          ▼
--   completed ◀──────────────────────────────────┘
--     │
--     │ expires_at passes: the next request may take the row over, and the pruner deletes it
--     ▼
--   (none)
--
-- A transactional operation in flight has no row that anybody else can see: it is an open
-- transaction that holds an advisory lock, or an uncommitted row, and a crash leaves nothing.

SET LOCAL lock_timeout = '5s';

CREATE TABLE oncely.records (
    -- Never change after insert.
    tenant           text        NOT NULL,
    id               bytea       NOT NULL,
    operation        text        NOT NULL,
    fingerprint      bytea       NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    -- Change with the state.
    state            text        NOT NULL,
    completed_at     timestamptz,
    response_status  smallint,
    response_headers bytea,
    response_body    bytea,

    CONSTRAINT records_key PRIMARY KEY (tenant, id),
    CONSTRAINT records_tenant_length CHECK (octet_length(tenant) BETWEEN 1 AND 255),
    CONSTRAINT records_operation_length CHECK (octet_length(operation) BETWEEN 1 AND 255),
    CONSTRAINT records_id_length CHECK (octet_length(id) = 16),
    CONSTRAINT records_fingerprint_length CHECK (octet_length(fingerprint) = 37),
    CONSTRAINT records_expires_after_creation CHECK (created_at < expires_at),
    CONSTRAINT records_status_range CHECK (response_status BETWEEN 200 AND 499),
    CONSTRAINT records_headers_length CHECK (octet_length(response_headers) <= 65536),
    CONSTRAINT records_state CHECK (
        CASE state
            WHEN 'in_progress' THEN
                completed_at IS NULL AND response_status IS NULL
                AND response_headers IS NULL AND response_body IS NULL
            -- Without a body, and without headers, a completed record is a tombstone.
            WHEN 'completed' THEN
                completed_at IS NOT NULL AND response_status IS NOT NULL
                AND (response_headers IS NULL) = (response_body IS NULL)
            ELSE false
        END
    )
);

-- The pruner's order.
CREATE INDEX records_expires_at ON oncely.records (expires_at);

COMMENT ON TABLE oncely.records IS 'The ledger: one row for each scoped idempotency key whose operation is done';
COMMENT ON COLUMN oncely.records.tenant IS 'Who asked, from the credential';
COMMENT ON COLUMN oncely.records.id IS 'First 16 bytes of SHA-256 over tenant, operation and key (docs/sql-contract.md)';
COMMENT ON COLUMN oncely.records.operation IS 'Method and route template, for people';
COMMENT ON COLUMN oncely.records.fingerprint IS 'Algorithm (1 byte), id of the secret (4), HMAC-SHA-256 of the request (32)';
COMMENT ON COLUMN oncely.records.created_at IS 'Start of the transaction that claimed the key';
COMMENT ON COLUMN oncely.records.expires_at IS 'Until when the answer is promised to replay';
COMMENT ON COLUMN oncely.records.state IS 'in_progress or completed, drawn in the migration that creates the table';
COMMENT ON COLUMN oncely.records.completed_at IS 'When the operation was done';
COMMENT ON COLUMN oncely.records.response_status IS 'The stored answer: HTTP status';
COMMENT ON COLUMN oncely.records.response_headers IS 'The stored answer: HTTP/1.1 field lines; NULL for a tombstone';
COMMENT ON COLUMN oncely.records.response_body IS 'The stored answer: the body; NULL for a tombstone (too large to store)';
