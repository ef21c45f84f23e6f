//! The runbook as a text that can be run: its sections, and the commands and queries in them.

use std::fs;
use std::path::{Path, PathBuf};

/// What a block of the runbook is for: the words after its fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A command that looks.
    Check,
    /// A command that mends.
    Fix,
    /// A command that keeps running.
    Start,
    /// A query that says that it is real.
    Real,
    /// A query that is empty when it is over.
    Done,
}

/// One block.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) kind: Kind,
    /// Whether its command may fail, or hang: that too is an answer.
    pub(super) may_fail: bool,
    pub(super) may_hang: bool,
    pub(super) text: String,
}

/// A section, by its title; what comes before the first alert is one too.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) blocks: Vec<Block>,
}

/// A file of the repository.
pub(super) fn file(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(Path::new(path))).unwrap()
}

/// The runbook's sections.
pub(super) fn sections() -> Vec<Section> {
    parse(&file("runbook.md"))
}

/// The section of an alert.
pub(super) fn section(alert: &str) -> Section {
    let found = sections().into_iter().find(|it| it.title == alert);
    found.unwrap_or_else(|| panic!("the runbook has no section {alert}"))
}

impl Section {
    /// The texts of the blocks of one kind.
    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |it| it.kind == kind)
    }

    /// The query that is empty when it is over.
    pub(super) fn done(&self) -> String {
        let mut done = self.all(Kind::Done);
        let query = done.next().expect("a section says when it is over");
        assert!(done.next().is_none(), "{}: once", self.title);
        query.text.clone()
    }
}

/// The sections of a page.
pub(super) fn parse(page: &str) -> Vec<Section> {
    let mut sections = Vec::new();
    for part in format!("\n{page}").split("\n## ").skip(1) {
        let (title, text) = part.split_once('\n').unwrap_or((part, ""));
        sections.push(Section {
            title: title.trim().to_owned(),
            text: text.to_owned(),
            blocks: blocks(text),
        });
    }
    sections
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Vec<&str>)> = None;
    for line in text.lines().map(str::trim_start) {
        match (line.strip_prefix("```"), open.take()) {
            (Some(info), None) => open = Some((info.to_owned(), Vec::new())),
            (Some(_), Some((info, lines))) => blocks.extend(block(&info, &lines)),
            (None, Some((info, mut lines))) => {
                lines.push(line);
                open = Some((info, lines));
            }
            (None, None) => (),
        }
    }
    blocks
}

fn block(info: &str, lines: &[&str]) -> Option<Block> {
    let mut words = info.split(' ');
    let kind = match (words.next()?, words.next()?) {
        ("sh", "check") => Kind::Check,
        ("sh", "fix") => Kind::Fix,
        ("sh", "start") => Kind::Start,
        ("promql", "real") => Kind::Real,
        ("promql", "done") => Kind::Done,
        other => panic!("what is a block {other:?}?"),
    };
    let rest: Vec<&str> = words.collect();
    Some(Block {
        kind,
        may_fail: rest.contains(&"may-fail"),
        may_hang: rest.contains(&"may-hang"),
        text: lines.join("\n"),
    })
}

#[test]
fn a_page_falls_into_sections_and_blocks() {
    let page = "# T\n\n## First\n\n```sh check may-fail\nls\n```\n\n   ```promql done\n   up == 0\n   ```\n\n```text\nx\n```\n## Second\nno\n";
    let sections = parse(page);
    assert_eq!(sections.len(), 2);
    let first = &sections[0];
    assert_eq!(first.title, "First");
    let [check, done] = &first.blocks[..] else {
        panic!("{first:?}");
    };
    assert_eq!((check.kind, &*check.text), (Kind::Check, "ls"));
    assert!(check.may_fail && !check.may_hang);
    assert_eq!((done.kind, &*done.text), (Kind::Done, "up == 0"));
    assert!(sections[1].blocks.is_empty());
}
