//! Ratios against targets, each from the rounds in which both sides took their turn.

use serde_json::{Value, json};

use super::report::{Point, Report};

/// What a ratio has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

/// A claim, what was measured, and whether it holds.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) claim: String,
    pub(crate) median: f64,
    /// The lowest and the highest of the rounds.
    pub(crate) spread: (f64, f64),
    pub(crate) target: Target,
}

impl Verdict {
    pub(crate) fn is_met(&self) -> bool {
        match self.target {
            Target::AtLeast(bound) => bound <= self.median,
            Target::AtMost(bound) => self.median <= bound,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"claim": self.claim, "median": self.median, "low": self.spread.0,
            "high": self.spread.1, "target": self.target.to_string(), "met": self.is_met()})
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "≥ {bound}"),
            Self::AtMost(bound) => write!(f, "≤ {bound}"),
        }
    }
}

impl Report {
    /// Judges what `of` makes of each round of two contenders; nothing where one was not measured.
    pub(crate) fn judge(
        &mut self,
        claim: impl Into<String>,
        n_connections: usize,
        (ours, theirs): (&'static str, &'static str),
        of: impl Fn(&Point, &Point) -> f64,
        target: Target,
    ) {
        let ours = self.points(ours, n_connections).iter();
        let pairs = ours.zip(self.points(theirs, n_connections));
        let values: Vec<f64> = pairs.map(|(our, their)| of(our, their)).collect();
        let claim = format!("{}, {n_connections} connections", claim.into());
        self.judge_values(claim, &values, target);
    }

    /// Judges the median of some values; nothing where there are none.
    pub(crate) fn judge_values(&mut self, claim: String, values: &[f64], target: Target) {
        let Some(median) = median(values.iter().copied()) else {
            return;
        };
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.verdicts.push(Verdict {
            claim,
            median,
            spread: (low, high),
            target,
        });
    }
}

/// The median; `None` of nothing.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|it| !it.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len().is_multiple_of(2) {
        Some(f64::midpoint(upper, *values.get(middle - 1)?))
    } else {
        Some(upper)
    }
}

/// Ratio of throughputs.
pub(crate) fn rates(ours: &Point, theirs: &Point) -> f64 {
    ours.rate / theirs.rate
}
