//! `POST /invoices`: made once, told once, replayed; refused for good; shown to its own tenant.

use oncely::testkit::TaxService;
use serde_json::json;

use super::world::{BOTH, asking, body, invoice};
use crate::harness::{App, Recipe, run};

#[test]
fn an_invoice_is_made_once_told_once_replayed_and_found_at_its_location() {
    run(async {
        for redis in BOTH {
            let service = TaxService::start().await.unwrap();
            let app = App::made(asking(&service).redis(redis)).await;
            let caller = app.caller();
            let first = invoice(&caller, "k-1", 1000).await;
            assert_eq!(first.status, 201, "{first:?}");
            assert_eq!(first.idempotency_status(), "created");
            assert_eq!(first.header("etag"), "\"1\"");
            let made = first.json();
            let id = made["id"].as_str().unwrap();
            assert!(id.starts_with("inv_"), "{id}");
            assert_eq!(first.header("location"), format!("/invoices/{id}"));
            let lines = json!([
                {"description": "a book", "amount": 1000}, {"description": "a bag", "amount": 5}
            ]);
            // 19 % of 1005 is 190.95.
            let expected = json!({
                "id": id, "customer": "cus_1", "country": "DE", "currency": "EUR", "lines": lines,
                "subtotal": 1005, "tax_rate_ppm": 190_000, "tax": 191, "total": 1196,
                "created_at": made["created_at"], "updated_at": made["created_at"],
            });
            assert_eq!(made, expected);

            let second = invoice(&caller, "k-1", 1000).await;
            assert_eq!(second.idempotency_status(), "replayed");
            assert_eq!(second.essence(), first.essence());
            app.flush_redis().await;
            let third = invoice(&caller, "k-1", 1000).await;
            assert_eq!(third.essence(), first.essence());
            let shown = caller.get(first.header("location")).await;
            assert_eq!((shown.status, &shown.body), (200, &first.body));
            assert_eq!(shown.header("etag"), "\"1\"");

            let [question] = &service.asked()[..] else {
                panic!("asked once");
            };
            assert_eq!((&*question.reference, question.amount), (id, 1005));
            assert_eq!((&*question.country, &*question.currency), ("DE", "EUR"));
            assert_eq!((app.n_invoices().await, app.n_lines().await), (1, 2));
            assert_eq!(app.n_told("invoice.created").await, 1);
        }
    });
}

#[test]
fn an_event_says_what_the_invoice_says_and_carries_on_the_trace() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let headers = [("idempotency-key", "k-1"), ("traceparent", trace)];
        let caller = app.caller();
        let made = caller
            .send(http::Method::POST, "/invoices", &headers, &body(1000))
            .await;
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let headers = [("traceparent", trace)];
        let path = format!("/invoices/{id}");
        let replaced = caller
            .send(http::Method::PUT, &path, &headers, &body(2000))
            .await;
        assert_eq!(replaced.status, 200, "{replaced:?}");
        for (topic, version, total) in [("invoice.created", 1, 1196), ("invoice.replaced", 2, 2386)]
        {
            let told = format!(
                "SELECT count(*) FROM oncely.outbox_event WHERE topic = '{topic}' AND aggregate = '{id}' \
                 AND headers ->> 'traceparent' = '{trace}' \
                 AND convert_from(payload, 'UTF8')::jsonb @> \
                 '{{\"invoice_id\": \"{id}\", \"version\": {version}, \"total\": {total}}}'"
            );
            assert_eq!(app.count(&told).await, 1, "{topic}");
        }
    });
}

#[test]
fn another_body_under_the_same_key_is_a_mismatch() {
    run(async {
        for redis in BOTH {
            let service = TaxService::start().await.unwrap();
            let app = App::made(asking(&service).redis(redis)).await;
            let caller = app.caller();
            assert_eq!(invoice(&caller, "k-1", 1000).await.status, 201);
            let other = invoice(&caller, "k-1", 1001).await;
            assert_eq!((other.status, &*other.code()), (422, "key-reused"));
            assert_eq!(other.idempotency_status(), "mismatch");
            assert_eq!((service.asked().len(), app.n_invoices().await), (1, 1));
        }
    });
}

#[test]
fn a_country_that_the_tax_service_refuses_is_a_stored_422_and_no_invoice() {
    run(async {
        for redis in BOTH {
            let service = TaxService::start().await.unwrap();
            let app = App::made(asking(&service).redis(redis)).await;
            let caller = app.caller();
            let nowhere = body(1000).replace("DE", "XX");
            let first = caller.post("/invoices", "k-1", &nowhere).await;
            assert_eq!((first.status, &*first.code()), (422, "tax-refused"));
            assert_eq!(first.idempotency_status(), "created");
            let problem = first.json();
            assert_eq!(problem["detail"], "No tax is known for this country.");
            assert_eq!(
                (&problem["retryable"], &problem["safe_new_key"]),
                (&json!(false), &json!(true))
            );
            let second = caller.post("/invoices", "k-1", &nowhere).await;
            assert_eq!(second.idempotency_status(), "replayed");
            assert_eq!(second.essence(), first.essence());
            assert_eq!(service.asked().len(), 1, "a refusal is not asked again");
            assert_eq!((app.n_invoices().await, app.n_lines().await), (0, 0));
            assert_eq!(app.n_told("invoice.created").await, 0);
        }
    });
}

#[test]
fn tenants_have_their_own_keys_and_invoices() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        let mine = invoice(&app.caller(), "k-1", 1000).await;
        let theirs = invoice(&app.other_tenant(), "k-1", 2000).await;
        assert_eq!((mine.status, theirs.status), (201, 201));
        let location = mine.header("location");
        let seen = app.other_tenant().get(location).await;
        assert_eq!((seen.status, &*seen.code()), (404, "not-found"));
        // The same id at another tenant is another invoice.
        let id = mine.json()["id"].as_str().unwrap().to_owned();
        let put = super::world::put(&app.other_tenant(), &id, &[], 3000).await;
        assert_eq!(put.status, 201, "{put:?}");
        let shown = app.caller().get(location).await;
        assert_eq!(shown.body, mine.body);
        assert_eq!((app.n_invoices().await, app.n_lines().await), (3, 6));
    });
}

#[test]
fn without_a_tax_service_nothing_is_claimed_and_the_setting_is_named() {
    run(async {
        let app = App::made(Recipe::default()).await;
        for reply in [
            invoice(&app.caller(), "k-1", 1000).await,
            super::world::put(&app.caller(), "inv_1", &[], 1000).await,
        ] {
            assert_eq!((reply.status, &*reply.code()), (503, "not-configured"));
            let detail = reply.json()["detail"].to_string();
            assert!(detail.contains("`tax.url`"), "{detail}");
        }
        assert_eq!(app.n_records().await, 0);
    });
}
