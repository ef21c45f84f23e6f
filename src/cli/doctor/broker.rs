//! The Redis that events go through: what an acknowledged message is worth there.

use std::time::Duration;

use super::anchor;
use super::redis::judge_permissions;
use super::redis_facts::{self, commands_of_the_broker};
use super::report::{Check, chain};
use crate::broker::{Durability, RedisStreams, Unfit};
use crate::config::{Broker, BrokerDurability, Secret};

/// Nothing is received here, so no time to redeliver counts.
const REDELIVER_AFTER: Duration = Duration::from_secs(30);

pub(super) async fn look(url: &Secret, settings: &Broker) -> Vec<Check> {
    let found = match RedisStreams::connect(url, settings, REDELIVER_AFTER) {
        Ok(streams) => streams.require(BrokerDurability::Strict).await,
        Err(error) => Err(Unfit::Unknown(error)),
    };
    let mut checks = vec![judge(&found, settings.durability)];
    let commands = commands_of_the_broker(&settings.key_prefix);
    if let Ok(facts) = redis_facts::gather(url, &commands).await {
        checks.push(judge_permissions(facts.forbidden.as_deref()));
    }
    checks
}

fn judge(found: &Result<Durability, Unfit>, wanted: BrokerDurability) -> Check {
    let name = "durability";
    let hint = "set `appendonly yes`; with `appendfsync always`, or Redis 7.2 or later, nothing \
                that was acknowledged is lost";
    let check = match found {
        Ok(mode) => Check::good(name, mode.as_str()),
        Err(Unfit::NotDurable(it)) => {
            let found = format!("a hint: {}; what it loses is published again", it.why);
            match wanted {
                BrokerDurability::Auto => Check::warning(name, found, hint),
                BrokerDurability::Strict => Check::error(
                    name,
                    format!("{found}, and `broker.durability` is strict"),
                    hint,
                ),
            }
        }
        Err(Unfit::Unknown(error)) => Check::error(
            name,
            format!("it can't be asked: {}", chain(error)),
            "start it, or set `broker.url` to one that is there; events wait in the outbox",
        ),
    };
    check.see(anchor::OUTBOX_LAG)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::NotDurable;
    use crate::cli::doctor::report::Level;

    #[test]
    fn a_hint_is_a_warning_and_where_more_is_asked_for_an_error() {
        let hint = || {
            Err(Unfit::NotDurable(NotDurable {
                why: "it has no append-only file",
            }))
        };
        assert_eq!(judge(&hint(), BrokerDurability::Auto).level, Level::Warning);
        assert_eq!(judge(&hint(), BrokerDurability::Strict).level, Level::Error);
        let sound = Ok(Durability::Fsynced);
        assert_eq!(judge(&sound, BrokerDurability::Strict).level, Level::Good);
    }
}
