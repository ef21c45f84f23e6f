//! What one process does of what there is to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the three things that `oncely serve` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Answers requests.
    Api,
    /// Publishes events.
    Relay,
    /// Acts on events.
    Consumer,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "api",
            Self::Relay => "relay",
            Self::Consumer => "consumer",
        })
    }
}
