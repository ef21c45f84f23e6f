-- Purpose: leased operations, whose effects lie outside this database. Their claim is committed
-- before the work begins, with a fencing number and a lease, and each phase commits where it got to.
-- Needs: oncely 0.1. Lock impact: ACCESS EXCLUSIVE on oncely.records while its CHECK is looked
-- through: one read of the table. Verify: \d+ oncely.records
--
--            acquire                     complete (WHERE attempt = n AND state = 'leased')
--   (none) ──────────▶ leased ──────────────────────────────────────▶ completed
--                      │ ▲  ▲ ╲
--     renew, advance ──┘ │  │  ╲ mark unknown: a call was sent, no answer came, and the other side
--     take over, once ───┘  │   ▼ does not know our key
--     the lease is over     │  unknown
--     (attempt + 1)         └──────┘ resolve: an operator has looked (oncely.key_audit)
--
-- What is unfinished never expires: an expired record is no record, and would be sent again.

SET LOCAL lock_timeout = '5s';

ALTER TABLE oncely.records
    ADD COLUMN attempt          integer NOT NULL DEFAULT 0,
    ADD COLUMN lease_expires_at timestamptz,
    ADD COLUMN phase            text,
    ADD COLUMN carried          jsonb,
    ADD COLUMN downstream_key   uuid,
    ADD CONSTRAINT records_attempt_positive CHECK (0 <= attempt),
    ADD CONSTRAINT records_phase_length CHECK (octet_length(phase) BETWEEN 1 AND 100),
    DROP CONSTRAINT records_state,
    ADD CONSTRAINT records_state CHECK (
        CASE
            WHEN state = 'completed' THEN
                completed_at IS NOT NULL AND response_status IS NOT NULL
                -- Without a body, and without headers, a completed record is a tombstone.
                AND (response_headers IS NULL) = (response_body IS NULL)
                AND lease_expires_at IS NULL AND phase IS NULL AND carried IS NULL
            WHEN state IN ('in_progress', 'leased', 'unknown') THEN
                completed_at IS NULL AND response_status IS NULL
                AND response_headers IS NULL AND response_body IS NULL
                AND CASE WHEN state = 'in_progress' THEN lease_expires_at IS NULL AND phase IS NULL
                    ELSE 0 < attempt AND phase IS NOT NULL AND carried IS NOT NULL
                        AND (lease_expires_at IS NOT NULL) = (state = 'leased')
                        AND (state = 'leased' OR downstream_key IS NOT NULL)
                        AND expires_at = timestamptz '9999-12-31 00:00:00+00'
                    END
            ELSE false
        END
    );

-- The rescuer's order.
CREATE INDEX records_lease ON oncely.records (lease_expires_at) WHERE state = 'leased';
-- What an operator has to look at.
CREATE INDEX records_unknown ON oncely.records (tenant, created_at) WHERE state = 'unknown';

-- What operators did to records, and why. Append-only.
CREATE TABLE oncely.key_audit (
    tenant    text        NOT NULL,
    number    bigint      GENERATED ALWAYS AS IDENTITY,
    record_id bytea       NOT NULL,
    attempt   integer     NOT NULL,
    action    text        NOT NULL,
    outcome   jsonb,
    who       text        NOT NULL,
    why       text        NOT NULL,
    done_at   timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT key_audit_key PRIMARY KEY (tenant, number),
    CONSTRAINT key_audit_id_length CHECK (octet_length(record_id) = 16),
    CONSTRAINT key_audit_action CHECK (action IN ('resolve_happened', 'resolve_did_not_happen', 'release')),
    CONSTRAINT key_audit_outcome CHECK ((outcome IS NOT NULL) = (action = 'resolve_happened')),
    CONSTRAINT key_audit_who_length CHECK (octet_length(who) BETWEEN 1 AND 255),
    CONSTRAINT key_audit_why_length CHECK (octet_length(why) BETWEEN 1 AND 1000)
);

CREATE INDEX key_audit_record ON oncely.key_audit (tenant, record_id, number);

COMMENT ON COLUMN oncely.records.state IS 'in_progress, leased, unknown or completed, drawn in the migrations that create the table and add leases';
COMMENT ON COLUMN oncely.records.attempt IS 'Fencing number: who claims or takes over a leased record raises it; 0 where nobody ever leased it';
COMMENT ON COLUMN oncely.records.lease_expires_at IS 'leased: until when nobody else may take it over';
COMMENT ON COLUMN oncely.records.phase IS 'leased and unknown: the recovery point, the phase that is next or under way';
COMMENT ON COLUMN oncely.records.carried IS 'leased and unknown: the request, and what each phase recorded, by name';
COMMENT ON COLUMN oncely.records.downstream_key IS 'The key of the phase''s call, stored before it is sent; NULL says that none was sent';
COMMENT ON TABLE oncely.key_audit IS 'What operators did to records by hand: who, when and why';
COMMENT ON COLUMN oncely.key_audit.outcome IS 'What the operator found on the other side''s books';
