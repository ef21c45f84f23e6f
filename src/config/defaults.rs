//! The defaults: the documented example file, compiled in and read first.

use std::sync::LazyLock;

use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Value};

use super::{
    Auth, Broker, Config, Hot, Http, Idempotency, Inbox, Ledger, Log, Outbox, Processor, Tax,
};

/// The documented example. Its values are the defaults: there is no second place for them.
pub const DEFAULT_FILE: &str = include_str!("default.toml");

static TREE: LazyLock<Dict> = LazyLock::new(|| {
    Toml::from_str(DEFAULT_FILE).expect("invariant: the default file is TOML, as a test proves")
});

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    Value::from(TREE.clone())
        .deserialize()
        .expect("invariant: the default file has every field, as a test proves")
});

impl Config {
    /// The settings of somebody who has set nothing.
    pub fn defaults() -> &'static Self {
        &CONFIG
    }
}

/// The default file as a tree.
pub(super) fn tree() -> &'static Dict {
    &TREE
}

impl Default for Config {
    fn default() -> Self {
        CONFIG.clone()
    }
}

impl Default for Http {
    fn default() -> Self {
        CONFIG.http.clone()
    }
}

impl Default for Auth {
    fn default() -> Self {
        CONFIG.auth.clone()
    }
}

impl Default for Idempotency {
    fn default() -> Self {
        CONFIG.idempotency.clone()
    }
}

impl Default for Hot {
    fn default() -> Self {
        CONFIG.hot.clone()
    }
}

impl Default for Ledger {
    fn default() -> Self {
        CONFIG.ledger.clone()
    }
}

impl Default for Log {
    fn default() -> Self {
        CONFIG.log.clone()
    }
}

impl Default for Broker {
    fn default() -> Self {
        CONFIG.broker.clone()
    }
}

impl Default for Outbox {
    fn default() -> Self {
        CONFIG.outbox.clone()
    }
}

impl Default for Processor {
    fn default() -> Self {
        CONFIG.processor.clone()
    }
}

impl Default for Tax {
    fn default() -> Self {
        CONFIG.tax.clone()
    }
}

impl Default for Inbox {
    fn default() -> Self {
        CONFIG.inbox.clone()
    }
}
