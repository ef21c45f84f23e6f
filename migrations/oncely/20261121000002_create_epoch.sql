-- Purpose: the ledger's epoch. Answers in Redis carry it, and count only while it is current, so
-- that a restore or a fail-over cannot leave Redis replaying an answer whose commit is gone.
-- Needs: oncely 0.1. Lock impact: none, the table is new.
-- Verify: SELECT number, changed_at FROM oncely.epoch returns one row.

SET LOCAL lock_timeout = '5s';

CREATE TABLE oncely.epoch (
    only_row   boolean     NOT NULL DEFAULT true,
    number     bigint      NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT epoch_only_row PRIMARY KEY (only_row),
    CONSTRAINT epoch_is_one_row CHECK (only_row),
    CONSTRAINT epoch_number_positive CHECK (0 < number)
);

-- The start is a moment, not 1: two databases made one after the other never share an epoch.
INSERT INTO oncely.epoch (number) VALUES ((extract(epoch FROM clock_timestamp()) * 1000)::bigint);

COMMENT ON TABLE oncely.epoch IS 'One row: which history of the ledger this is. Raise it after every restore: oncely ledger new-epoch';
COMMENT ON COLUMN oncely.epoch.only_row IS 'Always true: there is one row';
COMMENT ON COLUMN oncely.epoch.number IS 'Grows with each new epoch; starts as the Unix time in milliseconds';
COMMENT ON COLUMN oncely.epoch.changed_at IS 'When the number was last raised';
