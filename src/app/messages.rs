//! The part of a process that events pass through: the relay, the consumers, or both.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;

use super::start::StartError;
use crate::audit::Audit;
use crate::broker::{Broker, RedisStreams, Unfit};
use crate::config::{BrokerDurability, Config, Role};
use crate::failpoint::FailPoints;
use crate::inbox::{Consumer, Runner};
use crate::outbox::{self, Relay};
use crate::payments;
use crate::store::Store;
use crate::telemetry::process::set_roles;

/// How long a start asks the broker what it is. One that does not answer is asked again by the relay.
const PATIENCE: Duration = Duration::from_secs(3);

/// Starts what `config.roles` name beside the API, and the audit that each process has, on the store's tasks: their drain ends it.
///
/// Relay and consumers have connections of their own, so that neither they nor requests can use up
/// the other's.
pub async fn start_messages(
    config: &Config,
    store: &Store,
    consumers: Vec<Arc<dyn Consumer>>,
    points: &FailPoints,
) -> Result<(), StartError> {
    let tasks = store.tasks();
    let has = |role| config.roles.contains(&role);
    set_roles(config.roles.iter().map(ToString::to_string));
    let effects = if has(Role::Relay) {
        payments::effects()
    } else {
        Vec::new()
    };
    Audit::new(store.ledger(), config, effects).start(tasks);
    if has(Role::Api) {
        outbox::announce(store.ledger(), tasks);
    }
    if !has(Role::Relay) && !has(Role::Consumer) {
        return Ok(());
    }
    let broker = broker(config).await?;
    let name = instance();
    if has(Role::Relay) {
        let relay = Relay::new(
            store.ledger().clone(),
            Arc::clone(&broker),
            config.outbox.clone(),
            config.broker.clone(),
            points.clone(),
            name.clone(),
        );
        // The drain of the tasks waits for it; its handle says no more.
        drop(relay.keeping_inbox(config.inbox.clone()).start(tasks));
    }
    if has(Role::Consumer) {
        let ledger = store.ledger().apart(config.inbox.pool_size);
        for consumer in consumers {
            let runner = Runner::new(
                ledger.clone(),
                Arc::clone(&broker),
                consumer,
                config.inbox.clone(),
                points.clone(),
                name.clone(),
            );
            runner.start(tasks);
        }
    }
    Ok(())
}

/// The broker that the settings name, and what it is worth.
async fn broker(config: &Config) -> Result<Arc<dyn Broker>, StartError> {
    let url = config.broker.url.as_ref().or(config.redis_url.as_ref());
    let url = url.ok_or(StartError::NoBroker)?;
    let streams = RedisStreams::connect(url, &config.broker, config.inbox.redeliver_after)
        .map_err(StartError::Broker)?;
    let wanted = config.broker.durability;
    match timeout(PATIENCE, streams.require(wanted)).await {
        Ok(Ok(_mode)) => (),
        Ok(Err(Unfit::Unknown(cause))) if wanted == BrokerDurability::Auto => tracing::warn!(
            error = &cause as &dyn std::error::Error,
            "the broker can't be asked yet; events wait in the outbox"
        ),
        Ok(Err(unfit)) => return Err(StartError::UnfitBroker(unfit)),
        Err(_elapsed) if wanted == BrokerDurability::Auto => {
            tracing::warn!("the broker does not answer yet; events wait in the outbox");
        }
        Err(_elapsed) => return Err(StartError::SilentBroker),
    }
    Ok(Arc::new(streams))
}

/// What this process is called among others: host, process id, and something that no other has.
fn instance() -> String {
    let host = nix::unistd::gethostname().map(|it| it.to_string_lossy().into_owned());
    let host = host.unwrap_or_else(|_| "host".to_owned());
    let chance = Uuid::new_v4().simple().to_string();
    let chance = chance.get(..6).unwrap_or_default();
    format!("{host}:{}:{chance}", std::process::id())
}
