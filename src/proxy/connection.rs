//! One connection through the proxy: two pumps, and the ways in which it ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::trigger::{Cut, Direction, Seen, Trigger, Verdict};

/// What happens to bytes. Refusing new connections is the listener's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Pass,
    Delay(Duration),
    Blackhole,
    EatReplies,
}

/// What all connections of a proxy share.
#[derive(Debug)]
pub(super) struct Wire {
    /// `host:port` of the server that new connections are led to.
    pub(super) upstream: Mutex<String>,
    pub(super) mode: watch::Sender<Mode>,
    /// Counts the times at which all connections were reset.
    pub(super) resets: watch::Sender<u64>,
    pub(super) trigger: Trigger,
}

impl Wire {
    pub(super) fn upstream(&self) -> String {
        let upstream = self.upstream.lock();
        upstream.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn lead_to(&self, address: String) {
        let mut upstream = self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        *upstream = address;
    }
}

/// Why a connection ends without both sides having closed it.
enum End {
    /// One side is gone, or all were told to be.
    Reset,
    /// A trigger wanted it.
    Cut(Cut),
}

/// What the two pumps of one connection share.
#[derive(Debug, Default)]
struct Fate {
    /// Bytes were swallowed, so it must not go on as if nothing was.
    is_torn: AtomicBool,
    /// Replies are swallowed until this one, and then the connection is cut.
    last_reply: Mutex<Option<(Vec<u8>, Cut)>>,
}

/// Carries one connection to its end. `resets` was subscribed to before the connection was accepted.
pub(super) async fn carry(
    wire: Arc<Wire>,
    mut client: TcpStream,
    mut resets: watch::Receiver<u64>,
) {
    let end = tokio::select! {
        _ = resets.changed() => Err(End::Reset),
        end = talk(&wire, &mut client) => end,
    };
    match end {
        Ok(()) => (),
        Err(End::Reset) => reset(client),
        Err(End::Cut(cut)) => {
            if cut.is_reset {
                reset(client);
            } else {
                drop(client);
            }
            // Nobody has to listen.
            cut.fired.send(()).ok();
        }
    }
}

fn reset(client: TcpStream) {
    // Where this fails the client is gone already.
    client.set_zero_linger().ok();
    drop(client);
}

async fn talk(wire: &Wire, client: &mut TcpStream) -> Result<(), End> {
    let mut mode = wire.mode.subscribe();
    if *mode.borrow_and_update() == Mode::Blackhole {
        swallow(client, &mut mode).await;
        return Err(End::Reset);
    }
    let address = wire.upstream();
    let upstream = TcpStream::connect(&address).await;
    let mut upstream = upstream.map_err(|_unreachable| End::Reset)?;
    // Small frames must not wait for each other.
    client.set_nodelay(true).ok();
    upstream.set_nodelay(true).ok();

    let fate = Fate::default();
    let (client_read, client_write) = client.split();
    let (upstream_read, upstream_write) = upstream.split();
    let both = async {
        tokio::try_join!(
            pump(Direction::Request, client_read, upstream_write, wire, &fate),
            pump(Direction::Reply, upstream_read, client_write, wire, &fate),
        )
        .map(|((), ())| ())
    };
    tokio::pin!(both);
    loop {
        tokio::select! {
            end = &mut both => return end,
            changed = mode.changed() => {
                if changed.is_err() || fate.is_torn.load(Ordering::Relaxed) {
                    return Err(End::Reset);
                }
            }
        }
    }
}

/// Reads and drops what the client sends, until the mode changes. Its end is not answered.
async fn swallow(client: &mut TcpStream, mode: &mut watch::Receiver<Mode>) {
    let mut piece = vec![0; 16 * 1024];
    let read_all = async {
        while matches!(client.read(&mut piece).await, Ok(1..)) {}
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = read_all => (),
        // The sender is gone only together with the proxy.
        _ = mode.changed() => (),
    }
}

async fn pump(
    direction: Direction,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    wire: &Wire,
    fate: &Fate,
) -> Result<(), End> {
    let mut buffer = vec![0; 16 * 1024];
    let mut seen = Seen::default();
    loop {
        let n_read = from.read(&mut buffer).await;
        let mode = *wire.mode.borrow();
        let is_swallowing = match mode {
            Mode::Blackhole => true,
            Mode::EatReplies => direction == Direction::Reply,
            Mode::Pass | Mode::Delay(_) => false,
        };
        let piece = match n_read {
            // Not even the end of a connection comes through.
            Ok(0) | Err(_) if is_swallowing => {
                fate.is_torn.store(true, Ordering::Relaxed);
                return std::future::pending().await;
            }
            Ok(0) => {
                let closed = to.shutdown().await;
                return closed.map_err(|_gone| End::Reset);
            }
            Ok(n_bytes) => buffer.get(..n_bytes).unwrap_or_default(),
            Err(_) => return Err(End::Reset),
        };
        if is_swallowing {
            fate.is_torn.store(true, Ordering::Relaxed);
            continue;
        }
        if let Mode::Delay(delay) = mode {
            tokio::time::sleep(delay).await;
        }
        if direction == Direction::Reply && fate.is_eaten(&seen, piece)? {
            seen.push(piece);
            continue;
        }
        match wire.trigger.inspect(direction, &seen, piece) {
            Verdict::Forward => (),
            Verdict::Cut(at, cut) => {
                let before = piece.get(..at).unwrap_or_default();
                // Where this side is gone, it is cut all the more.
                to.write_all(before).await.ok();
                return Err(End::Cut(cut));
            }
            Verdict::CutAtReply(reply, cut) => fate.cut_at(reply, cut),
        }
        seen.push(piece);
        to.write_all(piece).await.map_err(|_gone| End::Reset)?;
    }
}

impl Fate {
    fn cut_at(&self, reply: Vec<u8>, cut: Cut) {
        let mut last = self
            .last_reply
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some((reply, cut));
    }

    /// Whether a piece of a reply is swallowed; the error is the cut, when it was the last one.
    fn is_eaten(&self, seen: &Seen, piece: &[u8]) -> Result<bool, End> {
        let mut last = self
            .last_reply
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match last.take() {
            None => Ok(false),
            Some((reply, cut)) if seen.find(piece, &reply).is_some() => Err(End::Cut(cut)),
            Some(waiting) => {
                *last = Some(waiting);
                Ok(true)
            }
        }
    }
}
