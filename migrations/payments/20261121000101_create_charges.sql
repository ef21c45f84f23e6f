-- Purpose: the charges of the payment path, as a user of Oncely would keep them. Deliberately
-- without a unique constraint on anything but the id: two rows for one key would show.
-- Needs: oncely 0.1. Lock impact: none, the table is new. Verify: \d+ public.charges

SET LOCAL lock_timeout = '5s';

CREATE TABLE public.charges (
    tenant     text        NOT NULL,
    id         text        NOT NULL,
    amount     bigint      NOT NULL,
    currency   text        NOT NULL,
    source     text        NOT NULL,
    sku        text,
    quantity   bigint,
    status     text        NOT NULL,
    created_at timestamptz NOT NULL,

    CONSTRAINT charges_key PRIMARY KEY (tenant, id),
    CONSTRAINT charges_amount_positive CHECK (0 < amount),
    CONSTRAINT charges_currency_code CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT charges_source_length CHECK (octet_length(source) BETWEEN 1 AND 255),
    CONSTRAINT charges_sku_length CHECK (octet_length(sku) BETWEEN 1 AND 255),
    CONSTRAINT charges_quantity_positive CHECK (0 < quantity),
    CONSTRAINT charges_status CHECK (status IN ('succeeded'))
);

COMMENT ON TABLE public.charges IS 'Charges that succeeded; a declined card leaves only its stored answer in the ledger';
COMMENT ON COLUMN public.charges.tenant IS 'Whose charge';
COMMENT ON COLUMN public.charges.id IS 'ch_ and a UUIDv7';
COMMENT ON COLUMN public.charges.amount IS 'In minor units of the currency';
COMMENT ON COLUMN public.charges.currency IS 'ISO 4217 code';
COMMENT ON COLUMN public.charges.source IS 'What was charged, a token of the card';
COMMENT ON COLUMN public.charges.sku IS 'What was bought, where the caller said it';
COMMENT ON COLUMN public.charges.quantity IS 'How many of it';
COMMENT ON COLUMN public.charges.status IS 'succeeded';
COMMENT ON COLUMN public.charges.created_at IS 'When, by the database''s clock';
