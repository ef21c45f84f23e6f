-- Purpose: find a charge's effects without reading a whole table: the audit asks for them all day.
-- Not unique, on purpose: an event that took effect twice has to show.
-- Needs: oncely 0.1. Lock impact: SHARE on each table while its index is built, so writes wait; on a
-- large table create the indexes CONCURRENTLY under these names first.
-- Verify: \d+ public.journal_entries shows journal_entries_charge.

SET LOCAL lock_timeout = '5s';

CREATE INDEX IF NOT EXISTS journal_entries_charge ON public.journal_entries (tenant, charge_id);
CREATE INDEX IF NOT EXISTS receipts_charge ON public.receipts (tenant, charge_id);
CREATE INDEX IF NOT EXISTS reservations_charge ON public.reservations (tenant, charge_id);
