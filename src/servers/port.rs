//! Free ports that stay ours while a server is down.

use std::net::{Ipv4Addr, TcpListener};

use uuid::Uuid;

use super::Error;

/// Ports below the ranges from which Linux (32768) and macOS (49152) take the source ports of
/// outgoing connections. A server that was killed must get its port back; a port of those ranges
/// may by then belong to some client's connection, or to a client that connected to itself.
const FIRST: u16 = 15_000;
const LAST: u16 = 31_999;

/// How many ports are tried before giving up; more than a busy machine has taken in a row.
const TRIES: u32 = 200;

/// Finds a port on 127.0.0.1 that nobody listens on at this moment.
///
/// Another process may take it before the caller does, so the caller must be ready to try again.
pub fn free_port() -> Result<u16, Error> {
    for _ in 0..TRIES {
        let (random, _) = Uuid::new_v4().as_u64_pair();
        let offset = u16::try_from(random % u64::from(LAST - FIRST))
            .expect("invariant: a remainder by a u16 is a u16");
        let port = FIRST + offset;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::NoPort {
        first: FIRST,
        last: LAST,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_is_outside_the_ephemeral_range() {
        let port = free_port().unwrap();
        assert!((FIRST..=LAST).contains(&port));
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
