//! The whole service in a thread and a runtime of its own, so that it can end as a process does.

use std::thread::JoinHandle;

use oncely::app::{open_store, start_messages};
use oncely::config::{Config, Secret};
use oncely::failpoint::FailPoints;
use oncely::hot::Hot;
use oncely::http::{Options, Tokens};
use oncely::ledger::Ledger;
use oncely::payments;
use oncely::shutdown::Tasks;
use oncely::store::Store;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// How often a start is tried.
const STARTS: u32 = 20;

/// A running service. Ended or dropped, everything of it is dropped where it is.
pub(super) struct Victim {
    pub(super) url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Victim {
    /// Starts it. With `stub_lock`, its advisory lock always says yes.
    pub(super) async fn start(config: Config, points: FailPoints, stub_lock: bool) -> Self {
        let (tell, told) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let live = move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let url = Box::pin(serve(&config, &points, stub_lock)).await;
                tell.send(url).ok();
                // Dropped, it ends as well.
                stopped.await.ok();
            });
            // Nothing is drained and nothing waited for: each task is dropped at its await point.
            runtime.shutdown_background();
        };
        let thread = std::thread::spawn(live);
        Self {
            url: told.await.expect("the service starts"),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Ends it where it is, and waits until nothing of it is left.
    pub(super) async fn end(mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            tokio::task::spawn_blocking(|| thread.join())
                .await
                .unwrap()
                .unwrap();
        }
    }
}

async fn serve(config: &Config, points: &FailPoints, stub_lock: bool) -> String {
    let tasks = Tasks::default();
    let store = if stub_lock {
        without_lock(config, &tasks, points).await
    } else {
        opened(config, &tasks, points).await
    };
    start_messages(config, &store, payments::consumers(), points)
        .await
        .unwrap();
    let options = Options::new(&config.http, &config.idempotency).unwrap();
    let tokens = Tokens::new(&config.auth);
    let routes =
        payments::routes(&store, options, tokens, (&config.processor, &config.tax)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn_loop(async move { axum::serve(listener, routes).await.unwrap() });
    url
}

/// On a machine that does much else a start may fail: whoever watches over it starts it again.
async fn opened(config: &Config, tasks: &Tasks, points: &FailPoints) -> Store {
    let mut n_tries = 1;
    loop {
        match open_store(config, tasks, points.clone()).await {
            Ok(store) => return store,
            Err(error) => assert!(n_tries < STARTS, "{error:?}"),
        }
        n_tries += 1;
    }
}

async fn without_lock(config: &Config, tasks: &Tasks, points: &FailPoints) -> Store {
    let url: &Secret = config.database_url.as_ref().unwrap();
    let ledger = Ledger::new(url, &config.ledger, config.idempotency.retention).unwrap();
    let hot = Hot::start(config.redis_url.as_ref().unwrap(), &config.hot, tasks)
        .await
        .unwrap();
    let (hot, ledger) = (
        (hot, config.hot.clone()),
        (ledger.with_stubbed_lock(), config.ledger.clone()),
    );
    Store::open(hot, ledger, tasks.clone(), points.clone()).await
}
