//! What stays of a storm: `report.html` for people, `report.json` for programs, and the histories.

mod page;
mod plots;
mod svg;
mod write;

pub(super) use write::write_history;
pub(crate) use write::write_report;
