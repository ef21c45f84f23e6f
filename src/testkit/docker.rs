//! Containers that keep their port through a SIGKILL, and of which none outlives this process.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use testcontainers::bollard::query_parameters::{
    KillContainerOptions, RestartContainerOptions, WaitContainerOptions,
};
use testcontainers::core::IntoContainerPort;
use testcontainers::core::client::docker_client_instance;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use super::environment;
use crate::servers::{LastWill, free_port};

/// How often a start looks for a port: each round fails only if somebody took it in between.
const PORT_TRIES: u32 = 10;
/// An engine on this machine answers in milliseconds.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(5);
/// The label by which the last will finds our containers.
const OWNER_LABEL: &str = "oncely.testkit.owner";

/// Removes what carries our label. A container may still be being created when we end, so it looks
/// until nothing was found twice in a row.
const REMOVE_OURS: &str = "empty=0; while [ $empty -lt 2 ]; do \
    found=$(docker ps -aq --filter \"label=$1\") || exit 0; \
    if [ -n \"$found\" ]; then empty=0; docker rm -f -v $found; \
    else empty=$((empty + 1)); [ $empty -ge 2 ] || sleep 1; fi; done";

/// What to run in a container.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) image: (String, String),
    pub(super) port: u16,
    pub(super) command: Vec<String>,
    pub(super) environment: Vec<(&'static str, String)>,
}

/// A running container. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Container {
    /// Taken by the drop.
    handle: Option<ContainerAsync<GenericImage>>,
    pub(super) host: String,
    pub(super) port: u16,
}

/// Tells whether a Docker engine answers and has the images, or the reason why not.
///
/// A test that needs Docker asks [`is_usable_or_say_so`], which does not let it be skipped silently.
pub async fn is_usable() -> anyhow::Result<()> {
    in_engine_room(async {
        let engine = docker_client_instance().await?;
        let ping = tokio::time::timeout(ENGINE_TIMEOUT, engine.ping()).await;
        ping.context("the Docker engine did not answer in time")?
            .context("no Docker engine answers")?;
        for (variable, default) in [
            (environment::REDIS_IMAGE, "redis:7"),
            (environment::POSTGRES_IMAGE, "postgres:15"),
        ] {
            let (name, tag) = environment::image(variable, default)?;
            let image = format!("{name}:{tag}");
            engine.inspect_image(&image).await.with_context(|| {
                format!("Docker has no image {image}; run `make images` or `docker pull {image}`")
            })?;
        }
        Ok(())
    })
    .await
}

/// Tells whether a test that needs Docker can run. Where it cannot, it says so past the capture of
/// test output, and panics if `ONCELY_TEST_DOCKER=required`.
pub async fn is_usable_or_say_so(test: &str) -> bool {
    let Err(reason) = is_usable().await else {
        return true;
    };
    let is_required = environment::read(environment::DOCKER).as_deref() == Some("required");
    assert!(
        !is_required,
        "{test} needs Docker, and {} is `required`: {reason:#}",
        environment::DOCKER
    );
    // Nothing is lost where standard error is closed.
    writeln!(
        std::io::stderr(),
        "\n!!! NOT RUN: {test} needs Docker: {reason:#}\n"
    )
    .ok();
    false
}

impl Container {
    pub(super) async fn start(recipe: Recipe) -> anyhow::Result<Self> {
        in_engine_room(start(recipe)).await
    }

    /// SIGKILL to the container's first process. `docker exec kill -9 1` would do nothing.
    pub(super) async fn kill(&self) -> anyhow::Result<()> {
        let id = self.id();
        in_engine_room(async move {
            let options = KillContainerOptions {
                signal: "KILL".to_owned(),
            };
            let engine = docker_client_instance().await?;
            engine.kill_container(&id, Some(options)).await?;
            // The engine answers before the process is gone.
            let mut exits = engine.wait_container(&id, None::<WaitContainerOptions>);
            // An exit by a signal is reported as an error, and it is what we wait for.
            drop(futures_util::StreamExt::next(&mut exits).await);
            Ok(())
        })
        .await
    }

