//! The shape of the source: floors, rooms kept apart, headers, lengths, names, stray files.
//!
//! A rule that nothing enforces decays into a wish. Each rule is a function over a path and a
//! text, run over the whole tree and over a stub that breaks it: a rule that can't fail is none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const LINES_MAX: usize = 400;

/// The floors, ground first. A room uses its own floor and those below it, never one above.
const FLOORS: &[&[&str]] = &[
    &["domain"],
    &[
        "clock",
        "backoff",
        "breaker",
        "shutdown",
        "failpoint",
        "history",
        "servers",
        "proxy",
        "sandbox",
    ],
    &["config", "telemetry"],
    &["hot", "ledger", "client"],
    &["store"],
    &["outbox", "broker", "inbox", "audit"],
    &["http"],
    &["payments"],
    &["storm"],
    &["app", "cli"],
    &["testkit"],
];

/// What stands outside the house: the floor plan and the doors to the street.
const UNRANKED: &[&str] = &["lib", "main", "bin"];

/// Rooms that must not know each other, whatever their floors: (room, must not use).
const APART: &[(&str, &str)] = &[
    ("hot", "ledger"),
    ("ledger", "hot"),
    ("client", "store"),
    ("client", "hot"),
    ("client", "ledger"),
    ("outbox", "inbox"),
    ("inbox", "outbox"),
];

/// Names that say nothing about what is inside.
const NAMELESS: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "types", "models", "manager", "managers",
    "service", "services",
];

/// The only rooms that may read the environment of the process.
const READS_ENVIRONMENT: &[&str] = &[
    "src/config/",
    "src/servers/",
    "src/testkit/",
    "src/bin/oncely-testkit.rs",
];

/// A rule: what is wrong with the text at this path.
pub(crate) type Rule = fn(&str, &str) -> Vec<String>;

const RULES: &[Rule] = &[header, length, name, floors, apart, environment];

#[test]
fn the_source_is_tidy() {
    let files = tree(&["src", "tests", "benches"], &["rs"]);
    assert!(files.contains_key("src/lib.rs"), "the walk found nothing");
    let mut complaints = complaints(&files, RULES);
    complaints.extend(unreached(&files));
    assert!(complaints.is_empty(), "untidy:\n{}", complaints.join("\n"));
}

/// Applies every rule to every file.
pub(crate) fn complaints(files: &BTreeMap<String, String>, rules: &[Rule]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in files {
        for rule in rules {
            let wrong = rule(path, text).into_iter();
            complaints.extend(wrong.map(|it| format!("{path}: {it}")));
        }
    }
    complaints
}

/// The files below `folders` of the package, by path, that end in one of `endings`.
pub(crate) fn tree(folders: &[&str], endings: &[&str]) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeMap::new();
    let mut open: Vec<_> = folders.iter().map(|it| root.join(it)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|it| it.unwrap().path()));
            continue;
        }
        let fits = path
            .extension()
            .is_some_and(|it| endings.iter().any(|ending| it == *ending));
        if fits && path.is_file() {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    files
}

fn header(_: &str, text: &str) -> Vec<String> {
    let first = text.lines().next().unwrap_or_default();
    let says = first
        .strip_prefix("//! ")
        .is_some_and(|it| !it.trim().is_empty());
    complain_if(
        !says,
        "the first line must be `//!` and a sentence that says what this is for",
    )
}

fn length(_: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    complain_if(
        LINES_MAX < lines,
        &format!("{lines} lines, at most {LINES_MAX}: a file that grows is asking for a verb"),
    )
}

fn name(path: &str, _: &str) -> Vec<String> {
    let parts = path.trim_end_matches(".rs").split('/');
    let nameless = parts.filter(|it| NAMELESS.contains(it));
    nameless
        .map(|it| format!("`{it}` is no name: say what it is, or leave it where it is used"))
        .collect()
}

fn floors(path: &str, text: &str) -> Vec<String> {
    let Some(room) = room_of(path).filter(|it| !UNRANKED.contains(it)) else {
        return Vec::new();
    };
    let Some(own) = floor_of(room) else {
        return vec![format!(
            "`{room}` stands on no floor: give it one in tests/it/tidy.rs"
        )];
    };
    let above = rooms_used(path, text)
        .into_iter()
        .filter(|it| floor_of(it).is_some_and(|floor| own < floor));
    above
        .map(|it| format!("reaches up to `{it}`: move what both need down a floor"))
        .collect()
}

