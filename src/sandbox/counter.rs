//! The sandboxes' counter: one JSON request on each connection, read and answered by hand, because no
//! HTTP library hangs up without an answer when it is told to.

use std::future::Future;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::shutdown::Tasks;

/// The largest request that is read.
const REQUEST_BYTES_MAX: usize = 65_536;

/// Status and body.
pub(super) type Answer = (u16, String);

/// A request, as far as it matters.
pub(super) struct Request<T> {
    pub(super) key: Option<String>,
    pub(super) body: T,
}

/// What has arrived so far.
enum Parsed<T> {
    Whole(Request<T>),
    MoreToCome,
    Nonsense,
}

/// Listens on a free port of loopback, and has each client attended to until the guard is dropped.
/// Returns the URL.
pub(super) async fn open<F>(
    attend: impl Fn(TcpStream) -> F + Send + 'static,
) -> Result<(String, DropGuard)>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.context("listen on loopback")?;
    let address = listener.local_addr().context("read the address")?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let serve = async move {
        let mut clients = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            clients.spawn(attend(stream));
            while clients.try_join_next().is_some() {}
        }
    };
    Tasks::default().spawn(async move { stopped.run_until_cancelled_owned(serve).await });
    Ok((format!("http://{address}"), stop.drop_guard()))
}

/// Reads `POST <path>` with a `T` in it; answers 400 to anything else.
pub(super) async fn read<T: DeserializeOwned>(
    stream: &mut TcpStream,
    path: &str,
) -> Option<Request<T>> {
    let request = read_whole(stream, path).await;
    if request.is_none() {
        write(stream, &(400, String::new())).await;
    }
    request
}

async fn read_whole<T: DeserializeOwned>(stream: &mut TcpStream, path: &str) -> Option<Request<T>> {
    let mut bytes = Vec::new();
    loop {
        match parse(&bytes, path) {
            Parsed::Whole(request) => return Some(request),
            Parsed::Nonsense => return None,
            Parsed::MoreToCome => (),
        }
        let mut piece = [0; 4096];
        let n_bytes = stream.read(&mut piece).await.ok()?;
        if n_bytes == 0 || REQUEST_BYTES_MAX < bytes.len() {
            return None;
        }
        bytes.extend_from_slice(piece.get(..n_bytes)?);
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8], path: &str) -> Parsed<T> {
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n");
    let Some((head, body)) = end.and_then(|it| bytes.split_at_checked(it + 4)) else {
        return Parsed::MoreToCome;
    };
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let header = |name: &str| {
        let mut lines = head.split("\r\n").filter_map(|it| it.split_once(':'));
        let value = lines.find(|it| it.0 == name).map(|it| it.1.trim());
        value.map(ToOwned::to_owned)
    };
    let is_asked = head.starts_with(&format!("post {path} "));
    let length = header("content-length").and_then(|it| it.parse().ok());
    let Some(length) = length.filter(|_| is_asked) else {
        return Parsed::Nonsense;
    };
    let Some(body) = body.get(..length) else {
        return Parsed::MoreToCome;
    };
    match serde_json::from_slice(body) {
        Ok(body) => Parsed::Whole(Request {
            key: header("idempotency-key"),
            body,
        }),
        Err(_) => Parsed::Nonsense,
    }
}

/// Answers, and closes the connection.
pub(super) async fn write(stream: &mut TcpStream, (status, body): &Answer) {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} Sandbox\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    // A caller that has left wants no answer.
    stream.write_all(answer.as_bytes()).await.ok();
    stream.shutdown().await.ok();
}

/// Waits until the caller leaves.
pub(super) async fn hold(stream: &mut TcpStream) {
    let mut rest = [0; 1];
    while let Ok(1..) = stream.read(&mut rest).await {}
}
