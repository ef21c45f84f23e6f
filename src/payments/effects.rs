//! What each charge has to have come to: one charge, two lines in the journal, one receipt, and its stock.

use crate::audit::Effect;

/// Each effect with its statement. What is a dead letter of its consumer is known to lack the effect.
macro_rules! effect {
    ($name:literal, $found:literal, $expected:literal) => {
        Effect {
            name: $name,
            statement: concat!(
                "
WITH audited AS (
    SELECT e.tenant, e.id, e.aggregate AS charge_id, e.payload,
        e.id < (SELECT before FROM oncely.outbox_confirmed) AS is_confirmed
    FROM oncely.outbox_event e WHERE e.topic = 'charge.succeeded'
    ORDER BY e.id DESC LIMIT $1
), counted AS (
    SELECT a.*, (",
                $found,
                ") AS found, ",
                $expected,
                " AS expected FROM audited a
)
SELECT count(*),
    count(*) FILTER (WHERE c.found < c.expected AND c.is_confirmed AND NOT EXISTS (
        SELECT 1 FROM oncely.dead_letter d WHERE d.consumer IN ('",
                $name,
                "', 'relay')
          AND d.id = c.id AND d.tenant = c.tenant AND d.state IN ('dead', 'discarded'))),
    count(*) FILTER (WHERE c.expected < c.found)
FROM counted c"
            ),
        }
    };
}

/// The effects of `charge.succeeded`.
pub fn effects() -> Vec<Effect> {
    vec![
        effect!(
            "charge",
            "SELECT count(*) FROM public.charges x WHERE x.tenant = a.tenant AND x.id = a.charge_id",
            "1"
        ),
        effect!(
            "journal",
            "SELECT count(*) FROM public.journal_entries x
             WHERE x.tenant = a.tenant AND x.charge_id = a.charge_id",
            "2"
        ),
        effect!(
            "receipts",
            "SELECT count(*) FROM public.receipts x
             WHERE x.tenant = a.tenant AND x.charge_id = a.charge_id",
            "1"
        ),
        effect!(
            "inventory",
            "SELECT count(*) FROM public.reservations x
             WHERE x.tenant = a.tenant AND x.charge_id = a.charge_id",
            "(convert_from(a.payload, 'UTF8')::jsonb ->> 'sku' IS NOT NULL)::int"
        ),
    ]
}
