-- Purpose: payments, which a card processor outside this database makes. Deliberately without a
-- unique constraint on anything but the id: two rows for one key would show.
-- Needs: oncely 0.1. Lock impact: none, the table is new. Verify: \d+ public.payments

SET LOCAL lock_timeout = '5s';

CREATE TABLE public.payments (
    tenant              text        NOT NULL,
    id                  text        NOT NULL,
    amount              bigint      NOT NULL,
    currency            text        NOT NULL,
    source              text        NOT NULL,
    status              text        NOT NULL,
    processor_reference text,
    created_at          timestamptz NOT NULL,

    CONSTRAINT payments_key PRIMARY KEY (tenant, id),
    CONSTRAINT payments_amount_positive CHECK (0 < amount),
    CONSTRAINT payments_currency_code CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT payments_source_length CHECK (octet_length(source) BETWEEN 1 AND 255),
    CONSTRAINT payments_status CHECK (status IN ('pending', 'succeeded', 'declined')),
    CONSTRAINT payments_reference CHECK ((processor_reference IS NOT NULL) = (status = 'succeeded')),
    CONSTRAINT payments_reference_length CHECK (octet_length(processor_reference) BETWEEN 1 AND 255)
);

COMMENT ON TABLE public.payments IS 'Payments: pending until the processor has answered';
COMMENT ON COLUMN public.payments.tenant IS 'Whose payment';
COMMENT ON COLUMN public.payments.id IS 'pmt_ and a UUIDv7';
COMMENT ON COLUMN public.payments.amount IS 'In minor units of the currency';
COMMENT ON COLUMN public.payments.currency IS 'ISO 4217 code';
COMMENT ON COLUMN public.payments.source IS 'What is charged, a token of the card';
COMMENT ON COLUMN public.payments.status IS 'pending, succeeded or declined';
COMMENT ON COLUMN public.payments.processor_reference IS 'The processor''s own id of the charge';
COMMENT ON COLUMN public.payments.created_at IS 'When it was begun, by the database''s clock';
