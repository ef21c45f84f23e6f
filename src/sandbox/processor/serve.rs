//! The processor's counter: what is done, and what of it the caller is told.

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::books::Order;
use super::{Desk, Quirk, lock};
use crate::sandbox::counter::{Answer, Request, hold, read, write};

/// An error ends the connection, which is all that a caller would be told.
pub(super) async fn attend(mut stream: TcpStream, desk: &Desk) {
    let Some(request) = read(&mut stream, "/charges").await else {
        return;
    };
    let Some((answer, quirk)) = desk.settle(request) else {
        return;
    };
    match quirk {
        Quirk::AnswerLate(wait) => sleep(wait).await,
        Quirk::NeverAnswer => {
            hold(&mut stream).await;
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
    fn settle(&self, Request { key, body: order }: Request<Order>) -> Option<(Answer, Quirk)> {
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
