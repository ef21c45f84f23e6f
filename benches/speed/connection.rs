//! One HTTP/1.1 connection that costs as little as possible: the load driver shares the machine with
//! what it measures.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// More header lines than any answer here has.
const HEADERS_MAX: usize = 32;

/// A connection that is kept open from one exchange to the next.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Sends a whole request and reads the whole answer. Returns its status.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server hung up");
            }
            if let Some((status, length)) = head(&self.buffer)? {
                while self.buffer.len() < length {
                    if self.stream.read_buf(&mut self.buffer).await? == 0 {
                        bail!("the server hung up within a body");
                    }
                }
                return Ok(status);
            }
        }
    }
}

/// The status, and how long the whole answer is; `None` while its head is not complete.
fn head(bytes: &[u8]) -> Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else {
        return Ok(None);
    };
    let length = response
        .headers
        .iter()
        .find(|it| it.name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(Ok(0), |it| {
        std::str::from_utf8(it.value)?
            .parse::<usize>()
            .context("read a length")
    })?;
    let status = response.code.context("an answer without a status")?;
    Ok(Some((status, head + length)))
}
