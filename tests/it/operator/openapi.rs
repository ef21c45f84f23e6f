//! `oncely openapi`: every route and every problem code is in the document, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use oncely::http::Code;
use serde_json::Value;

use super::world::oncely;
use crate::harness::{App, run};

const PAGE: &str = include_str!("../../../docs/http-api.md");

fn document() -> Value {
    oncely::payments::openapi()
}

/// `POST /charge` for each operation of the document.
fn described() -> BTreeSet<String> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        methods.map(move |it| format!("{} {path}", it.to_uppercase()))
    });
    operations.collect()
}

#[test]
fn the_command_prints_the_document_and_needs_no_server() {
    run(async {
        let printed = oncely("postgres://127.0.0.1:1/x", &["openapi"]).await;
        assert_eq!(printed.code, 0, "{printed:?}");
        assert_eq!(printed.json(), document());
        assert_eq!(document()["openapi"], "3.1.0");
    });
}

#[test]
fn every_route_of_the_source_and_of_the_page_is_described_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = fs::read_to_string(root.join("src/payments/mod.rs")).unwrap();
    let source: String = source.split_whitespace().collect();
    let mut routed = BTreeSet::new();
    for (call, method) in [
        (".get(\"", "GET"),
        (".post(\"", "POST"),
        (".put(\"", "PUT"),
        (".patch(\"", "PATCH"),
        (".delete(\"", "DELETE"),
    ] {
        let paths = source.split(call).skip(1);
        routed.extend(paths.map(|it| format!("{method} {}", it.split('"').next().unwrap())));
    }
    for call in source.split(".post_leased::<").skip(1) {
        let path = call.split("(\"").nth(1).unwrap().split('"').next().unwrap();
        routed.insert(format!("POST {path}"));
    }
    assert_eq!(described(), routed);

    let (_, table) = PAGE.split_once("\n## Endpoints\n").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table
        .lines()
        .filter(|it| it.starts_with("| `") && !it.contains("(admin port)"));
    let listed: BTreeSet<String> = rows
        .map(|it| it.split('`').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(described(), listed);
}

#[test]
fn the_router_knows_each_path_with_these_methods_and_no_others() {
    run(async {
        let app = App::start().await;
        for (path, methods) in document()["paths"].as_object().unwrap() {
            let asked = path.replace("{id}", "x");
            let trace = http::Method::TRACE;
            let reply = app.caller().try_send(trace, &asked, &[], "").await.unwrap();
            assert_eq!(reply.status, 405, "{path}: {reply:?}");
            let allowed = reply.header("allow").to_owned();
            let mut allowed: Vec<_> = allowed.split(',').map(str::to_lowercase).collect();
            allowed.retain(|it| it != "head");
            allowed.sort();
            let methods: Vec<_> = methods.as_object().unwrap().keys().cloned().collect();
            assert_eq!(allowed, methods, "{path}");
        }
    });
}

#[test]
fn every_problem_code_is_described_with_its_status_and_no_other() {
    let document = document();
    let schema = &document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
    let codes: Vec<_> = Code::ALL.iter().map(|it| it.as_str()).collect();
    assert_eq!(*schema, serde_json::json!(codes));
    let mut answered = BTreeSet::new();
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        let schema = &response["content"]["application/problem+json"]["schema"];
        for code in schema["allOf"][1]["properties"]["code"]["enum"]
            .as_array()
            .unwrap()
        {
            answered.insert(format!("{name} {}", code.as_str().unwrap()));
        }
    }
    let expected = Code::ALL
        .iter()
        .map(|it| format!("Problem{} {}", it.status().as_u16(), it.as_str()));
    assert_eq!(answered, expected.collect());
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.push(reference.clone());
                }
                members.values().for_each(|it| references(it, found));
            }
            Value::Array(items) => items.iter().for_each(|it| references(it, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(20 < found.len());
    for reference in found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}
