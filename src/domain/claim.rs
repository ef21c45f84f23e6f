//! A request's claim on its key: who asks for what, ready to be compared with any record.

use std::sync::Arc;

use super::canonical_json::BodyError;
use super::{
    Algorithm, Fingerprint, Fingerprinter, Identity, Key, Operation, Subject, Tenant, Verdict,
};

/// Everything that the store needs to know of a request.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who asks.
    pub tenant: Tenant,
    /// What is asked for.
    pub operation: Operation,
    /// The digest of tenant, operation and key.
    pub identity: Identity,
    /// The digest of the request.
    pub fingerprint: Fingerprint,
    subject: Arc<Subject>,
    fingerprinter: Arc<Fingerprinter>,
}

impl Claim {
    /// Names and digests a request. Fails where a JSON body is none, or says something twice.
    pub fn new(
        (tenant, operation, key): (Tenant, Operation, &Key),
        algorithm: Algorithm,
        subject: Subject,
        fingerprinter: Arc<Fingerprinter>,
    ) -> Result<Self, BodyError> {
        let identity = Identity::of(&tenant, &operation, key);
        let fingerprint = fingerprinter.compute(algorithm, &subject)?;
        let subject = Arc::new(subject);
        Ok(Self {
            tenant,
            operation,
            identity,
            fingerprint,
            subject,
            fingerprinter,
        })
    }

    /// Compares a stored fingerprint with this request.
    pub fn compare(&self, stored: &Fingerprint) -> Verdict {
        self.fingerprinter
            .compare(stored, &self.fingerprint, &self.subject)
    }
}
