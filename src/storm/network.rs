//! The network's bad days, at the gate between the customers and the API.

use std::time::Duration;

use super::plan::{Blow, Deed};
use super::timeline::Timeline;
use crate::proxy::Proxy;

/// How long a cut waits for a request to cut. In a lull there is none.
const PATIENCE: Duration = Duration::from_millis(400);

/// Any of our requests, and any answer.
const REQUEST: &str = "POST /";
const ANSWER: &str = "HTTP/1.1 ";

/// Cuts what the plan wants cut, one after the other. Only cuts that met a request are counted.
pub(super) async fn blow(gate: &Proxy, cuts: &[Blow], timeline: &Timeline) {
    for cut in cuts {
        timeline.until(cut.at).await;
        let from = timeline.elapsed();
        let fired = match cut.fault.deed() {
            Deed::LoseRequest => gate.cut_before(REQUEST),
            Deed::LoseResponse => gate.cut_after(REQUEST, ANSWER),
            Deed::Reset => {
                gate.sever().await;
                timeline.mark(cut.fault, from);
                continue;
            }
            Deed::Kill | Deed::Pause | Deed::Flush | Deed::Silence => continue,
        };
        match tokio::time::timeout(PATIENCE, fired.wait()).await {
            Ok(Ok(())) => timeline.mark(cut.fault, from),
            Ok(Err(_)) | Err(_) => gate.disarm(),
        }
    }
}
