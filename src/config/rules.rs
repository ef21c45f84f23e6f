//! The kinds of rules between settings, and a collector that takes every one that is broken.

use std::fmt::Display;
use std::time::Duration;

use super::Violation;
use super::duration::show;

/// A broken rule and the settings it is about.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) keys: Vec<&'static str>,
    pub(super) violation: Violation,
}

/// A setting: its key and its value.
pub(super) type Of<T> = (&'static str, T);

/// Collects every broken rule.
#[derive(Debug, Default)]
pub(super) struct Rules(pub(super) Vec<Broken>);

impl Rules {
    /// `lower` must not pass `upper`.
    pub(super) fn at_most(&mut self, lower: Of<Duration>, upper: Of<Duration>) {
        if upper.1 < lower.1 {
            self.relation(lower, "must be at most", upper);
        }
    }

    /// `lower` must stay below `upper`.
    pub(super) fn below(&mut self, lower: Of<Duration>, upper: Of<Duration>) {
        if upper.1 <= lower.1 {
            self.relation(lower, "must be less than", upper);
        }
    }

    /// A duration must lie between two bounds, both allowed.
    pub(super) fn between(&mut self, of: Of<Duration>, least: Duration, most: Duration) {
        let (key, value) = of;
        if value < least {
            let least = show(least);
            self.rule(
                key,
                show(value),
                format!("must be at least {least}"),
                "raise it",
            );
        } else if most < value {
            let most = show(most);
            self.rule(
                key,
                show(value),
                format!("must be at most {most}"),
                "lower it",
            );
        }
    }

    /// A count must not be zero.
    pub(super) fn positive(&mut self, (key, value): Of<u64>) {
        if value == 0 {
            self.rule(key, value, "must be at least 1".to_owned(), "raise it");
        }
    }

    /// Something else is wrong with a setting.
    pub(super) fn rule(&mut self, key: &'static str, value: impl Display, rule: String, fix: &str) {
        self.0.push(Broken {
            keys: vec![key],
            violation: Violation::of_rule(key, value, rule, fix.to_owned()),
        });
    }

    /// Something is wrong between two settings; `fix` says which way each should go.
    pub(super) fn pair(
        &mut self,
        (key, value): Of<String>,
        other: &'static str,
        rule: String,
        fix: String,
    ) {
        self.0.push(Broken {
            keys: vec![key, other],
            violation: Violation::of_rule(key, value, rule, fix),
        });
    }

    fn relation(&mut self, lower: Of<Duration>, must: &str, upper: Of<Duration>) {
        let (other, limit) = upper;
        let rule = format!("{must} `{other}`, which is {}", show(limit));
        let fix = format!("lower `{}` or raise `{other}`", lower.0);
        self.pair((lower.0, show(lower.1)), other, rule, fix);
    }
}
