//! The page of the matrix is made of the same rows as the matrix.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::cell::{Cell, Fault};
use super::rows::{ROWS, left_out};

const BEGIN: &str = "<!-- rows -->\n";
const END: &str = "<!-- end of rows -->";

#[test]
fn the_page_has_a_row_for_each_point_and_names_each_cell_that_is_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/crash-matrix.md")).unwrap();
    let mut parts = page.split(BEGIN).skip(1);
    let mut next = || {
        parts
            .next()
            .and_then(|it| it.split_once(END))
            .map(|it| it.0)
    };
    let (rows, cells) = (rows(), cells());
    assert_eq!(next(), Some(rows.as_str()), "put this there:\n{rows}");
    assert_eq!(next(), Some(cells.as_str()), "put this there:\n{cells}");
    let n = format!("{} points", ROWS.len());
    assert!(page.contains(&n), "the page says that there are {n}");
}

fn rows() -> String {
    let mut text =
        "| Point | What it leaves behind | What the retry gets |\n|---|---|---|\n".to_owned();
    for row in &ROWS {
        writeln!(text, "| `{}` | {} | {} |", row.point, row.left, row.retry).unwrap();
    }
    text
}

/// The cells that make no sense, each with its reason.
fn cells() -> String {
    let mut text = "| Cell | Why there is none |\n|---|---|\n".to_owned();
    for row in &ROWS {
        for fault in Fault::ALL {
            for has_redis in [true, false] {
                let cell = Cell {
                    row,
                    fault,
                    has_redis,
                };
                if let Some(why) = left_out(&cell) {
                    writeln!(text, "| `{cell}` | {why} |").unwrap();
                }
            }
        }
    }
    text
}
