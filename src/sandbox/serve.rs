//! The processor's counter: one request on each connection, read and answered by hand, because no
//! HTTP library hangs up without an answer when it is told to.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::books::{Answer, Order};
use super::{Desk, Quirk, lock};

/// The largest request that is read.
const REQUEST_BYTES_MAX: usize = 65_536;

/// A request, as far as it matters.
struct Request {
    key: Option<String>,
    order: Order,
}

/// What has arrived so far.
enum Parsed {
    Order(Request),
    MoreToCome,
    Nonsense,
}

pub(super) async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let mut clients = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let desk = Arc::clone(&desk);
        clients.spawn(async move { attend(stream, &desk).await });
        while clients.try_join_next().is_some() {}
    }
}

/// An error ends the connection, which is all that a caller would be told.
async fn attend(mut stream: TcpStream, desk: &Desk) {
    let Some(request) = read(&mut stream).await else {
        write(&mut stream, &(400, String::new())).await;
        return;
    };
    let Some((answer, quirk)) = desk.settle(request) else {
        return;
    };
    match quirk {
        Quirk::AnswerLate(wait) => sleep(wait).await,
        Quirk::NeverAnswer => {
            // Until the caller leaves.
            let mut rest = [0; 1];
            while let Ok(1..) = stream.read(&mut rest).await {}
            return;
        }
        Quirk::None
        | Quirk::Decline
        | Quirk::FailBeforeWork(_)
        | Quirk::FailAfterWork(_)
        | Quirk::HangUpBeforeWork
        | Quirk::HangUpAfterWork => (),
    }
    write(&mut stream, &answer).await;
}

impl Desk {
    /// Does what is asked, and says what to answer; `None` where nothing is answered.
    fn settle(&self, Request { key, order }: Request) -> Option<(Answer, Quirk)> {
        let quirk = self.quirk(&order.source);
        let key = key.as_deref();
        let mut books = lock(&self.books);
        books.arrive(key, &order);
        let known = key.filter(|_| self.accepts_keys);
        let answer = match quirk {
            Quirk::FailBeforeWork(status) => Some((status, String::new())),
            Quirk::HangUpBeforeWork => None,
            Quirk::Decline => Some(books.settle(known, order, true)),
            Quirk::None | Quirk::AnswerLate(_) | Quirk::NeverAnswer => {
                Some(books.settle(known, order, false))
            }
            Quirk::FailAfterWork(status) => {
                books.settle(known, order, false);
                Some((status, String::new()))
            }
            Quirk::HangUpAfterWork => {
                books.settle(known, order, false);
                None
            }
        };
        drop(books);
        self.n_seen.send_modify(|it| *it += 1);
        answer.map(|it| (it, quirk))
    }
}

/// Reads `POST /charges`; `None` for anything else.
async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        match parse(&bytes) {
            Parsed::Order(request) => return Some(request),
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

fn parse(bytes: &[u8]) -> Parsed {
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
    let length = header("content-length").and_then(|it| it.parse().ok());
    let Some(length) = length.filter(|_| head.starts_with("post /charges ")) else {
        return Parsed::Nonsense;
    };
    let Some(body) = body.get(..length) else {
        return Parsed::MoreToCome;
    };
    match serde_json::from_slice(body) {
        Ok(order) => Parsed::Order(Request {
            key: header("idempotency-key"),
            order,
        }),
        Err(_) => Parsed::Nonsense,
    }
}

async fn write(stream: &mut TcpStream, (status, body): &Answer) {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} Sandbox\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    // A caller that has left wants no answer.
    stream.write_all(answer.as_bytes()).await.ok();
    stream.shutdown().await.ok();
}
