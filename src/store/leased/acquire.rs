//! Claims a record for an attempt, or takes it over, within the attempt's time.

use tokio::time::timeout_at;

use super::drive::progress_to;
use super::registry::Leased;
use crate::domain::Carried;
use crate::ledger::LeaseAcquired;
use crate::store::error::Error;
use crate::store::open::Inner;
use crate::store::settle::Attempt;

impl Inner {
    pub(super) async fn acquire_lease(
        &self,
        attempt: &Attempt,
        leased: &Leased,
        carried: Carried,
    ) -> Result<LeaseAcquired, Error> {
        let phases = leased.operation.phases();
        let first = phases.first().ok_or(Error::NoPhases)?;
        let first = progress_to(first, attempt.claim.identity.id(), carried);
        let acquiring = self.ledger.acquire_lease(&attempt.claim, &first);
        let acquired = timeout_at(attempt.deadline, acquiring).await;
        acquired
            .map_err(|_elapsed| Error::TimedOut)?
            .map_err(Error::from_ledger)
    }
}
