//! A comparison for people: the counts side by side, then each difference with its ids.

use std::fmt::Write as _;

use super::compare::Verified;
use crate::cli::table::{one_line, pairs, table, when};

pub(super) fn text(verified: &Verified) -> String {
    let counts = &verified.counts;
    let mut text = pairs(&[
        ("from", when(verified.since)),
        ("until", when(verified.until)),
        ("operations acknowledged", counts.operations.to_string()),
        ("charges", counts.charges.to_string()),
        ("events", counts.events.to_string()),
    ]);
    let rows = verified.effects.iter().map(|it| {
        let counted = [it.done, it.discarded, it.dead, it.on_the_way];
        let counted = counted.iter().map(ToString::to_string);
        std::iter::once(it.consumer.clone())
            .chain(counted)
            .collect()
    });
    let header = ["consumer", "done", "discarded", "dead", "on the way"];
    text.push_str(&table(&header, rows));
    for difference in &verified.differences {
        let more = if difference.has_more {
            ", and more"
        } else {
            ""
        };
        let n = difference.items.len();
        writeln!(
            text,
            "\n× {} ({n}{more}): {}",
            difference.kind, difference.meaning
        )
        .expect("invariant: a string takes what is written");
        for item in &difference.items {
            let detail = one_line(&item.detail);
            writeln!(
                text,
                "    {} {}: {detail}",
                one_line(&item.tenant),
                one_line(&item.id)
            )
            .expect("invariant: a string takes what is written");
        }
    }
    if verified.agrees() {
        text.push_str("\nThe books agree.\n");
    } else {
        text.push_str(
            "\nThe books differ. `oncely key show` and `oncely outbox show` say how a single one \
             came about.\n",
        );
    }
    text
}
