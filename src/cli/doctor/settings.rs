//! Judges the settings: the rules are those of `src/config`, and what they warn of is a warning here.

use super::report::Check;
use crate::config::{Config, Role, Violation};

pub(super) fn judge(config: &Config) -> Vec<Check> {
    let idempotency = &config.idempotency;
    let shown = humantime::format_duration;
    let mut checks = vec![
        Check::good("rules", "every rule between settings is kept"),
        Check::good(
            "retention",
            format!(
                "{}, longer than clients retry ({})",
                shown(idempotency.retention),
                shown(idempotency.client_retry_window)
            ),
        ),
    ];
    let warnings = config.warnings();
    checks.extend(warnings.into_iter().map(|it| {
        let found = format!("`{}`: {}", it.key, it.risk);
        Check::warning("setting", found, it.fix)
    }));
    if config.ledger.allow_unsafe_durability {
        let found = "`ledger.allow_unsafe_durability`: a crash of Postgres may forget charges";
        checks.push(Check::warning(
            "setting",
            found,
            "set it to false: `serve` refuses it",
        ));
    }
    checks.push(
        if config.roles.contains(&Role::Api) && config.auth.tokens.is_empty() {
            let found =
                "no tenant has a token in these settings, so `oncely serve` would not start";
            Check::warning(
                "tokens",
                found,
                "set ONCELY_AUTH_TOKENS, or run this where it is set",
            )
        } else {
            Check::good("tokens", format!("of {} tenants", config.auth.tokens.len()))
        },
    );
    checks
}

/// What is wrong with settings that break rules.
pub(super) fn judge_violations(violations: &[Violation]) -> Vec<Check> {
    let of = |it: &Violation| {
        let mut bare = it.clone();
        let fix = bare.fix.take();
        let hint = fix.unwrap_or_else(|| "`oncely config check` says more".to_owned());
        Check::error("setting", bare.to_string(), hint)
    };
    violations.iter().map(of).collect()
}
