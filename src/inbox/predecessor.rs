//! When a message may follow: the SQL condition that its predecessor is done with.

/// True where the predecessor (`$previous`) is done with for consumer `$1`, or there is none: it is in
/// the inbox as done or discarded, or it is below the horizon `h` and nobody waits for a decision
/// about it.
macro_rules! is_next {
    ($tenant:literal, $previous:literal) => {
        concat!(
            "(",
            $previous,
            " IS NULL OR EXISTS (
                SELECT 1 FROM oncely.inbox AS p
                WHERE p.id = ",
            $previous,
            " AND p.consumer = $1 AND p.tenant = ",
            $tenant,
            "
                    AND p.state IN ('done', 'discarded'))
             OR (",
            $previous,
            " < h.id
                AND NOT EXISTS (
                    SELECT 1 FROM oncely.inbox_waiting AS p
                    WHERE p.consumer = $1 AND p.id = ",
            $previous,
            " AND p.tenant = ",
            $tenant,
            ")
                AND NOT EXISTS (
                    SELECT 1 FROM oncely.dead_letter AS p
                    WHERE p.consumer IN ($1, 'relay') AND p.id = ",
            $previous,
            "
                        AND p.tenant = ",
            $tenant,
            " AND p.state = 'dead')))"
        )
    };
}

pub(super) use is_next;
