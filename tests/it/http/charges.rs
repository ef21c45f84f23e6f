//! The public contract of charges.

use http::Method;

use crate::harness::{App, charge_body, run};

#[test]
fn a_charge_is_answered_as_the_contract_says_and_can_be_read_at_its_location() {
    run(async {
        let app = App::start().await;
        let body = r#"{"amount": 4200, "currency": "USD", "source": "tok_visa", "sku": "sku-1", "quantity": 2}"#;
        let reply = app.caller().post("/charge", "k-1", body).await;
        assert_eq!(reply.status, 201);
        assert_eq!(reply.header("content-type"), "application/json");
        let charge = reply.json();
        let id = charge["id"].as_str().unwrap().to_owned();
        assert!(id.starts_with("ch_"), "{id}");
        assert_eq!(reply.header("location"), format!("/charge/{id}"));
        let mut shown = charge.clone();
        (shown["id"], shown["created_at"]) = ("ch_…".into(), "…".into());
        insta::assert_json_snapshot!(shown, @r#"
        {
          "amount": 4200,
          "created_at": "…",
          "currency": "USD",
          "id": "ch_…",
          "quantity": 2,
          "sku": "sku-1",
          "source": "tok_visa",
          "status": "succeeded"
        }
        "#);
        let read = app.caller().get(reply.header("location")).await;
        assert_eq!((read.status, read.json()), (200, charge.clone()));
        assert_eq!(read.idempotency_status(), "ignored");
        let time = charge["created_at"].as_str().unwrap();
        let n_rows = app
            .count(&format!("SELECT count(*) FROM public.charges WHERE created_at = '{time}' AND id = '{id}' AND tenant = 'demo'"))
            .await;
        assert_eq!(n_rows, 1);
    });
}

#[test]
fn members_that_were_not_sent_are_not_answered() {
    run(async {
        let app = App::start().await;
        let charge = app.caller().charge("k-1", 1).await.json();
        let names: Vec<_> = charge.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            names,
            ["amount", "created_at", "currency", "id", "source", "status"]
        );
    });
}

#[test]
fn a_charge_is_shown_to_its_own_tenant_only() {
    run(async {
        let app = App::start().await;
        let location = app
            .caller()
            .charge("k-1", 4200)
            .await
            .header("location")
            .to_owned();
        assert_eq!(app.caller().get(&location).await.status, 200);
        let head = app.caller().send(Method::HEAD, &location, &[], "").await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        let foreign = app.other_tenant().get(&location).await;
        assert_eq!(
            (foreign.status, foreign.code().as_str()),
            (404, "not-found")
        );
        for path in [
            "/charge/ch_none",
            "/charge/%00",
            "/charge/%ff",
            "/charge/%F0%9F%92%B8",
        ] {
            let unknown = app.caller().get(path).await;
            assert_eq!(
                (unknown.status, unknown.code().as_str()),
                (404, "not-found"),
                "{path}"
            );
            assert_eq!(unknown.json()["detail"], foreign.json()["detail"], "{path}");
        }
        let long = format!("/charge/{}", "c".repeat(5000));
        assert_eq!(app.caller().get(&long).await.code(), "not-found");
    });
}

#[test]
fn the_largest_amount_is_charged_to_the_last_digit() {
    run(async {
        let app = App::start().await;
        let reply = app.caller().charge("k-1", i64::MAX).await;
        let text = std::str::from_utf8(&reply.body).unwrap();
        assert!(text.contains("\"amount\":9223372036854775807"), "{text}");
        assert_eq!(app.n_charges_of(i64::MAX).await, 1);
        let next = app.caller().charge("k-1", i64::MAX - 1).await;
        assert_eq!(next.code(), "key-reused");
    });
}

#[test]
fn unknown_members_change_nothing_and_still_count_as_part_of_the_request() {
    run(async {
        let app = App::start().await;
        let with = |memo: &str| charge_body(4200).replace('}', &format!(r#", "memo": "{memo}"}}"#));
        let first = app.caller().post("/charge", "k-1", &with("a")).await;
        assert_eq!(first.status, 201);
        assert_eq!(first.json().get("memo"), None);
        let other = app.caller().post("/charge", "k-1", &with("b")).await;
        assert_eq!((other.status, other.code().as_str()), (422, "key-reused"));
    });
}
