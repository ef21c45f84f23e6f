//! The trace that a request belongs to, as W3C Trace Context writes it.

/// The trace's id in a `traceparent`: 32 hexadecimal digits, not all of them 0.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let is_hex =
        |it: &str, n| it.len() == n && it.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    let is_one = is_hex(version, 2) && is_hex(trace, 32) && trace.bytes().any(|it| it != b'0');
    is_one.then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trace_s_id_is_taken() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let whole = format!("00-{id}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(&whole), Some(id));
        for wrong in ["", "00", "4242424242424242", "00-4242424242424242-1-01"] {
            assert_eq!(trace_id(wrong), None, "{wrong}");
        }
        assert_eq!(trace_id(&format!("00-{}-1-01", "0".repeat(32))), None);
        assert_eq!(trace_id(&whole.to_uppercase()), None);
    }
}
