-- Purpose: what follows from a charge: stock, the journal, receipts. Deliberately without a unique
-- constraint on the charge: an event that took effect twice would show.
-- Needs: oncely 0.1. Lock impact: none, the tables are new. Verify: \d+ public.journal_entries

SET LOCAL lock_timeout = '5s';

CREATE TABLE public.inventory (
    tenant    text   NOT NULL,
    sku       text   NOT NULL,
    available bigint NOT NULL,
    reserved  bigint NOT NULL DEFAULT 0,

    CONSTRAINT inventory_key PRIMARY KEY (tenant, sku),
    CONSTRAINT inventory_available CHECK (0 <= available),
    CONSTRAINT inventory_reserved CHECK (0 <= reserved)
);

CREATE TABLE public.reservations (
    tenant     text        NOT NULL,
    id         text        NOT NULL,
    sku        text        NOT NULL,
    quantity   bigint      NOT NULL,
    status     text        NOT NULL,
    charge_id  text,
    created_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT reservations_key PRIMARY KEY (tenant, id),
    CONSTRAINT reservations_quantity_positive CHECK (0 < quantity),
    CONSTRAINT reservations_status CHECK (status IN ('reserved', 'backordered'))
);

CREATE TABLE public.journal_entries (
    tenant     text        NOT NULL,
    id         uuid        NOT NULL,
    charge_id  text        NOT NULL,
    account    text        NOT NULL,
    direction  text        NOT NULL,
    amount     bigint      NOT NULL,
    currency   text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT journal_entries_key PRIMARY KEY (tenant, id),
    CONSTRAINT journal_entries_direction CHECK (direction IN ('debit', 'credit')),
    CONSTRAINT journal_entries_amount_positive CHECK (0 < amount)
);

CREATE TABLE public.receipts (
    tenant    text        NOT NULL,
    id        uuid        NOT NULL,
    charge_id text        NOT NULL,
    subject   text        NOT NULL,
    body      text        NOT NULL,
    sent_at   timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT receipts_key PRIMARY KEY (tenant, id)
);

COMMENT ON TABLE public.inventory IS 'Stock by item';
COMMENT ON COLUMN public.inventory.available IS 'What can still be promised';
COMMENT ON COLUMN public.inventory.reserved IS 'What is promised and not yet shipped';
COMMENT ON TABLE public.reservations IS 'Who gets how many of what';
COMMENT ON COLUMN public.reservations.status IS 'reserved; backordered where the stock was not enough for a charge that had succeeded';
COMMENT ON COLUMN public.reservations.charge_id IS 'The charge that it follows from';
COMMENT ON TABLE public.journal_entries IS 'Double entry: the lines of a charge, debits and credits of the same amount';
COMMENT ON COLUMN public.journal_entries.amount IS 'In minor units of the currency';
COMMENT ON TABLE public.receipts IS 'What stands in for an e-mail: each row is one that was sent';

-- From here on each charge.succeeded is owed to these three, whether or not they run yet.
INSERT INTO oncely.inbox_consumer (consumer, topic) VALUES
    ('inventory', 'charge.succeeded'), ('journal', 'charge.succeeded'), ('receipts', 'charge.succeeded');
