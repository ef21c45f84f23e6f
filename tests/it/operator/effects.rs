//! `oncely effects verify`: the books agree, and each way in which they may not is found and named.

use oncely::testkit::Database;
use serde_json::Value;

use super::world::{Ran, oncely};
use crate::harness::{App, run};

/// As the consumers would have left it.
const APPLIED: &str = "
INSERT INTO oncely.inbox (id, consumer, tenant, state)
SELECT e.id, c.consumer, e.tenant, 'done'
FROM oncely.outbox_event AS e JOIN oncely.inbox_consumer AS c ON c.topic = e.topic;
INSERT INTO public.journal_entries (tenant, id, charge_id, account, direction, amount, currency)
SELECT tenant, gen_random_uuid(), id, 'x', direction, amount, currency
FROM public.charges, unnest(ARRAY['debit', 'credit']) AS direction;
INSERT INTO public.receipts (tenant, id, charge_id, subject, body)
SELECT tenant, gen_random_uuid(), id, 's', 'b' FROM public.charges";

/// What is broken, the kind that is found, and how it is mended.
const BROKEN: &[(&str, &str, &str)] = &[
    (
        "INSERT INTO public.receipts (tenant, id, charge_id, subject, body)
         SELECT tenant, gen_random_uuid(), id, 'twice', 'b' FROM public.charges WHERE amount = 2",
        "receipts",
        "DELETE FROM public.receipts WHERE subject = 'twice'",
    ),
    (
        "INSERT INTO public.journal_entries (tenant, id, charge_id, account, direction, amount, currency)
         SELECT tenant, gen_random_uuid(), id, 'twice', direction, amount, currency
         FROM public.charges, unnest(ARRAY['debit', 'credit']) AS direction WHERE amount = 2",
        "journal",
        "DELETE FROM public.journal_entries WHERE account = 'twice'",
    ),
    (
        "UPDATE public.journal_entries SET amount = 3 WHERE amount = 2 AND direction = 'debit'",
        "journal",
        "UPDATE public.journal_entries AS j SET amount = c.amount FROM public.charges AS c
         WHERE c.id = j.charge_id",
    ),
    (
        "INSERT INTO public.charges SELECT tenant, 'ch_second', amount, currency, source, sku, quantity,
             status, created_at FROM public.charges WHERE amount = 2",
        "charge-without-record",
        "DELETE FROM public.charges WHERE id = 'ch_second'",
    ),
    (
        "CREATE TABLE public.kept AS SELECT id, tenant FROM public.charges WHERE amount = 2;
         UPDATE public.charges SET id = 'ch_lost', created_at = created_at - interval '2 days'
         WHERE amount = 2",
        "record-without-charge",
        "UPDATE public.charges AS c SET id = k.id, created_at = c.created_at + interval '2 days'
         FROM public.kept AS k WHERE c.id = 'ch_lost'; DROP TABLE public.kept",
    ),
    (
        "UPDATE oncely.outbox_event SET topic = 'charge.lost'
         WHERE aggregate = (SELECT id FROM public.charges WHERE amount = 2)",
        "charge-events",
        "UPDATE oncely.outbox_event SET topic = 'charge.succeeded'",
    ),
    (
        "INSERT INTO oncely.dead_letter (consumer, id, tenant, topic, kind, aggregate, seq, headers,
             payload, created_at, reason, attempts, error)
         SELECT 'receipts', e.id, e.tenant, e.topic, e.kind, e.aggregate, 1, '{}', '', e.created_at,
             'failed', 8, 'no' FROM oncely.outbox_event AS e
         WHERE e.aggregate = (SELECT id FROM public.charges WHERE amount = 2)",
        "effect-missing",
        "DELETE FROM oncely.dead_letter",
    ),
    (
        "INSERT INTO public.receipts (tenant, id, charge_id, subject, body)
         VALUES ('demo', gen_random_uuid(), 'ch_nowhere', 'nobody', 'b')",
        "effect-without-charge",
        "DELETE FROM public.receipts WHERE subject = 'nobody'",
    ),
];

