//! Whether a server's refusal is about one message or about the server. Pure.

use redis::RedisError;

use crate::broker::Refused;

/// What `XADD` says where the message or its stream is the reason, and other messages are taken.
const OF_ONE: [&str; 3] = [
    "Elements are too large to be stored",
    "The stream has exhausted the last possible ID",
    "The ID specified in XADD",
];

/// The refusal, where it is about this message alone. All the rest (a server that loads, is full, is
/// a replica, wants a password, a broken connection) says nothing about a message: what we do not
/// know waits, because a refusal costs an event one of its attempts.
pub(super) fn of_one_message(cause: &RedisError) -> Option<Refused> {
    let code = cause.code()?;
    let detail = cause.detail().unwrap_or_default();
    let is_of_one = match code {
        "WRONGTYPE" => true,
        "ERR" => OF_ONE.iter().any(|it| detail.contains(it)),
        _ => false,
    };
    is_of_one.then(|| Refused(format!("{code} {detail}")))
}

/// There is no such group, or no such stream: somebody deleted it.
pub(super) fn is_no_group(cause: &RedisError) -> bool {
    // `UNBLOCKED` is what a waiting reader is told when its stream goes away.
    matches!(cause.code(), Some("NOGROUP" | "UNBLOCKED"))
}

/// There is such a group already.
pub(super) fn is_group_there(cause: &RedisError) -> bool {
    cause.code() == Some("BUSYGROUP")
}

/// There is no such stream, or the key holds something else.
pub(super) fn is_no_stream(cause: &RedisError) -> bool {
    let is_absent = || cause.detail().is_some_and(|it| it.contains("no such key"));
    match cause.code() {
        Some("WRONGTYPE") => true,
        Some("ERR") => is_absent(),
        Some(_) | None => false,
    }
}

/// The server does not let us ask: a managed one, or a restricted user.
pub(super) fn is_forbidden(cause: &RedisError) -> bool {
    match cause.code() {
        Some("NOPERM") => true,
        Some("ERR") => cause
            .detail()
            .is_some_and(|it| it.to_ascii_lowercase().contains("unknown command")),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(line: &str) -> RedisError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    #[test]
    fn only_what_is_about_the_message_is_a_refusal_of_the_message() {
        for line in [
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "ERR Elements are too large to be stored",
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ] {
            let refused = of_one_message(&server(line)).unwrap();
            assert_eq!(refused, Refused(line.to_owned()));
        }
        for line in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "MISCONF Redis is configured to save RDB snapshots",
            "BUSY Redis is busy running a script.",
            "NOAUTH Authentication required.",
            "NOPERM User default has no permissions to run the 'xadd' command",
            "CLUSTERDOWN Hash slot not served",
            "MASTERDOWN Link with MASTER is down",
            "NOREPLICAS Not enough good replicas to write.",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "ERR unknown command 'XADD'",
            "ERR something new",
        ] {
            assert_eq!(of_one_message(&server(line)), None, "{line}");
        }
        let broken = RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(of_one_message(&broken), None);
    }

    #[test]
    fn what_is_gone_and_what_is_forbidden_is_told_apart() {
        assert!(is_no_group(&server("NOGROUP No such key")));
        assert!(is_no_group(&server(
            "UNBLOCKED the stream key no longer exists"
        )));
        assert!(is_group_there(&server(
            "BUSYGROUP Consumer Group name already exists"
        )));
        assert!(is_no_stream(&server("ERR no such key")));
        assert!(!is_no_stream(&server("ERR syntax error")));
        assert!(is_forbidden(&server("NOPERM no permissions")));
        assert!(is_forbidden(&server(
            "ERR unknown command 'CONFIG', with args"
        )));
        assert!(!is_forbidden(&server("LOADING Redis is loading")));
    }
}
