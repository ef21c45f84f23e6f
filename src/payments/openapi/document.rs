//! Puts the document together from routes, schemas and problem codes.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::routes::{Key, OF_ALL, OF_KEYS, ROUTES, Route};
use super::schemas::{at, schemas};
use crate::http::Code;

/// The OpenAPI 3.1 document of the API.
pub fn document() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        let operations = paths.entry(route.path).or_default();
        operations.insert(route.method.to_owned(), operation(route));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Oncely",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A payment API whose operations take effect once for each key",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" }
        },
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "It names the tenant" }
            },
            "parameters": parameters(),
            "headers": headers(),
            "responses": responses(),
            "schemas": schemas()
        }
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters = Vec::new();
    for name in route.path.split('/').filter_map(|it| it.strip_prefix('{')) {
        let name = name.trim_end_matches('}');
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "schema": { "type": "string" }
        }));
    }
    if route.key == Key::Required {
        parameters.extend(["IdempotencyKey", "OncelyAttempt", "Prefer"].map(parameter));
    }
    parameters.extend(route.conditions.iter().copied().map(parameter));
    let mut operation = json!({
        "operationId": format!("{}{}", route.method, route.path.replace(['/', '{', '}'], "_")),
        "summary": route.summary,
        "parameters": parameters,
        "responses": answers(route)
    });
    if let (Some(name), Some(operation)) = (route.body, operation.as_object_mut()) {
        let body = json!({
            "required": true, "content": { "application/json": { "schema": at(name) } }
        });
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}

fn parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// A route's answers by status: its own, and its problems.
fn answers(route: &Route) -> Value {
    let of_keys = match route.key {
        Key::Required => OF_KEYS,
        Key::Ignored => &[],
    };
    let names = OF_ALL.iter().chain(of_keys).chain(route.problems);
    let mut answers: BTreeMap<String, Value> = names
        .filter_map(|name| Code::ALL.iter().find(|it| it.as_str() == *name))
        .map(|code| {
            let status = code.status().as_u16().to_string();
            let reference = json!({ "$ref": format!("#/components/responses/Problem{status}") });
            (status, reference)
        })
        .collect();
    for good in route.success {
        answers.insert(good.0.to_string(), success(route, *good));
    }
    json!(answers)
}

fn success(route: &Route, (_, description, schema): (u16, &str, Option<&'static str>)) -> Value {
    let mut names = vec!["Idempotency-Status"];
    if route.key == Key::Required {
        names.extend([
            "Idempotent-Replayed",
            "Oncely-Original-Time",
            "Preference-Applied",
        ]);
    }
    names.extend(route.headers);
    let headers: Map<String, Value> = names
        .into_iter()
        .map(|it| {
            (
                it.to_owned(),
                json!({ "$ref": format!("#/components/headers/{it}") }),
            )
        })
        .collect();
    let mut success = json!({ "description": description, "headers": headers });
    if let (Some(name), Some(success)) = (schema, success.as_object_mut()) {
        let content = json!({ "application/json": { "schema": at(name) } });
        success.insert("content".to_owned(), content);
    }
    success
}

/// One answer for each status that problems have, with its codes.
fn responses() -> Value {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in Code::ALL {
        by_status
            .entry(code.status().as_u16())
            .or_default()
            .push(code);
    }
    let responses = by_status.into_iter().map(|(status, codes)| {
        let names: Vec<&str> = codes.iter().map(|it| it.as_str()).collect();
        let reason = StatusCode::from_u16(status)
            .ok()
            .and_then(|it| it.canonical_reason())
            .unwrap_or("Problem");
        let schema = json!({
            "allOf": [at("Problem"), { "properties": { "code": { "enum": names } } }]
        });
        let response = json!({
            "description": format!("{reason}: {}", names.join(", ")),
            "headers": {
                "Idempotency-Status": { "$ref": "#/components/headers/Idempotency-Status" },
                "Retry-After": { "$ref": "#/components/headers/Retry-After" }
            },
            "content": { "application/problem+json": { "schema": schema } }
        });
        (format!("Problem{status}"), response)
    });
    Value::Object(responses.collect())
}

fn parameters() -> Value {
    json!({
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header", "required": true,
            "description": "One key for one operation, bare or quoted; a retry carries the same one",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$" }
        },
        "OncelyAttempt": {
            "name": "Oncely-Attempt", "in": "header", "required": false,
            "description": "Which attempt this is, counted from 1",
            "schema": { "type": "integer", "minimum": 1 }
        },
        "Prefer": {
            "name": "Prefer", "in": "header", "required": false,
            "description": "wait=n: a duplicate waits up to n seconds for the answer of the one that runs",
            "schema": { "type": "string" }
        },
        "IfMatch": {
            "name": "If-Match", "in": "header", "required": false,
            "description": "Only where the resource has one of these tags",
            "schema": { "type": "string" }
        },
        "IfNoneMatch": {
            "name": "If-None-Match", "in": "header", "required": false,
            "description": "Only where the resource has none of these tags",
            "schema": { "type": "string" }
        }
    })
}

fn headers() -> Value {
    let header =
        |description: &str, schema: Value| json!({ "description": description, "schema": schema });
    let states = [
        "created",
        "replayed",
        "in-flight",
        "mismatch",
        "unknown",
        "ignored",
    ];
    json!({
        "Idempotency-Status": header("What the key came to", json!({ "type": "string", "enum": states })),
        "Idempotent-Replayed": header("There and true: this is a stored answer", json!({ "const": "true" })),
        "Oncely-Original-Time": header("On a replay: when the operation was done", json!({ "type": "string" })),
        "Retry-After": header("Seconds to wait", json!({ "type": "integer", "minimum": 1 })),
        "Preference-Applied": header("The wait that the request asked for and had", json!({ "type": "string" })),
        "ETag": header("A strong tag; it changes with each replacement", json!({ "type": "string" })),
        "Location": header("Where the new resource is", json!({ "type": "string" }))
    })
}
