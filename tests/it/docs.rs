//! The documents: links lead somewhere, the README's code is the example's, and each guarantee
//! names a test that exists or says that it is open.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::tidy::tree;

/// Pages at the root of the package; the others are in `docs`.
const PAGES: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "runbook.md",
    "docs",
];

fn pages() -> BTreeMap<String, String> {
    tree(PAGES, &["md"])
}

fn page(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap()
}

#[test]
fn every_link_leads_to_a_file_and_an_anchor_that_exist() {
    let pages = pages();
    assert!(
        pages.contains_key("docs/guarantees.md"),
        "the walk found nothing"
    );
    let exists = |path: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists();
    let mut dead = Vec::new();
    for (path, text) in &pages {
        dead.extend(dead_links(path, text, &pages, exists));
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn the_doctor_sends_nobody_to_a_section_that_does_not_exist() {
    let sections = anchors(&page("runbook.md"));
    let named = oncely::cli::RUNBOOK_ANCHORS;
    let lost: Vec<_> = named.iter().filter(|it| !sections.contains(**it)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn the_code_of_the_readme_is_part_of_the_examples_that_compile() {
    let readme = page("README.md");
    let examples = ["axum_route", "events", "client"].map(|it| page(&format!("examples/{it}.rs")));
    let blocks: Vec<_> = readme.split("```rust\n").skip(1).collect();
    assert_eq!(blocks.len(), examples.len(), "each example is shown");
    for (block, example) in blocks.iter().zip(examples) {
        let code = block.split("```").next().unwrap();
        assert!(9 < code.lines().count(), "the README lost its example");
        assert!(example.contains(code), "{code}");
    }
}

#[test]
fn every_guarantee_names_a_test_that_exists_or_is_open() {
    let complaints = unproved(&page("docs/guarantees.md"), &tests());
    assert!(
        complaints.is_empty(),
        "unproved:\n{}",
        complaints.join("\n")
    );
}

/// The lines of `text` outside its fences.
fn prose(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect()
}

fn dead_links(
    path: &str,
    text: &str,
    pages: &BTreeMap<String, String>,
    exists: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut dead = Vec::new();
    for link in prose(text).into_iter().flat_map(links) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = if file.is_empty() {
            path.to_owned()
        } else {
            joined(path, file)
        };
        let has_anchor = || {
            pages
                .get(&target)
                .is_some_and(|it| anchors(it).contains(anchor))
        };
        if !exists(&target) || (!anchor.is_empty() && !has_anchor()) {
            dead.push(format!("{path}: {link}"));
        }
    }
    dead
}

/// The targets of the links in one line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let parts = line.split("](").skip(1);
    parts.filter_map(|it| it.split_once(')').map(|(link, _)| link))
}

/// `link` as seen from the page at `path`.
fn joined(path: &str, link: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => (),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchors of a page, as the usual renderers make them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).into_iter().filter(|it| it.starts_with('#'));
    let slug = |heading: &str| -> String {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect()
    };
    headings.map(slug).collect()
}

/// All tests, by the path that `cargo test` calls them by.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for (path, text) in tree(&["tests/it", "src"], &["rs"]) {
        let module = path
            .trim_start_matches("tests/it/")
            .trim_start_matches("src/");
        let module = module
            .trim_end_matches(".rs")
            .trim_end_matches("/mod")
            .replace('/', "::");
        let inner = if path.starts_with("src/") {
            "tests::"
        } else {
            ""
        };
        let names = tests_in(&text);
        tests.extend(names.map(|it| format!("{module}::{inner}{it}")));
    }
    tests
}

/// The names of the functions that an attribute makes tests.
fn tests_in(text: &str) -> impl Iterator<Item = String> {
    let mut is_test = false;
    text.lines().map(str::trim).filter_map(move |line| {
        is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
        let declared = line
            .strip_prefix("fn ")
            .or_else(|| line.strip_prefix("async fn "));
        let was_test = declared.is_some() && std::mem::take(&mut is_test);
        let name = declared.filter(|_| was_test)?.split(['(', '<']).next()?;
        Some(name.to_owned())
    })
}

/// The number of the last row.
const LAST: u32 = 107;

/// What is wrong with the tables of guarantees: each row that begins with a number ends with its
/// proof.
fn unproved(text: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut numbers = Vec::new();
    for line in prose(text) {
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").collect();
        let Ok(number) = cells[0].trim().parse::<u32>() else {
            continue;
        };
        numbers.push(number);
        let proof = cells.last().unwrap();
        let named: Vec<&str> = proof.split('`').filter(|it| it.contains("::")).collect();
        if named.is_empty() && !proof.contains("**open**") {
            complaints.push(format!("row {number} has neither a test nor **open**"));
        }
        let lost = named.iter().filter(|it| !tests.contains(**it));
        complaints.extend(lost.map(|it| format!("row {number}: there is no test {it}")));
    }
    if numbers != (1..=LAST).collect::<Vec<_>>() {
        complaints.push(format!("the rows are not 1 to {LAST}: {numbers:?}"));
    }
    complaints
}

#[test]
fn a_dead_link_is_found() {
    let target = "# Top\n\n## Who's `there`?\n\n```\n# no heading\n```\n";
    let pages = BTreeMap::from([("docs/b.md".to_owned(), target.to_owned())]);
    let exists = |path: &str| path == "docs/b.md" || path == "README.md";
    for (link, is_dead) in [
        ("b.md", false),
        ("../README.md", false),
        ("./b.md#whos-there", false),
        ("https://example.com/x#y", false),
        ("c.md", true),
        ("b.md#no-heading", true),
        ("b.md#top2", true),
        ("#top", true),
    ] {
        let text = format!("see [it]({link}).\n```\n[code](nowhere)\n```");
        let dead = dead_links("docs/a.md", &text, &pages, exists);
        assert_eq!(!dead.is_empty(), is_dead, "{link}: {dead:?}");
    }
}

#[test]
fn a_guarantee_without_a_proof_is_found() {
    let tests = BTreeSet::from(["faults::there".to_owned()]);
    let rows = |first: &str| -> String {
        let rest = (2..=LAST).map(|it| format!("\n| {it} | x | **open** (B) |"));
        format!(
            "| # | fault | proof |\n|---|---|---|\n| 1 | x | {first} |{}",
            rest.collect::<String>()
        )
    };
    assert!(unproved(&rows("`faults::there`"), &tests).is_empty());
    assert!(unproved(&rows("**open**"), &tests).is_empty());
    assert_eq!(unproved(&rows("`faults::gone`"), &tests).len(), 1);
    assert_eq!(unproved(&rows("by design"), &tests).len(), 1);
    let without_last = rows("**open**").replace(&format!("| {LAST} |"), "| ninety-one |");
    assert_eq!(unproved(&without_last, &tests).len(), 1);
}

#[test]
fn this_list_of_tests_knows_tests_by_their_path() {
    let tests = tests();
    assert!(tests.contains("docs::this_list_of_tests_knows_tests_by_their_path"));
    assert!(tests.contains("domain::scope::tests::the_identity_never_changes"));
    assert!(!tests.contains("docs::tests_in"), "that is no test");
}

#[test]
fn a_function_is_a_test_only_where_an_attribute_says_so() {
    let text = "fn a() {}\n#[test]\nfn b() {}\nfn c() {}\n    #[tokio::test(flavor = \"x\")]\n    \
                #[expect(dead_code)]\n    async fn d() {}\n    async fn e<T>() {}\n// fn f() {}\n";
    assert_eq!(tests_in(text).collect::<Vec<_>>(), ["b", "d"]);
}