async fn verify(url: &str, more: &[&str]) -> Ran {
    let words = ["effects", "verify", "--until", "0s", "--output", "json"];
    oncely(url, &[&words[..], more].concat()).await
}

fn kinds(found: &Value) -> Vec<String> {
    let differences = found["differences"].as_array().unwrap().iter();
    differences
        .map(|it| it["kind"].as_str().unwrap().to_owned())
        .collect()
}

async fn app_with_charges() -> App {
    let app = App::start().await;
    for amount in 1..=5 {
        let reply = app.caller().charge(&format!("k-{amount}"), amount).await;
        assert_eq!(reply.status, 201);
    }
    app
}

#[test]
fn events_that_are_on_their_way_are_counted_and_no_difference() {
    run(async {
        let app = app_with_charges().await;
        let found = verify(&app.database_url, &[]).await;
        assert_eq!(found.code, 0, "{found:?}");
        let found = found.json();
        for name in ["operations", "charges", "events"] {
            assert_eq!(found[name], 5, "{name}: {found:#}");
        }
        assert_eq!(found["effects"][1]["consumer"], "journal");
        assert_eq!(found["effects"][1]["on_the_way"], 5);
        app.execute(APPLIED).await;
        let found = verify(&app.database_url, &[]).await;
        assert_eq!(
            (found.code, &found.json()["effects"][1]["done"]),
            (0, &5.into())
        );
    });
}

#[test]
fn each_difference_is_found_with_its_id_and_is_gone_once_mended() {
    run(async {
        let app = app_with_charges().await;
        app.execute(APPLIED).await;
        let url = &app.database_url;
        for (break_it, kind, mend_it) in BROKEN {
            app.execute(break_it).await;
            let found = verify(url, &[]).await;
            assert_eq!(found.code, 1, "{kind}: {found:?}");
            assert!(
                kinds(&found.json()).contains(&(*kind).to_owned()),
                "{kind}: {}",
                found.out
            );
            app.execute(mend_it).await;
            let found = verify(url, &[]).await;
            assert_eq!(found.code, 0, "after {kind}: {}", found.out);
        }
    });
}

#[test]
fn a_double_effect_is_named_to_people_and_the_list_is_bounded() {
    run(async {
        let app = app_with_charges().await;
        app.execute(APPLIED).await;
        app.execute(
            "INSERT INTO public.receipts (tenant, id, charge_id, subject, body)
             SELECT tenant, gen_random_uuid(), id, 'twice', 'b' FROM public.charges",
        )
        .await;
        let words = ["effects", "verify", "--until", "0s", "--limit", "2"];
        let told = oncely(&app.database_url, &words).await;
        assert_eq!(told.code, 1);
        assert!(
            told.out.contains("× receipts (2, and more)"),
            "{}",
            told.out
        );
        assert_eq!(told.out.matches("2 receipts").count(), 2, "{}", told.out);
        let id: String = app.caller().charge("k-1", 1).await.json()["id"]
            .as_str()
            .unwrap()
            .into();
        assert!(told.out.contains(&id), "{id} is not in {}", told.out);
    });
}

#[test]
fn a_range_that_is_none_or_is_forgotten_and_a_missing_schema_are_refused_in_words() {
    run(async {
        let pair = oncely::testkit::Pair::shared().await.unwrap();
        let empty = Database::create(pair.postgres.url()).await.unwrap();
        for (more, words) in [
            (
                &["--since", "1m", "--until", "2m"][..],
                "--since must be before",
            ),
            (&["--since", "30d"], "idempotency.retention"),
            (&[], "oncely migrate"),
        ] {
            let refused = oncely(empty.url(), &[&["effects", "verify"], more].concat()).await;
            assert_eq!(refused.code, 1, "{refused:?}");
            assert!(refused.complaints.contains(words), "{refused:?}");
        }
    });
}