fn apart(path: &str, text: &str) -> Vec<String> {
    let Some(room) = room_of(path) else {
        return Vec::new();
    };
    let used = rooms_used(path, text);
    let broken = APART
        .iter()
        .filter(|(one, other)| *one == room && used.contains(*other));
    broken
        .map(|(one, other)| format!("`{one}` must not know `{other}`: what both need moves down"))
        .collect()
}

fn environment(path: &str, text: &str) -> Vec<String> {
    let may = !path.starts_with("src/") || READS_ENVIRONMENT.iter().any(|it| path.starts_with(it));
    let reads = code(text).contains("env::var");
    complain_if(
        !may && reads,
        "only src/config reads the environment: take a section by value",
    )
}

fn complain_if(wrong: bool, complaint: &str) -> Vec<String> {
    if wrong {
        vec![complaint.to_owned()]
    } else {
        Vec::new()
    }
}

/// The first name below `src`: `hot` for `src/hot/acquire.rs`, `clock` for `src/clock.rs`.
fn room_of(path: &str) -> Option<&str> {
    path.strip_prefix("src/")?.split(['/', '.']).next()
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The text without comment lines, which may point anywhere.
fn code(text: &str) -> String {
    let lines = text.lines().filter(|it| !it.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The rooms that a file names after `crate::`, or after `super::` where that is the crate.
fn rooms_used(path: &str, text: &str) -> BTreeSet<String> {
    let code = code(text);
    let depth = path.matches('/').count();
    let is_root = depth == 1 || (depth == 2 && path.ends_with("/mod.rs"));
    let mut used: BTreeSet<String> = code.split("crate::").skip(1).flat_map(heads).collect();
    if is_root {
        used.extend(code.split("super::").skip(1).flat_map(heads));
    }
    used
}

/// The first names of a path or of a group of paths: `a` and `b` of `{a::x, b::{y, z}}`.
fn heads(path: &str) -> Vec<String> {
    let head = |it: &str| -> String {
        let name = it.trim_start().chars();
        name.take_while(|it| it.is_alphanumeric() || *it == '_')
            .collect()
    };
    let Some(group) = path.trim_start().strip_prefix('{') else {
        return vec![head(path)];
    };
    let mut branches = vec![String::new()];
    let mut depth = 0;
    for letter in group.chars() {
        match letter {
            '}' if depth == 0 => break,
            ',' if depth == 0 => branches.push(String::new()),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 0 => branches.last_mut().unwrap().push(letter),
            _ => (),
        }
    }
    branches.iter().map(|it| head(it)).collect()
}

/// Files that no `mod` reaches: nobody compiles them, so nothing of them is checked.
fn unreached(files: &BTreeMap<String, String>) -> Vec<String> {
    let is_crate = |path: &str| {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        matches!(folder, "src/bin" | "tests" | "benches")
            || matches!(path, "src/lib.rs" | "src/main.rs")
            || (matches!(file, "main.rs" | "lib.rs") && !folder.starts_with("src"))
    };
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> = files.keys().filter(|it| is_crate(it)).cloned().collect();
    while let Some(path) = open.pop() {
        let Some(text) = files.get(&path) else {
            continue;
        };
        let (folder, file) = path.rsplit_once('/').unwrap();
        let home = if is_crate(&path) || file == "mod.rs" {
            folder.to_owned()
        } else {
            path.trim_end_matches(".rs").to_owned()
        };
        for child in modules(text) {
            open.push(format!("{home}/{child}.rs"));
            open.push(format!("{home}/{child}/mod.rs"));
        }
        reached.insert(path);
    }
    let lost = files.keys().filter(|it| !reached.contains(*it));
    lost.map(|it| format!("{it}: no `mod` reaches this file"))
        .collect()
}

/// The modules that a file declares and other files hold.
fn modules(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let declared = line.strip_suffix(';')?;
        let (before, name) = declared.rsplit_once("mod ").unwrap_or(("no", ""));
        (before.is_empty() || before.starts_with("pub")).then_some(name)
    })
}

#[test]
fn a_file_without_a_header_is_untidy() {
    for text in ["fn main() {}", "//!\nfn main() {}", "// A comment.\n", ""] {
        assert_eq!(header("src/clock.rs", text).len(), 1, "{text}");
    }
    assert!(header("src/clock.rs", "//! Says what it is for.\n").is_empty());
}

#[test]
fn a_long_file_is_untidy() {
    assert!(length("src/clock.rs", &"\n".repeat(LINES_MAX)).is_empty());
    assert_eq!(length("src/clock.rs", &"\n".repeat(LINES_MAX + 1)).len(), 1);
}

#[test]
fn a_name_that_says_nothing_is_untidy() {
    for path in [
        "src/util.rs",
        "src/hot/helpers.rs",
        "tests/it/common/mod.rs",
    ] {
        assert_eq!(name(path, "").len(), 1, "{path}");
    }
    assert!(name("src/hot/acquire.rs", "").is_empty());
}

#[test]
fn reaching_up_a_floor_is_untidy() {
    let up = [
        ("src/domain/key.rs", "use crate::config::Hot;"),
        (
            "src/hot/acquire.rs",
            "use crate::{domain::Key, store::{self, Error}};",
        ),
        (
            "src/hot/acquire.rs",
            "use crate::{\n    domain::{Key, Claim},\n    http,\n};",
        ),
        ("src/config/mod.rs", "fn f() { crate::cli::run() }"),
        ("src/config/mod.rs", "use super::hot;"),
        ("src/clock.rs", "use super::hot;"),
        ("src/attic/mod.rs", "//! A room that nobody gave a floor."),
    ];
    for (path, text) in up {
        assert_eq!(floors(path, text).len(), 1, "{path}: {text}");
    }
    let right = [
        ("src/store/mod.rs", "use crate::{domain::Key, hot, ledger};"),
        (
            "src/domain/key.rs",
            "//! Used by [`crate::store`].\n// And by crate::http.",
        ),
        ("src/cli/arguments.rs", "use super::testkit;"),
        ("src/testkit/mod.rs", "use crate::cli;"),
        ("src/bin/oncely-testkit.rs", "use crate::testkit;"),
        ("src/lib.rs", "pub use crate::store;"),
        ("tests/it/tidy.rs", "use crate::testkit;"),
    ];
    for (path, text) in right {
        assert_eq!(floors(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn rooms_that_know_each_other_though_they_must_not_are_untidy() {
    for (one, other) in APART {
        let path = format!("src/{one}/acquire.rs");
        let text = format!("use crate::{{domain::Key, {other}::Error}};");
        assert_eq!(apart(&path, &text).len(), 1, "{one}, {other}");
    }
    assert!(apart("src/store/acquire.rs", "use crate::{hot, ledger};").is_empty());
}

#[test]
fn reading_the_environment_outside_its_room_is_untidy() {
    let text = "let path = std::env::var_os(\"PATH\");";
    assert_eq!(environment("src/cli/serve.rs", text).len(), 1);
    assert!(environment("src/config/load.rs", text).is_empty());
    assert!(environment("tests/it/cli.rs", text).is_empty());
}

#[test]
fn a_file_that_no_mod_reaches_is_untidy() {
    let files = [
        (
            "src/lib.rs",
            "pub mod clock;\npub(crate) mod hot;\n// mod lost;\nmod inline {}",
        ),
        ("src/clock.rs", ""),
        ("src/hot/mod.rs", "mod acquire;\nuse crate::some_mod;"),
        ("src/hot/acquire.rs", ""),
        ("src/hot/lost.rs", ""),
        ("src/lost.rs", ""),
        ("src/main.rs", ""),
        ("src/bin/oncely-testkit.rs", ""),
        ("tests/it/main.rs", "mod tidy;"),
        ("tests/proof/src/lib.rs", "mod model;"),
        ("tests/proof/src/model.rs", ""),
        ("tests/it/tidy.rs", ""),
        ("tests/it/lost/mod.rs", ""),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let lost = unreached(&BTreeMap::from(files));
    assert_eq!(lost.len(), 3, "{lost:?}");
    assert!(lost.iter().all(|it| it.contains("lost")), "{lost:?}");
}
