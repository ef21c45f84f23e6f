//! Bodies that are refused, by `POST` before a key is burnt and by `PUT` before anything is asked.

use http::Method;
use oncely::testkit::TaxService;

use super::world::{asking, body, invoice};
use crate::harness::{App, run};

/// What is replaced in a body that is right, with what, and what the refusal names.
const WRONG: &[(&str, &str, &str)] = &[
    ("\"cus_1\"", "\"\"", "`customer`"),
    ("\"cus_1\"", "7", "`customer`"),
    ("\"cus_1\"", "\"a\\u0000b\"", "`customer`"),
    ("\"DE\"", "\"de\"", "`country`"),
    ("\"DE\"", "\"DEU\"", "`country`"),
    ("\"EUR\"", "\"euro\"", "`currency`"),
    ("\"a bag\"", "\"\"", "`description`"),
    ("\"amount\": 5", "\"amount\": 0", "`amount`"),
    ("\"amount\": 5", "\"amount\": -5", "`amount`"),
    ("\"amount\": 5", "\"amount\": 5.5", "`lines`"),
    (
        "\"amount\": 5",
        "\"amount\": 9223372036854775808",
        "`lines`",
    ),
    // 2^62 in all, and a sum that overflows.
    (
        "\"amount\": 5",
        "\"amount\": 4611686018427386904",
        "`lines`",
    ),
    (
        "\"amount\": 5",
        "\"amount\": 9223372036854775807",
        "`lines`",
    ),
    ("\"customer\"", "\"custom\"", "`customer`"),
    ("\"lines\"", "\"rows\"", "`lines`"),
];

#[test]
fn a_wrong_body_is_refused_by_name_and_burns_no_key() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        let caller = app.caller();
        for (right, wrong, name) in WRONG {
            let body = body(1000).replace(right, wrong);
            assert!(body.contains(wrong), "{wrong}");
            let posted = caller.post("/invoices", "k-1", &body).await;
            let put = caller
                .send(Method::PUT, "/invoices/inv_1", &[], &body)
                .await;
            for reply in [posted, put] {
                assert_eq!(
                    (reply.status, &*reply.code()),
                    (400, "body-invalid"),
                    "{wrong}"
                );
                let detail = reply.json()["detail"].to_string();
                assert!(detail.contains(name), "{wrong}: {detail}");
            }
        }
        let no_lines = r#"{"customer": "c", "country": "DE", "currency": "EUR", "lines": []}"#;
        let reply = caller.post("/invoices", "k-1", no_lines).await;
        assert_eq!(reply.code(), "body-invalid");
        let one = r#"{"description": "a", "amount": 1}"#;
        let many = no_lines.replace("[]", &format!("[{}]", [one; 1001].join(",")));
        let reply = caller.post("/invoices", "k-1", &many).await;
        assert_eq!(reply.code(), "body-invalid");
        let keyless = caller
            .send(Method::POST, "/invoices", &[], &body(1000))
            .await;
        assert_eq!(keyless.code(), "key-missing");
        assert_eq!((service.asked().len(), app.n_records().await), (0, 0));
        assert_eq!(invoice(&caller, "k-1", 1000).await.status, 201);
    });
}

#[test]
fn the_largest_invoice_is_exact() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let app = App::made(asking(&service)).await;
        let reply = invoice(&app.caller(), "k-1", 4_611_686_018_427_387_902 - 4).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let made = reply.json();
        assert_eq!(made["subtotal"], 4_611_686_018_427_387_903_i64);
        // 19 % is 876220343501203701.57.
        assert_eq!(made["tax"], 876_220_343_501_203_702_i64);
        assert_eq!(made["total"], 5_487_906_361_928_591_605_i64);
    });
}

#[test]
fn a_put_of_too_much_or_of_no_json_or_to_no_id_is_refused() {
    run(async {
        let service = TaxService::start().await.unwrap();
        let recipe = asking(&service).with(|it| it.http.body_limit_bytes = 1000);
        let app = App::made(recipe).await;
        let caller = app.caller();
        let long = body(1000).replace("a book", &"b".repeat(1000));
        let reply = caller
            .send(Method::PUT, "/invoices/inv_1", &[], &long)
            .await;
        assert_eq!((reply.status, &*reply.code()), (413, "body-too-large"));
        let text = [("content-type", "text/plain")];
        let reply = caller
            .send(Method::PUT, "/invoices/inv_1", &text, &body(1000))
            .await;
        assert_eq!(reply.code(), "body-invalid");
        let long = "i".repeat(256);
        for id in ["a%20b", "a%2Fb", "%00", "%C3%A4", &long] {
            let path = format!("/invoices/{id}");
            let reply = caller.send(Method::PUT, &path, &[], &body(1000)).await;
            assert_eq!((reply.status, &*reply.code()), (404, "not-found"), "{id}");
            let reply = caller.get(&path).await;
            assert_eq!((reply.status, &*reply.code()), (404, "not-found"), "{id}");
        }
        assert_eq!((service.asked().len(), app.n_invoices().await), (0, 0));
    });
}
