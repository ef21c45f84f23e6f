//! A client that sends bytes as they are: heads and bodies that no HTTP library would send.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{App, Reply};

/// The end of a head.
const HEAD_END: &[u8] = b"\r\n\r\n";

impl App {
    /// A connection to the app.
    pub(crate) async fn connect(&self) -> TcpStream {
        let address = self.url.strip_prefix("http://").unwrap();
        TcpStream::connect(address).await.unwrap()
    }

    /// `POST /charge` of tenant `demo` with these header lines, each without its line end.
    pub(crate) async fn post_lines(&self, lines: &[&[u8]], body: &[u8]) -> Reply {
        self.post_raw("/charge", lines, body).await
    }

    /// `POST` of tenant `demo` with a JSON body and these header lines.
    pub(crate) async fn post_raw(&self, path: &str, lines: &[&[u8]], body: &[u8]) -> Reply {
        let length = format!("content-length: {}", body.len());
        let lines = [
            lines,
            &[b"content-type: application/json", length.as_bytes()],
        ]
        .concat();
        self.exchange(&[&head(path, &lines), body].concat()).await
    }

    /// Sends bytes and reads the answer to the connection's end.
    pub(crate) async fn exchange(&self, request: &[u8]) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        parse(&answer)
    }
}

/// The head of a `POST` of tenant `demo`, on a connection that is closed after its answer.
pub(crate) fn head(path: &str, lines: &[&[u8]]) -> Vec<u8> {
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer demo-token\r\n"
    )
    .into_bytes();
    for line in lines {
        head.extend_from_slice(line);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn parse(answer: &[u8]) -> Reply {
    let end = answer.windows(4).position(|it| it == HEAD_END).unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    Reply {
        status: status.parse().unwrap(),
        headers,
        body: Bytes::copy_from_slice(&answer[end + HEAD_END.len()..]),
    }
}
