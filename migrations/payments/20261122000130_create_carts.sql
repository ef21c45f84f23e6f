-- Purpose: carts, whose PUT and DELETE converge by themselves; and bounds for a reservation's text.
-- Needs: oncely 0.1. Lock impact: the carts are new; the check on reservations is NOT VALID, so it
-- reads no row. Verify: \d+ public.carts

SET LOCAL lock_timeout = '5s';

CREATE TABLE public.carts (
    tenant     text        NOT NULL,
    id         text        NOT NULL,
    updated_at timestamptz NOT NULL,

    CONSTRAINT carts_key PRIMARY KEY (tenant, id),
    CONSTRAINT carts_id_length CHECK (octet_length(id) BETWEEN 1 AND 255)
);

CREATE TABLE public.cart_lines (
    tenant   text    NOT NULL,
    cart_id  text    NOT NULL,
    position integer NOT NULL,
    sku      text    NOT NULL,
    quantity bigint  NOT NULL,

    CONSTRAINT cart_lines_key PRIMARY KEY (tenant, cart_id, position),
    CONSTRAINT cart_lines_cart FOREIGN KEY (tenant, cart_id) REFERENCES public.carts ON DELETE CASCADE,
    CONSTRAINT cart_lines_sku_length CHECK (octet_length(sku) BETWEEN 1 AND 255),
    CONSTRAINT cart_lines_quantity_positive CHECK (0 < quantity)
);

ALTER TABLE public.reservations
    ADD CONSTRAINT reservations_sku_length CHECK (octet_length(sku) BETWEEN 1 AND 255) NOT VALID;

COMMENT ON TABLE public.carts IS 'What somebody is about to buy';
COMMENT ON COLUMN public.carts.tenant IS 'Whose cart';
COMMENT ON COLUMN public.carts.id IS 'Chosen by the caller';
COMMENT ON COLUMN public.carts.updated_at IS 'When it was last written, by the database''s clock';
COMMENT ON TABLE public.cart_lines IS 'The lines of a cart, in their order';
COMMENT ON COLUMN public.cart_lines.position IS 'Counted from 1';
