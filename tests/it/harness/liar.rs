//! A server that says OK to each command, as some proxies do to what they do not know.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Lies to everybody who connects, until it is dropped.
pub(crate) async fn lie(listener: TcpListener) {
    let mut sessions = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        sessions.spawn(say_ok(stream));
    }
}

async fn say_ok(mut stream: TcpStream) {
    let mut piece = [0; 4096];
    while let Ok(n_bytes @ 1..) = stream.read(&mut piece).await {
        let n_commands = String::from_utf8_lossy(&piece[..n_bytes])
            .matches('*')
            .count();
        let replies = "+OK\r\n".repeat(n_commands);
        if stream.write_all(replies.as_bytes()).await.is_err() {
            return;
        }
    }
}
