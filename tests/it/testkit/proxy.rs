//! Each mode of the proxy, in front of a server that echoes.

use std::io::ErrorKind;
use std::time::Duration;

use oncely::testkit::{Direction, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::within;

/// Long enough for a reply that comes to have come; silence is only shown by time.
const SILENCE: Duration = Duration::from_millis(100);

/// A server that echoes and tells what it has heard.
struct Echo {
    proxy: Proxy,
    heard: mpsc::UnboundedReceiver<Vec<u8>>,
    _server: JoinSet<()>,
}

impl Echo {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("redis://{}/", listener.local_addr()?);
        let (tell, heard) = mpsc::unbounded_channel();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                sessions.spawn(echo(stream, tell.clone()));
            }
        });
        Ok(Self {
            proxy: Proxy::start(&url).await?,
            heard,
            _server: server,
        })
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(self.proxy.address()).await
    }

    async fn hears(&mut self, expected: &[u8]) {
        let mut all = Vec::new();
        while all.len() < expected.len() {
            all.extend(self.heard.recv().await.unwrap());
        }
        assert_eq!(all, expected);
    }
}

async fn echo(mut stream: TcpStream, tell: mpsc::UnboundedSender<Vec<u8>>) {
    let mut buffer = [0; 1024];
    while let Ok(n_bytes @ 1..) = stream.read(&mut buffer).await {
        tell.send(buffer[..n_bytes].to_vec()).ok();
        if stream.write_all(&buffer[..n_bytes]).await.is_err() {
            return;
        }
    }
}

async fn answers(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"ping").await?;
    let mut reply = [0; 4];
    stream.read_exact(&mut reply).await?;
    assert_eq!(&reply, b"ping");
    Ok(())
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    tokio::time::timeout(SILENCE, stream.read(&mut byte))
        .await
        .is_err()
}

async fn is_reset(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    let error = stream.read(&mut byte).await.unwrap_err();
    error.kind() == ErrorKind::ConnectionReset
}

#[tokio::test]
async fn a_proxy_that_passes_carries_the_end_of_a_connection_too() {
    within(10, async {
        let echo = Echo::start().await?;
        let mut stream = echo.connect().await?;
        answers(&mut stream).await?;
        stream.shutdown().await?;
        assert_eq!(stream.read(&mut [0]).await?, 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_cut_resets_open_connections_and_refuses_new_ones() {
    within(10, async {
        let echo = Echo::start().await?;
        let mut stream = echo.connect().await?;
        answers(&mut stream).await?;
        echo.proxy.cut().await;
        assert!(is_reset(&mut stream).await);
        let refused = echo.connect().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        echo.proxy.pass().await;
        answers(&mut echo.connect().await?).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_refusal_spares_open_connections_and_a_severing_spares_new_ones() {
    within(10, async {
        let echo = Echo::start().await?;
        let mut stream = echo.connect().await?;
        answers(&mut stream).await?;
        echo.proxy.refuse().await;
        assert!(echo.connect().await.is_err());
        answers(&mut stream).await?;
        echo.proxy.pass().await;
        echo.proxy.sever().await;
        assert!(is_reset(&mut stream).await);
        answers(&mut echo.connect().await?).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_blackhole_accepts_and_swallows_both_ways_until_it_heals() {
    within(10, async {
        let mut echo = Echo::start().await?;
        let mut old = echo.connect().await?;
        answers(&mut old).await?;
        echo.hears(b"ping").await;
        echo.proxy.blackhole().await;
        let mut new = echo.connect().await?;
        for stream in [&mut old, &mut new] {
            stream.write_all(b"lost").await?;
            assert!(is_silent(stream).await);
        }
        assert!(echo.heard.try_recv().is_err(), "the server heard nothing");
        echo.proxy.pass().await;
        assert!(is_reset(&mut old).await && is_reset(&mut new).await);
        answers(&mut echo.connect().await?).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn eaten_replies_follow_requests_that_arrive() {
    within(10, async {
        let mut echo = Echo::start().await?;
        echo.proxy.eat_replies().await;
        let mut stream = echo.connect().await?;
        stream.write_all(b"charge").await?;
        echo.hears(b"charge").await;
        assert!(is_silent(&mut stream).await);
        echo.proxy.pass().await;
        assert!(is_reset(&mut stream).await);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_delay_holds_each_piece_back_in_both_directions() {
    within(10, async {
        let echo = Echo::start().await?;
        echo.proxy.delay(SILENCE).await;
        let mut stream = echo.connect().await?;
        let start = tokio::time::Instant::now();
        answers(&mut stream).await?;
        assert!(start.elapsed() >= SILENCE * 2);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_cut_before_a_needle_forwards_what_came_before_it() {
    within(10, async {
        let mut echo = Echo::start().await?;
        let mut stream = echo.connect().await?;
        let fired = echo.proxy.cut_before("COMMIT");
        stream.write_all(b"INSERT COM").await?;
        echo.hears(b"INSERT COM").await;
        stream.write_all(b"MIT").await?;
        fired.wait().await?;
        stream.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert!(echo.heard.try_recv().is_err(), "the rest was not forwarded");
        answers(&mut echo.connect().await?).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_cut_after_a_needle_forwards_it_and_eats_the_reply() {
    within(10, async {
        let mut echo = Echo::start().await?;
        let mut stream = echo.connect().await?;
        let fired = echo.proxy.cut_after("COMMIT", "");
        stream.write_all(b"COMMIT now").await?;
        fired.wait().await?;
        echo.hears(b"COMMIT now").await;
        assert!(is_reset(&mut stream).await);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_cut_after_bytes_lets_so_many_through() {
    within(30, async {
        for n_bytes in 0..=8 {
            let mut echo = Echo::start().await?;
            let fired = echo.proxy.cut_after_bytes(Direction::Reply, n_bytes);
            let mut stream = echo.connect().await?;
            stream.write_all(b"12345678").await?;
            fired.wait().await?;
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).await?;
            assert_eq!(reply, b"12345678"[..n_bytes]);

            let fired = echo.proxy.cut_after_bytes(Direction::Request, n_bytes);
            echo.hears(b"12345678").await;
            let mut stream = echo.connect().await?;
            stream.write_all(b"12345678").await?;
            fired.wait().await?;
            echo.hears(&b"12345678"[..n_bytes]).await;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_cut_that_was_taken_back_says_so() {
    within(10, async {
        let echo = Echo::start().await?;
        let fired = echo.proxy.cut_before("COMMIT");
        echo.proxy.disarm();
        fired.wait().await.unwrap_err();
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_unreachable_server_resets_the_client() {
    within(10, async {
        let proxy = Proxy::start("redis://127.0.0.1:1/").await?;
        let mut stream = TcpStream::connect(proxy.address()).await?;
        assert!(is_reset(&mut stream).await);
        Ok(())
    })
    .await;
}
