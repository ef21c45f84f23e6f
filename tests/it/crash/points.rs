//! The list of fail points, the source and the matrix name the same ones.

use std::collections::BTreeSet;

use oncely::failpoint::POINTS;

use super::rows::ROWS;
use crate::tidy::tree;

/// Instants of a wait, at which nothing is written: there for the tests of `wait`, which need to know when
/// somebody waits.
const OF_WAITS: [&str; 2] = ["store.wait.begun", "store.wait.look"];

/// Every name that `reach` is called with in `text`.
fn reached(text: &str) -> impl Iterator<Item = &str> {
    text.split(".reach(").skip(1).filter_map(|rest| {
        let name = rest.trim_start().strip_prefix('"')?;
        name.split_once('"').map(|it| it.0)
    })
}

#[test]
fn every_point_of_the_source_is_in_the_list_once_and_no_other_is() {
    let sources = tree(&["src"], &["rs"]);
    let is_ours = |path: &&String| !path.starts_with("src/failpoint/");
    let texts = sources.keys().filter(is_ours).map(|it| &sources[it]);
    let mut in_source: BTreeSet<&str> = texts.flat_map(|it| reached(it)).collect();
    assert!(OF_WAITS.iter().all(|it| in_source.remove(it)));
    let in_list: BTreeSet<&str> = POINTS.iter().copied().collect();
    assert!(40 < in_list.len());
    assert_eq!(in_list.len(), POINTS.len(), "a name is there twice");
    assert_eq!(in_source, in_list);
}

#[test]
fn every_point_has_its_row_in_the_matrix() {
    let rows: Vec<&str> = ROWS.iter().map(|it| it.point).collect();
    assert_eq!(rows, POINTS);
}

#[test]
fn a_name_is_found_however_its_call_is_broken_into_lines() {
    let text = "x.reach(\"a.b\").await?; y.reach(\n    \"c.d\",\n)\nit.reach(name); breach(\"e\")";
    assert_eq!(reached(text).collect::<Vec<_>>(), ["a.b", "c.d"]);
}
