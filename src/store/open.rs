//! Opens the store, and says how it is.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config;
use crate::failpoint::FailPoints;
use crate::hot::{self, Hot};
use crate::ledger::Ledger;
use crate::shutdown::Tasks;

use super::ends::Ends;
use super::epoch::EpochWatch;
use super::leased::{Registry, start_rescuer};
use super::prune;

/// How many connections heartbeats and rescues share. They are opened when first used.
const BACKGROUND_CONNECTIONS: u32 = 2;

/// The store. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) hot: Hot,
    pub(super) ledger: Ledger,
    pub(super) epoch: EpochWatch,
    pub(super) hot_settings: config::Hot,
    pub(super) ledger_settings: config::Ledger,
    pub(super) tasks: Tasks,
    pub(super) points: FailPoints,
    /// The ledger over connections of its own, for heartbeats and rescues: requests that wait for a
    /// connection must not cost the others their leases.
    pub(super) background: Ledger,
    pub(super) registry: Registry,
    /// Who waits here for which operation's end.
    pub(super) ends: Ends,
    /// Cancelled when nobody is to wait any more.
    pub(super) closing: CancellationToken,
}

/// How the two tiers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether the ledger's epoch was confirmed a moment ago: it is up, and it is the primary.
    pub ledger_is_up: bool,
    /// The hot path.
    pub hot: hot::Status,
}

impl Store {
    /// Makes a store of its two tiers, and starts its background loops on `tasks`.
    ///
    /// The first confirmation of the epoch is awaited, so that a store whose ledger is up serves
    /// hot answers from its first request on. A ledger that is down is no error here.
    pub async fn open(
        (hot, hot_settings): (Hot, config::Hot),
        (ledger, ledger_settings): (Ledger, config::Ledger),
        tasks: Tasks,
        points: FailPoints,
    ) -> Self {
        let epoch = EpochWatch::new(ledger_settings.epoch_max_age);
        epoch.confirm(&ledger).await;
        epoch.start(
            ledger.clone(),
            ledger_settings.epoch_interval,
            &tasks,
            &points,
        );
        prune::start(ledger.clone(), &ledger_settings, &tasks, &points);
        let background = ledger.apart(BACKGROUND_CONNECTIONS);
        let closing = tasks.stopping().child_token();
        let inner = Arc::new(Inner {
            hot,
            ledger,
            epoch,
            hot_settings,
            ledger_settings,
            tasks,
            points,
            background,
            registry: Registry::default(),
            ends: Ends::default(),
            closing,
        });
        start_rescuer(&inner);
        Self { inner }
    }

    /// The ledger, for reads and for the operator's commands.
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// The tasks that a shutdown drains.
    pub fn tasks(&self) -> &Tasks {
        &self.inner.tasks
    }

    /// How the two tiers are, from what is known: asks nobody.
    pub fn health(&self) -> Health {
        let max_age = self.inner.ledger_settings.epoch_max_age * 2;
        Health {
            ledger_is_up: self.inner.epoch.confirmed_within(max_age).is_some(),
            hot: self.inner.hot.status(),
        }
    }
}
