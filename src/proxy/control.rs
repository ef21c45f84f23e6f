//! The proxy's handle, and the task that listens.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::address;
use super::connection::{Mode, Wire, carry};
use super::trigger::{Direction, Fired, Rule, Trigger};
use crate::servers::free_port;

/// How often a port is looked for; each round fails only if somebody took it in between.
const PORT_TRIES: u32 = 10;
/// Between two tries to get the own port back, which a lingering process may hold for a moment.
const REBIND_PAUSE: Duration = Duration::from_millis(5);

/// A TCP proxy in front of a server. Dropping it closes all its connections.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    address: SocketAddr,
    wire: Arc<Wire>,
    orders: mpsc::Sender<(Order, oneshot::Sender<()>)>,
    /// Aborts the listener and its connections when dropped.
    _listener: JoinSet<()>,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Listen,
    Refuse,
    Reset,
}

impl Proxy {
    /// Starts a proxy in front of the server of `upstream_url`. It passes.
    pub async fn start(upstream_url: &str) -> anyhow::Result<Self> {
        let upstream = address::of(upstream_url)?;
        let listener = listen().await.context("starting a proxy")?;
        let address = listener.local_addr()?;
        let wire = Arc::new(Wire {
            upstream: Mutex::new(upstream),
            mode: watch::Sender::new(Mode::Pass),
            resets: watch::Sender::new(0),
            trigger: Trigger::default(),
        });
        // An order is answered before the next one is given, so there is rarely more than one.
        let (orders, inbox) = mpsc::channel(8);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(Arc::clone(&wire), address, listener, inbox));
        Ok(Self {
            url: address::replace(upstream_url, &address.to_string())?,
            address,
            wire,
            orders,
            _listener: tasks,
        })
    }

    /// The upstream URL with the proxy's host and port.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Another URL of the same server, such as that of one test's database, through the proxy.
    pub fn url_for(&self, upstream_url: &str) -> anyhow::Result<String> {
        address::replace(upstream_url, &self.address.to_string())
    }

    /// Where the proxy listens; it stays the same for its whole life.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards everything.
    pub async fn pass(&self) {
        self.set(Mode::Pass).await;
    }

    /// Holds each piece back for a while, in both directions.
    pub async fn delay(&self, delay: Duration) {
        self.set(Mode::Delay(delay)).await;
    }

    /// Accepts connections and swallows what is sent both ways. Nothing is ever closed.
    pub async fn blackhole(&self) {
        self.set(Mode::Blackhole).await;
    }

    /// Forwards requests and swallows replies.
    pub async fn eat_replies(&self) {
        self.set(Mode::EatReplies).await;
    }

    /// Refuses new connections. Open ones go on.
    pub async fn refuse(&self) {
        self.order(Order::Refuse).await;
    }

    /// Resets all connections and refuses new ones, until the next call of [`Proxy::pass`] or one
    /// like it.
    pub async fn cut(&self) {
        self.order(Order::Refuse).await;
        self.order(Order::Reset).await;
    }

    /// Resets all connections and leads new ones to another server, as the name of a primary does
    /// after a fail-over.
    pub async fn lead_to(&self, upstream_url: &str) -> anyhow::Result<()> {
        self.wire.lead_to(address::of(upstream_url)?);
        self.sever().await;
        Ok(())
    }

    /// Resets all connections that are open now. New ones are welcome.
    pub async fn sever(&self) {
        self.order(Order::Reset).await;
    }

    /// Cuts the connection on which a request with `needle` comes, in front of it: the server gets
    /// an incomplete frame and an end. Nothing that the needle is part of is executed.
    pub fn cut_before(&self, needle: impl Into<Vec<u8>>) -> Fired {
        self.wire.trigger.arm(Rule::Before(needle.into()))
    }

    /// Forwards the request with `needle`, swallows replies until one with `reply` (the next one, if
    /// that is empty), and then cuts the connection: it was done, and the client cannot know.
    pub fn cut_after(&self, needle: impl Into<Vec<u8>>, reply: impl Into<Vec<u8>>) -> Fired {
        self.wire.trigger.arm(Rule::After {
            request: needle.into(),
            reply: reply.into(),
        })
    }

    /// Cuts in front of the next `COMMIT` of a Postgres client: the transaction is rolled back.
    pub fn cut_before_commit(&self) -> Fired {
        self.cut_before("COMMIT")
    }

    /// Cuts after the next `COMMIT` of a Postgres client was done and before the client knows.
    pub fn cut_after_commit(&self) -> Fired {
        // The end of CommandComplete, and ReadyForQuery outside of a transaction.
        self.cut_after("COMMIT", b"COMMIT\0Z\0\0\0\x05I")
    }

    /// Lets `n_bytes` more bytes pass in one direction, over all connections, and then cuts the
    /// connection that has passed the last one. The client sees an ordinary end.
    pub fn cut_after_bytes(&self, direction: Direction, n_bytes: usize) -> Fired {
        self.wire.trigger.arm(Rule::Bytes {
            direction,
            left: n_bytes,
        })
    }

    /// Takes back a cut that has not happened.
    pub fn disarm(&self) {
        self.wire.trigger.disarm();
    }

    async fn set(&self, mode: Mode) {
        self.wire.mode.send_replace(mode);
        self.order(Order::Listen).await;
    }

    async fn order(&self, order: Order) {
        let (done, wait) = oneshot::channel();
        let sent = self.orders.send((order, done)).await;
        sent.expect("invariant: the listener lives as long as the handle");
        wait.await
            .expect("invariant: the listener answers each order");
    }
}

async fn listen() -> anyhow::Result<TcpListener> {
    let mut tries = 1;
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?)).await {
            Ok(listener) => return Ok(listener),
            Err(error) if tries < PORT_TRIES && error.kind() == io::ErrorKind::AddrInUse => {
                tries += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Owns the port and the connections, and obeys orders.
async fn accept(
    wire: Arc<Wire>,
    address: SocketAddr,
    listener: TcpListener,
    mut orders: mpsc::Receiver<(Order, oneshot::Sender<()>)>,
) {
    let mut connections = JoinSet::new();
    let mut listener = Some(listener);
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some((order, done)) = order else { return };
                match order {
                    Order::Listen if listener.is_none() => listener = Some(rebind(address).await),
                    Order::Listen => (),
                    Order::Refuse => listener = None,
                    Order::Reset => {
                        wire.resets.send_modify(|count| *count += 1);
                        while connections.join_next().await.is_some() {}
                    }
                }
                // Whoever gave the order may have stopped waiting.
                done.send(()).ok();
            }
            accepted = next(listener.as_ref()) => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(carry(Arc::clone(&wire), client, wire.resets.subscribe()));
                }
            }
            Some(_) = connections.join_next() => (),
        }
    }
}

async fn next(listener: Option<&TcpListener>) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// Gets the own port back, however long that takes: a test has a timeout of its own.
async fn rebind(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_taken) => tokio::time::sleep(REBIND_PAUSE).await,
        }
    }
}
