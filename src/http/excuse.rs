//! Why a leased operation could not be brought to its end, in the operation's own words.

use super::problem::Problem;
use crate::store::PhaseError;

/// What a phase fails with where its caller is to be told more than `operation-unfinished`: the same
/// key still goes on from the recovery point, so the problem must say that it may be sent again.
#[derive(Debug, thiserror::Error)]
#[error("{}", .problem.code().as_str())]
pub struct Excuse {
    problem: Problem,
    source: PhaseError,
}

impl Excuse {
    /// Answers with `problem` where `cause` ended the attempt.
    pub fn new(problem: Problem, cause: impl Into<PhaseError>) -> Self {
        Self {
            problem,
            source: cause.into(),
        }
    }

    pub(super) fn problem(&self) -> &Problem {
        &self.problem
    }
}
