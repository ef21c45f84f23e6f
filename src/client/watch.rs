//! A second pair of eyes on each attempt: for `oncely storm`, which writes a history of them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Request;

use super::response::Response;
use super::transport::{Lost, Transport};

/// Is told of each attempt.
pub(crate) trait Watch: fmt::Debug + Send + Sync {
    /// A request is about to be sent. The number returned names it from here on.
    fn sending(&self, request: &Request<Bytes>) -> u64;
    /// It was answered.
    fn answered(&self, call: u64, response: &Response);
    /// It will not be answered.
    fn lost(&self, call: u64);
}

/// A transport whose attempts are watched.
#[derive(Debug)]
pub(super) struct Watched<T> {
    pub(super) transport: T,
    pub(super) watch: Arc<dyn Watch>,
}

impl<T: Transport> Transport for Watched<T> {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response, Lost>> {
        Box::pin(async move {
            let mut open = Open {
                call: self.watch.sending(&request),
                watch: &*self.watch,
                is_ended: false,
            };
            let answer = self.transport.send(request).await;
            if let Ok(response) = &answer {
                open.is_ended = true;
                self.watch.answered(open.call, response);
            }
            answer
        })
    }
}

/// An attempt under way: without an answer, or dropped by its client's patience, it is lost.
struct Open<'a> {
    call: u64,
    watch: &'a dyn Watch,
    is_ended: bool,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.is_ended {
            self.watch.lost(self.call);
        }
    }
}
