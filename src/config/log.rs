//! The `[log]` section: how log lines look and which are written.

use serde::{Deserialize, Serialize};

/// Log lines.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How log lines look. Default: `text`.
    ///
    /// `text` is hard on machines that collect logs, `json` on people who read them.
    pub format: Format,
    /// Which log lines are written, as `tracing` directives. Default: `info`.
    ///
    /// Too quiet: an incident leaves no trace. Too loud: the log costs more than the work.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For people.
    Text,
    /// For machines: one JSON object per line.
    Json,
}
