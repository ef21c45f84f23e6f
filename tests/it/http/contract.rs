//! `docs/http-api.md` says what the code does, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::IntoResponse;
use http_body_util::BodyExt;
use oncely::http::{Code, Problem};
use oncely::payments::DECLINED_SOURCES;
use serde_json::Value;

use crate::harness::run;

const PAGE: &str = include_str!("../../../docs/http-api.md");

/// The rows of the table under a heading, cell by cell, without the table's own head.
fn table(heading: &str) -> Vec<Vec<String>> {
    let (_, section) = PAGE
        .split_once(&format!("\n## {heading}\n"))
        .expect("the page has this heading");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|it| it.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|it| it.trim().replace('`', "")).collect()
    })
    .collect()
}

async fn document(code: Code) -> (Value, http::HeaderMap) {
    let response = Problem::new(code, "Said to people.").into_response();
    let headers = response.headers().clone();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (serde_json::from_slice(&body).unwrap(), headers)
}

#[test]
fn every_problem_has_every_member_and_its_own_text() {
    run(async {
        let mut titles = BTreeSet::new();
        for code in Code::ALL {
            let (problem, headers) = document(code).await;
            let members: Vec<_> = problem.as_object().unwrap().keys().cloned().collect();
            assert_eq!(
                members,
                [
                    "code",
                    "detail",
                    "instance",
                    "retry_same_key",
                    "retryable",
                    "safe_new_key",
                    "status",
                    "title",
                    "type"
                ]
            );
            assert_eq!(problem["code"], code.as_str());
            assert_eq!(
                problem["type"],
                format!("urn:oncely:problem:{}", code.as_str())
            );
            assert_eq!(problem["status"], code.status().as_u16());
            assert_eq!(headers["content-type"], "application/problem+json");
            assert_eq!(headers["cache-control"], "no-store");
            assert!(headers.contains_key("idempotency-status"));
            assert!(titles.insert(problem["title"].to_string()), "{problem}");
        }
        assert_eq!(titles.len(), Code::ALL.len());
    });
}

#[test]
fn the_page_lists_every_problem_code_as_it_is() {
    run(async {
        let yes = |it: &Value| if it.as_bool().unwrap() { "yes" } else { "no" }.to_owned();
        let mut expected = BTreeMap::new();
        for code in Code::ALL {
            let (problem, headers) = document(code).await;
            let text = |name: &str| {
                headers
                    .get(name)
                    .map_or("", |it| it.to_str().unwrap())
                    .to_owned()
            };
            let row = vec![
                problem["status"].to_string(),
                text("idempotency-status"),
                text("retry-after"),
                yes(&problem["retryable"]),
                yes(&problem["retry_same_key"]),
                yes(&problem["safe_new_key"]),
                problem["title"].as_str().unwrap().to_owned(),
            ];
            expected.insert(code.as_str().to_owned(), row);
        }
        let rows = table("Problem codes").into_iter();
        let listed: BTreeMap<_, _> = rows
            .map(|row| (row[0].clone(), row[1..].to_vec()))
            .collect();
        assert_eq!(listed, expected);
    });
}

#[test]
fn the_page_lists_every_test_source_as_it_is() {
    let expected: BTreeSet<_> = DECLINED_SOURCES
        .iter()
        .map(|(source, reason)| {
            vec![
                (*source).to_owned(),
                "402 card-declined".to_owned(),
                (*reason).to_owned(),
            ]
        })
        .collect();
    let rows = table("Test sources").into_iter();
    let declined: BTreeSet<_> = rows.filter(|row| row[1] != "201").collect();
    assert_eq!(declined, expected);
    assert!(
        table("Test sources")
            .iter()
            .any(|row| row[0] == "tok_visa" && row[1] == "201")
    );
}
