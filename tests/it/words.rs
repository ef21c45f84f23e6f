//! Words that must not stand in the repository, and the names of migrations.
//!
//! The words are spelled in two halves here, because this file is read as well.

use crate::tidy::{Rule, complaints, tree};

/// What must not stand in a text: (the needle, what to do instead).
const BANNED: &[(&str, &str)] = &[
    (
        concat!("select", " *"),
        "list the columns, so that old code survives a new one",
    ),
    (concat!("super::", "super"), "write the path from `crate::`"),
    (
        concat!("fn ", "test_"),
        "name the test as a sentence about behavior",
    ),
    (
        concat!("#[", "ignore"),
        "a test that is not run rots: run it or delete it",
    ),
    (concat!("dbg", "!"), "take it out again"),
];

/// Words that stand for something unfinished.
const UNFINISHED: &[&str] = &[concat!("FIX", "ME"), concat!("X", "XX")];

/// Locks that outlive their transaction, and with a pooler in between find no way back.
const SESSION_LOCKS: &[&str] = &[
    concat!("pg_advisory", "_lock"),
    concat!("pg_try_advisory", "_lock"),
    concat!("pg_advisory", "_unlock"),
];

/// Where people and machines live, and nobody else finds anything.
const MACHINE: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
];

/// What a migration may do, the first word of its name.
const VERBS: &[&str] = &[
    "add",
    "alter",
    "backfill",
    "create",
    "drop",
    "grant",
    "index",
    "move",
    "partition",
    "rename",
    "revoke",
    "seed",
    "set",
    "split",
    "validate",
];

const RULES: &[Rule] = &[banned, unfinished, promise, session_locks];

#[test]
fn the_words_are_chosen() {
    let folders = ["src", "tests", "benches", "migrations", "examples"];
    let files = tree(&folders, &["rs", "sql", "lua", "toml"]);
    let mut wrong = complaints(&files, RULES);
    wrong.extend(complaints(&files, &[machine]));
    let pages = tree(
        &[
            "docs",
            "ops",
            "README.md",
            "runbook.md",
            "CONTRIBUTING.md",
            "CHANGELOG.md",
        ],
        &["md", "toml", "yaml", "yml", "json"],
    );
    wrong.extend(complaints(&pages, &[machine, promise_on_a_page]));
    wrong.extend(complaints(&tree(&["migrations"], &["sql"]), &[migration]));
    assert!(wrong.is_empty(), "ill-chosen words:\n{}", wrong.join("\n"));
}

fn banned(_: &str, text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let found = BANNED.iter().filter(|(needle, _)| text.contains(needle));
    found
        .map(|(needle, advice)| format!("`{needle}` is banned: {advice}"))
        .collect()
}

fn unfinished(_: &str, text: &str) -> Vec<String> {
    let mut found: Vec<String> = UNFINISHED
        .iter()
        .filter(|it| words(text).any(|word| word == **it))
        .map(|it| (*it).to_owned())
        .collect();
    let mark = concat!("TO", "DO");
    for (at, _) in text.match_indices(mark) {
        let issue = text[at + mark.len()..].strip_prefix("(#");
        if !issue.is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit())) {
            found.push(mark.to_owned());
        }
    }
    found
        .iter()
        .map(|it| format!("`{it}` without an issue: write `{mark}(#123): …`"))
        .collect()
}

/// Nobody can promise that: a reply may be lost after the work is done.
fn promise(_: &str, text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let joined = concat!("exac", "tlyonce");
    let words: Vec<&str> = lower
        .split(|it: char| !it.is_alphanumeric())
        .filter(|it| !it.is_empty())
        .collect();
    let apart = words
        .windows(2)
        .any(|it| it[0] == "exactly" && it[1] == "once");
    if apart
        || words
            .iter()
            .any(|it| it.contains(joined) && !it.contains("oncely"))
    {
        vec![
            "say `at-least-once delivery` or `effectively-once effect`: no more can be had"
                .to_owned(),
        ]
    } else {
        Vec::new()
    }
}

/// One page says that we do not promise it, in these words and once.
fn promise_on_a_page(path: &str, text: &str) -> Vec<String> {
    let refusal = concat!("\"Exactl", "y once\" we never say");
    if path == "docs/guarantees.md" {
        promise(path, &text.replacen(refusal, "", 1))
    } else {
        promise(path, text)
    }
}

fn session_locks(_: &str, text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let called = SESSION_LOCKS.iter().filter(|lock| {
        text.match_indices(**lock).any(|(at, _)| {
            let after = &text[at + lock.len()..];
            let after = ["_all", "_shared"]
                .iter()
                .find_map(|it| after.strip_prefix(it))
                .unwrap_or(after);
            after.trim_start().starts_with('(')
        })
    });
    called
        .map(|it| format!("`{it}` outlives its transaction: take `pg_try_advisory_xact_lock`"))
        .collect()
}

