//! A private stack: Redis, Postgres, a card processor, and the service as four processes of this
//! very binary. All of it is gone when this process is, however that ends.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::field::{Field, Part};
use crate::config::TokenDigest;
use crate::sandbox::Processor;
use crate::servers::{self, Server, free_port, postgres, program, redis};
use crate::{ledger, payments};

const SETTINGS: &str = include_str!("storm.toml");

/// Who orders.
pub(super) const TENANT: &str = "demo";

/// A running stack. Dropping it stops everything.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) field: Field,
    /// The process behind the gate, and one beside it.
    pub(super) api_urls: [String; 2],
    pub(super) admin_urls: Vec<String>,
    pub(super) database_url: String,
    pub(super) token: String,
    pub(super) processor: Processor,
}

/// How the processes of the service are started.
struct Recipe {
    binary: PathBuf,
    config: PathBuf,
}

/// The processes of the service, and where the API is.
struct Started {
    services: Vec<(Part, Server)>,
    api_urls: [String; 2],
}

impl Stack {
    /// Starts everything and waits until it serves.
    pub(super) async fn start() -> Result<Self> {
        let processor = Processor::start(true).await?;
        let processor_url = processor.url().to_owned();
        let (redis, postgres) = blocking(|| {
            servers::check_installed()?;
            let redis = redis::Options::default().start()?;
            Ok((redis, postgres::Options::default().start()?))
        })
        .await?;
        let (redis, postgres) = (Arc::new(redis), Arc::new(postgres));
        let database_url = postgres.url();
        prepare(&database_url).await?;
        let token = format!("storm_{}", Uuid::new_v4().simple());
        let settings = settings(&redis.url(), &database_url, &processor_url, &token);
        // In the directory of Redis, because its warden removes it whatever happens to us.
        let config = redis.directory().join("oncely.toml");
        fs::write(&config, settings).context("write the settings of the processes")?;
        let binary = std::env::current_exe().context("find our own binary")?;
        let recipe = Recipe { binary, config };
        let Started { services, api_urls } = blocking(move || recipe.start()).await?;

        let mut field = Field::given(&[], Some(redis.url()));
        field.add(Part::Redis, redis);
        field.add(Part::Postgres, postgres);
        let admin_urls = services.iter().map(|(_, it)| it.url()).collect();
        for (part, server) in services {
            field.add(part, Arc::new(server));
        }
        Ok(Self {
            field,
            api_urls,
            admin_urls,
            database_url,
            token,
            processor,
        })
    }
}

impl Recipe {
    fn start(&self) -> Result<Started> {
        let one = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let other = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let services = [
            (Part::Api, "api", Some(one)),
            (Part::OtherApi, "api", Some(other)),
            (Part::Relay, "relay", None),
            (Part::Consumer, "consumer", None),
        ];
        let mut started = Vec::new();
        for (part, role, api) in services {
            let server = self.program(role, api).start()?;
            started.push((part, server));
        }
        Ok(Started {
            services: started,
            api_urls: [one, other].map(|it| format!("http://{it}")),
        })
    }

    /// The private server's port is the admin port, which each of them has.
    fn program(&self, role: &'static str, api: Option<SocketAddr>) -> program::Options {
        let word = |it: &Path| it.to_string_lossy().into_owned();
        let mut words = vec![word(&self.binary), "serve".to_owned()];
        words.extend(["--role".to_owned(), role.to_owned()]);
        words.extend(["--config".to_owned(), word(&self.config)]);
        words.extend(["--admin-addr".to_owned(), "127.0.0.1:{port}".to_owned()]);
        if let Some(api) = api {
            words.extend(["--http-addr".to_owned(), api.to_string()]);
        }
        program::Options {
            name: role,
            words,
            ready_path: "/livez",
        }
    }
}

fn settings(redis: &str, database: &str, processor: &str, token: &str) -> String {
    let digest = TokenDigest::of(token).to_hex();
    format!(
        "database_url = \"{database}\"\nredis_url = \"{redis}\"\n{SETTINGS}\n\
         [auth]\ntokens = {{ {TENANT} = [\"{digest}\"] }}\n\n\
         [processor]\nurl = \"{processor}\"\ntimeout = \"700ms\"\n"
    )
}

/// Makes the tables, and fills the shelves.
async fn prepare(url: &str) -> Result<()> {
    let mut connection = PgConnection::connect(url)
        .await
        .context("connect to the private Postgres")?;
    ledger::migrate(&mut connection).await?;
    payments::migrate(&mut connection)
        .await
        .context("migrate the payment path's tables")?;
    sqlx::query(
        "INSERT INTO public.inventory (tenant, sku, available) VALUES ($1, $2, 1000000000)",
    )
    .bind(TENANT)
    .bind(super::customer::SKU)
    .execute(&mut connection)
    .await
    .context("fill the shelves")?;
    connection.close().await.context("close a connection")
}

/// Runs what blocks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.context("start the private stack")?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_the_processes_keep_every_rule() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("oncely.toml");
        let text = settings(
            "redis://127.0.0.1:1/",
            "postgres://postgres@127.0.0.1:2/postgres",
            "http://127.0.0.1:3",
            "token",
        );
        fs::write(&file, text).unwrap();
        let sources = crate::config::Sources {
            file: Some(file),
            ..Default::default()
        };
        let config = crate::config::load(sources).unwrap().config;
        assert!(config.required_for_serve().is_empty());
        assert!(config.processor.accepts_keys);
    }
}
