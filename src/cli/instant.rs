//! How people say when: an instant, or how long ago.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock;

/// Reads `2026-11-22T05:00:00Z`, or `2h` for two hours ago by this machine's clock.
pub(super) fn instant(text: &str) -> Result<OffsetDateTime, String> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(at);
    }
    let wrong = || "is neither an instant (2026-11-22T05:00:00Z) nor a duration (2h)".to_owned();
    let ago = humantime::parse_duration(text).map_err(|_no_duration| wrong())?;
    let ago = time::Duration::try_from(ago).map_err(|_too_long| wrong())?;
    clock::now().checked_sub(ago).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn an_instant_or_how_long_ago() {
        let at = datetime!(2026-11-22 05:00 UTC);
        assert_eq!(instant("2026-11-22T05:00:00Z"), Ok(at));
        let ago = clock::now() - instant("2h").unwrap();
        assert!((ago.as_seconds_f64() - 7200.0).abs() < 60.0, "{ago}");
        assert!(instant("yesterday").is_err());
    }
}