fn machine(_: &str, text: &str) -> Vec<String> {
    let found = MACHINE.iter().filter(|path| {
        text.match_indices(**path).any(|(at, _)| {
            // `src/root/` and `example.org/home/` are no paths of a machine.
            let before = text[..at].chars().next_back();
            !before.is_some_and(|it| it.is_alphanumeric() || matches!(it, '.' | '_' | '-' | '}'))
        })
    });
    found
        .map(|it| format!("`{it}` is a path of one machine"))
        .collect()
}

fn migration(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let file = path.rsplit('/').next().unwrap_or(path);
    let is_named = || {
        let (time, name) = file.strip_suffix(".sql")?.split_once('_')?;
        let (verb, object) = name.split_once('_')?;
        let is_time = time.len() == 14 && time.bytes().all(|it| it.is_ascii_digit());
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
        let is_object = !object.is_empty() && object.bytes().all(fits);
        (is_time && is_object && VERBS.contains(&verb)).then_some(())
    };
    if is_named().is_none() {
        wrong.push(format!(
            "a migration is named `<14 digits>_<verb>_<object>.sql`, the verb one of: {}",
            VERBS.join(", ")
        ));
    }
    if !text.starts_with("-- ") {
        wrong.push(
            "the first line must be a `--` comment that says what changes and why".to_owned(),
        );
    }
    wrong
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| !it.is_alphanumeric())
        .filter(|it| !it.is_empty())
}

#[test]
fn every_banned_word_is_found() {
    for (needle, _) in BANNED {
        assert_eq!(
            banned("", &format!("a\n    {needle}b")).len(),
            1,
            "{needle}"
        );
        assert_eq!(banned("", &needle.to_uppercase()).len(), 1, "{needle}");
    }
    assert!(banned("", "SELECT count(*) FROM t; fn testing() {}").is_empty());
}

#[test]
fn unfinished_work_is_found() {
    for word in UNFINISHED {
        assert_eq!(
            unfinished("", &format!("// {word}: later")).len(),
            1,
            "{word}"
        );
    }
    for text in [
        concat!("// TO", "DO: later"),
        concat!("// TO", "DO(me): later"),
        concat!("// TO", "DO(#)"),
    ] {
        assert_eq!(unfinished("", text).len(), 1, "{text}");
    }
    assert!(unfinished("", "// TODO(#12): later\nmktemp /tmp/a.XXXXXX").is_empty());
}

#[test]
fn the_promise_nobody_can_keep_is_found_in_any_spelling() {
    for (one, other) in [
        ("exactl", "y once"),
        ("exactl", "y-once"),
        ("Exactl", "yOnce"),
        ("EXACTL", "Y_ONCE"),
        ("exactl", "y\n    /// once"),
        ("is_exactl", "yonce_safe"),
    ] {
        let text = format!("{one}{other} more");
        assert_eq!(promise("", &text).len(), 1, "{text}");
    }
    assert!(promise("", "effectively-once, at least once, exactly `oncely dev`").is_empty());
}

#[test]
fn the_promise_is_found_on_every_page_and_one_page_may_refuse_it_once() {
    let refusal = concat!(
        "The effect is X. \"Exactl",
        "y once\" we never say: a caller"
    );
    let (one, other) = ("docs/guarantees.md", "README.md");
    assert!(promise_on_a_page(one, refusal).is_empty());
    assert_eq!(promise_on_a_page(other, refusal).len(), 1);
    assert_eq!(promise_on_a_page(one, &refusal.repeat(2)).len(), 1);
    let promised = concat!("it runs exactl", "y\nonce");
    assert_eq!(promise_on_a_page(one, promised).len(), 1);
}

#[test]
fn locks_of_a_session_are_found() {
    for lock in SESSION_LOCKS {
        for call in ["(1)", "_shared(1)", " (1)"] {
            assert_eq!(
                session_locks("", &format!("SELECT {lock}{call}")).len(),
                1,
                "{lock}{call}"
            );
        }
        assert!(session_locks("", &format!("why not `{lock}`")).is_empty());
    }
    assert!(session_locks("", "SELECT pg_try_advisory_xact_lock($1)").is_empty());
}

#[test]
fn paths_of_a_machine_are_found() {
    for path in MACHINE {
        assert_eq!(
            machine("", &format!("see {path}somebody/notes")).len(),
            1,
            "{path}"
        );
        assert!(machine("", &format!("https://example.org{path}x")).is_empty());
    }
}

#[test]
fn an_ill_named_or_unexplained_migration_is_found() {
    let right = "migrations/20250101000000_create_ledger.sql";
    assert!(migration(right, "-- The ledger.\nCREATE TABLE t ();").is_empty());
    assert_eq!(migration(right, "CREATE TABLE t ();").len(), 1);
    for name in [
        "1_create_ledger",
        "20250101000000_ledger",
        "20250101000000_create_",
        "20250101000000_create_Ledger",
        "20250101000000_do_things",
    ] {
        assert_eq!(
            migration(&format!("migrations/{name}.sql"), "-- It.").len(),
            1,
            "{name}"
        );
    }
}
