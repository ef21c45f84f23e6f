-- Purpose: invoices and their lines. An invoice that is not finished, or that the tax service refuses,
-- is no row. Deliberately without a unique constraint on anything but the id: two rows for one key
-- would show.
-- Needs: oncely 0.1. Lock impact: none, the tables are new. Verify: \d+ public.invoices

SET LOCAL lock_timeout = '5s';

CREATE TABLE public.invoices (
    tenant       text        NOT NULL,
    id           text        NOT NULL,
    customer     text        NOT NULL,
    country      text        NOT NULL,
    currency     text        NOT NULL,
    subtotal     bigint      NOT NULL,
    tax_rate_ppm bigint      NOT NULL,
    tax          bigint      NOT NULL,
    total        bigint      NOT NULL,
    version      bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,

    CONSTRAINT invoices_key PRIMARY KEY (tenant, id),
    CONSTRAINT invoices_id_length CHECK (octet_length(id) BETWEEN 1 AND 255),
    CONSTRAINT invoices_customer_length CHECK (octet_length(customer) BETWEEN 1 AND 255),
    CONSTRAINT invoices_country_code CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT invoices_currency_code CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT invoices_subtotal_positive CHECK (0 < subtotal),
    CONSTRAINT invoices_tax_rate CHECK (tax_rate_ppm BETWEEN 0 AND 1000000),
    CONSTRAINT invoices_tax CHECK (0 <= tax),
    CONSTRAINT invoices_total CHECK (total - tax = subtotal),
    CONSTRAINT invoices_version_positive CHECK (0 < version)
);

CREATE TABLE public.invoice_lines (
    tenant      text   NOT NULL,
    invoice_id  text   NOT NULL,
    line        bigint NOT NULL,
    description text   NOT NULL,
    amount      bigint NOT NULL,

    CONSTRAINT invoice_lines_key PRIMARY KEY (tenant, invoice_id, line),
    CONSTRAINT invoice_lines_invoice FOREIGN KEY (tenant, invoice_id)
        REFERENCES public.invoices (tenant, id),
    CONSTRAINT invoice_lines_line_positive CHECK (0 < line),
    CONSTRAINT invoice_lines_description_length CHECK (octet_length(description) BETWEEN 1 AND 255),
    CONSTRAINT invoice_lines_amount_positive CHECK (0 < amount)
);

COMMENT ON TABLE public.invoices IS 'Invoices, each with its tax';
COMMENT ON COLUMN public.invoices.tenant IS 'Whose invoice';
COMMENT ON COLUMN public.invoices.id IS 'inv_ and a UUIDv7, or what a PUT has called it';
COMMENT ON COLUMN public.invoices.customer IS 'Who is to pay';
COMMENT ON COLUMN public.invoices.country IS 'ISO 3166 code of where it is taxed';
COMMENT ON COLUMN public.invoices.currency IS 'ISO 4217 code';
COMMENT ON COLUMN public.invoices.subtotal IS 'The sum of its lines, in minor units of the currency';
COMMENT ON COLUMN public.invoices.tax_rate_ppm IS 'What the tax service said: millionths of the subtotal';
COMMENT ON COLUMN public.invoices.tax IS 'That part of the subtotal, rounded half up, in minor units';
COMMENT ON COLUMN public.invoices.total IS 'Subtotal and tax';
COMMENT ON COLUMN public.invoices.version IS 'How often it was written, and so its ETag';
COMMENT ON COLUMN public.invoices.created_at IS 'When it was made, by the database''s clock';
COMMENT ON COLUMN public.invoices.updated_at IS 'When it was last replaced, by the database''s clock';
COMMENT ON TABLE public.invoice_lines IS 'What is invoiced';
COMMENT ON COLUMN public.invoice_lines.line IS 'Its place on the invoice, from 1';
COMMENT ON COLUMN public.invoice_lines.amount IS 'In minor units of the invoice''s currency';
