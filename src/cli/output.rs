//! The one place that writes to standard output and standard error.

use std::io::{self, ErrorKind, Write};

/// Writes to standard output. A reader who has seen enough (`| head`) is no failure.
pub(super) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes to standard error. Where nobody listens, there is nobody to tell.
pub(super) fn complain(text: &str) {
    io::stderr().lock().write_all(text.as_bytes()).ok();
}