    pub(super) async fn pause(&self) -> anyhow::Result<()> {
        let id = self.id();
        in_engine_room(async move {
            let engine = docker_client_instance().await?;
            Ok(engine.pause_container(&id).await?)
        })
        .await
    }

    pub(super) async fn resume(&self) -> anyhow::Result<()> {
        let id = self.id();
        in_engine_room(async move {
            let engine = docker_client_instance().await?;
            Ok(engine.unpause_container(&id).await?)
        })
        .await
    }

    /// Stops the container if it runs and starts it again, on the same port.
    pub(super) async fn restart(&self) -> anyhow::Result<()> {
        let id = self.id();
        in_engine_room(async move {
            let engine = docker_client_instance().await?;
            let none = None::<RestartContainerOptions>;
            Ok(engine.restart_container(&id, none).await?)
        })
        .await
    }

    /// The container's id.
    pub(super) fn id(&self) -> String {
        let handle = self.handle.as_ref();
        let handle = handle.expect("invariant: only the drop takes it");
        handle.id().to_owned()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let Some(container) = self.handle.take() else {
            return;
        };
        let (done, wait) = std::sync::mpsc::channel();
        // testcontainers removes a container on the runtime that it is dropped in.
        engine_room().spawn(async move {
            drop(container);
            done.send(()).ok();
        });
        // An error means that the engine room panicked; then the last will removes it.
        wait.recv_timeout(Duration::from_secs(30)).ok();
    }
}

async fn start(recipe: Recipe) -> anyhow::Result<Container> {
    let owner = owner()?;
    let (name, tag) = recipe.image;
    let mut tries = 1;
    loop {
        let port = free_port()?;
        let mut request = GenericImage::new(name.clone(), tag.clone())
            .with_cmd(recipe.command.clone())
            .with_mapped_port(port, recipe.port.tcp())
            .with_labels(HashMap::from([(OWNER_LABEL.to_owned(), owner.to_owned())]));
        for (variable, value) in &recipe.environment {
            request = request.with_env_var(*variable, value);
        }
        match request.start().await {
            Ok(container) => {
                let host = container.get_host().await?.to_string();
                return Ok(Container {
                    handle: Some(container),
                    host,
                    port,
                });
            }
            Err(error) if tries < PORT_TRIES && is_port_taken(&error) => tries += 1,
            Err(error) => {
                let words = format!("cannot start a container of {name}:{tag}");
                return Err(anyhow!(error).context(words));
            }
        }
    }
}

fn is_port_taken(error: &testcontainers::TestcontainersError) -> bool {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        write!(text, "{error} ").expect("invariant: a String takes any text");
        cause = error.source();
    }
    text.contains("port is already allocated") || text.contains("address already in use")
}

/// Names this process for the engine, and writes the will that removes its containers.
fn owner() -> anyhow::Result<&'static str> {
    static OWNER: OnceLock<Result<(String, LastWill), String>> = OnceLock::new();
    let owner = OWNER.get_or_init(|| {
        let owner = format!("{}-{}", std::process::id(), Uuid::new_v4().simple());
        let label = format!("{OWNER_LABEL}={owner}");
        match LastWill::write(REMOVE_OURS, &[&label]) {
            Ok(will) => Ok((owner, will)),
            Err(error) => Err(format!("{:#}", anyhow!(error))),
        }
    });
    match owner {
        Ok((owner, _)) => Ok(owner),
        Err(reason) => bail!("containers would be left behind: {reason}"),
    }
}

/// The client of the engine is bound to the runtime that first used it, and each test has a runtime
/// of its own. So everything about containers happens on one that lasts.
fn engine_room() -> &'static Runtime {
    static ROOM: OnceLock<Runtime> = OnceLock::new();
    ROOM.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("testkit-docker")
            .enable_all()
            .build()
            .expect("invariant: a thread and a poll can be had")
    })
}

async fn in_engine_room<F, T>(work: F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
    T: Send + 'static,
{
    engine_room().spawn(work).await?
}
