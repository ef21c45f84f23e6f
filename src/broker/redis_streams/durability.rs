//! How much an acknowledged message is worth, from what the server says of itself. Pure.

use crate::broker::Durability;
use crate::config::BrokerDurability;

/// What a Redis says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Facts {
    /// `redis_version`, where it could be read.
    pub(super) version: Option<Version>,
    /// `appendonly` and `appendfsync`; `None` where `CONFIG` is forbidden.
    pub(super) append: Option<Append>,
}

/// Major, minor, patch.
pub(super) type Version = (u32, u32, u32);

/// How it writes its append-only file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Append {
    pub(super) only: String,
    pub(super) fsync: String,
}

/// A mode, and why it is no better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detected {
    pub(super) mode: Durability,
    pub(super) why: &'static str,
}

/// `broker.durability` is strict, and the broker may lose what it acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "broker.durability = \"strict\", but the broker may lose acknowledged messages in a crash ({why}); set `appendonly yes` and `appendfsync always` on it, or broker.durability = \"auto\""
)]
pub struct NotDurable {
    /// What was found at the broker.
    pub why: &'static str,
}

/// Decides the mode.
pub(super) fn decide(facts: &Facts) -> Detected {
    let hint = |why| Detected {
        mode: Durability::Hint,
        why,
    };
    let Some(append) = &facts.append else {
        return hint("CONFIG is forbidden there, so nobody can tell");
    };
    if append.only != "yes" {
        return hint("it has no append-only file");
    }
    if append.fsync == "always" {
        return Detected {
            mode: Durability::Fsynced,
            why: "appendfsync is always",
        };
    }
    if append.fsync != "everysec" {
        return hint("appendfsync leaves it to the system when to write to the disk");
    }
    match facts.version {
        None => hint("it does not tell its version"),
        Some(version) if version < (7, 2, 0) => {
            hint("appendfsync is not always, and before 7.2 there is no WAITAOF")
        }
        // redis/redis#13793: with everysec, WAITAOF answers before the fsync. It came with 7.4 and
        // was mended in 2025; 7.9 are the previews of 8.0.
        Some((7, 4, 0..=2) | (7, 9, _)) => {
            hint("appendfsync is not always, and this version's WAITAOF answers too early")
        }
        Some(_) => Detected {
            mode: Durability::Confirmed,
            why: "WAITAOF tells what is on the disk",
        },
    }
}

/// Whether the mode will do.
pub(super) fn require(wanted: BrokerDurability, found: Detected) -> Result<(), NotDurable> {
    match (wanted, found.mode) {
        (BrokerDurability::Strict, Durability::Hint) => Err(NotDurable { why: found.why }),
        (BrokerDurability::Strict, Durability::Fsynced | Durability::Confirmed)
        | (BrokerDurability::Auto, _) => Ok(()),
    }
}

/// Reads `7.4.2`, and `8.0` as 8.0.0.
pub(super) fn version(text: &str) -> Option<Version> {
    let mut parts = text.trim().split('.').map(str::parse);
    let major = parts.next()?.ok()?;
    let minor = parts.next()?.ok()?;
    let patch = parts.next().unwrap_or(Ok(0)).ok()?;
    Some((major, minor, patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(version: &str, only: &str, fsync: &str) -> Facts {
        Facts {
            version: super::version(version),
            append: Some(Append {
                only: only.to_owned(),
                fsync: fsync.to_owned(),
            }),
        }
    }

    #[test]
    fn the_mode_is_what_the_server_can_keep() {
        use Durability::{Confirmed, Fsynced, Hint};
        for (version, only, fsync, mode) in [
            ("7.0.15", "yes", "always", Fsynced),
            ("7.4.1", "yes", "always", Fsynced),
            ("7.0.15", "yes", "everysec", Hint),
            ("7.1.99", "yes", "everysec", Hint),
            ("7.2.0", "yes", "everysec", Confirmed),
            ("7.4.0", "yes", "everysec", Hint),
            ("7.4.2", "yes", "everysec", Hint),
            ("7.4.3", "yes", "everysec", Confirmed),
            ("7.9.240", "yes", "everysec", Hint),
            ("8.0.0", "yes", "everysec", Confirmed),
            ("8.0", "yes", "everysec", Confirmed),
            ("8.0.0", "yes", "no", Hint),
            ("8.0.0", "no", "always", Hint),
            ("nonsense", "yes", "everysec", Hint),
        ] {
            let found = decide(&facts(version, only, fsync));
            assert_eq!(found.mode, mode, "{version} {only} {fsync}: {}", found.why);
        }
        let forbidden = Facts {
            version: Some((8, 0, 0)),
            append: None,
        };
        assert_eq!(decide(&forbidden).mode, Hint);
    }

    #[test]
    fn strict_takes_no_hint_and_names_the_setting_and_the_cure() {
        use BrokerDurability::{Auto, Strict};
        let hint = decide(&facts("7.0.15", "no", "everysec"));
        let fsynced = decide(&facts("7.0.15", "yes", "always"));
        assert_eq!(require(Auto, hint), Ok(()));
        assert_eq!(require(Strict, fsynced), Ok(()));
        let error = require(Strict, hint).unwrap_err().to_string();
        for part in [
            "broker.durability",
            "appendfsync always",
            "no append-only file",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}
