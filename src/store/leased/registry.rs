//! The operations that this process can bring to their ends.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::operation::LeasedOperation;
use crate::domain::Operation;

/// An operation and how much of its answer is kept.
#[derive(Debug, Clone)]
pub struct Leased {
    /// What it does.
    pub operation: Arc<dyn LeasedOperation>,
    /// A larger answer leaves a tombstone.
    pub answer_bytes_max: usize,
}

/// Operations by name. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Registry(Arc<RwLock<HashMap<Operation, Leased>>>);

impl Registry {
    pub(in crate::store) fn add(&self, name: Operation, leased: Leased) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(name, leased);
    }

    pub(super) fn find(&self, name: &Operation) -> Option<Leased> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned()
    }

    pub(super) fn names(&self) -> Vec<String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.keys().map(|it| it.as_str().to_owned()).collect()
    }
}
