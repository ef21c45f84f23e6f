//! Registers who has to have which events.

use super::desk::answer;
use super::trouble::Trouble;
use crate::domain::Topic;
use crate::ledger::Ledger;

const REGISTER: &str = "
INSERT INTO oncely.inbox_consumer (consumer, topic) VALUES ($1, $2)
ON CONFLICT (consumer, topic) DO NOTHING";

/// A consumer could not be registered.
#[derive(Debug, thiserror::Error)]
#[error("register the consumer {consumer}")]
pub struct RegisterError {
    consumer: String,
    #[source]
    cause: Box<dyn std::error::Error + Send + Sync>,
}

/// Registers `consumer` for `topic`: from then on each event there counts as confirmed only when it
/// has it. Safe to do again.
pub async fn register(ledger: &Ledger, consumer: &str, topic: &Topic) -> Result<(), RegisterError> {
    let registered: Result<(), Trouble> = async {
        let mut tx = answer(async { Ok(ledger.begin().await) }).await??;
        let query = sqlx::query(REGISTER).bind(consumer).bind(topic.as_str());
        answer(query.execute(&mut *tx)).await?;
        answer(async { Ok(ledger.commit(tx).await) }).await??;
        Ok(())
    }
    .await;
    registered.map_err(|cause| RegisterError {
        consumer: consumer.to_owned(),
        cause: cause.into(),
    })
}
