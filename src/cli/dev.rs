//! `oncely dev`: everything in one command, and nothing left of it afterwards.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use comfy_table::{Table, presets};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::migrate::bring_up;
use super::output::{complain, say};
use super::runtime::{block_on, stop_signal};
use super::serve::fail_points;
use super::{DevCommand, Settings};
use crate::app::{Server, open_store, start_messages};
use crate::config::{Config, Loaded, Origin, Secret};
use crate::domain::Tenant;
use crate::payments;
use crate::sandbox::{Processor, TaxService};
use crate::servers::{self, postgres, redis};
use crate::shutdown::Tasks;
use crate::telemetry::{install_logs, install_metrics};

/// The servers that were started for this run. Dropping them stops them.
struct Private {
    postgres: Option<servers::Server>,
    redis: Option<servers::Server>,
    processor: Option<Processor>,
    tax: Option<TaxService>,
}

/// What the newcomer is shown.
struct Shown {
    api: SocketAddr,
    admin: SocketAddr,
    token: Option<String>,
}

impl DevCommand {
    /// Starts what is missing, migrates, serves, and stops all of it again.
    pub fn run(self, settings: &Settings) -> Result<ExitCode> {
        let loaded = settings.load()?;
        install_logs(&loaded.config.log)?;
        block_on(self.dev(loaded))
    }

    async fn dev(self, loaded: Loaded) -> Result<ExitCode> {
        // Caught from here on, so that a Ctrl-C during the start cleans up as well.
        let stop = stop_signal()?;
        tokio::pin!(stop);
        let is_retained = self.retain;
        let preparing = self.prepare(loaded);
        let (server, private, text) = tokio::select! {
            prepared = preparing => prepared?,
            () = &mut stop => return Ok(ExitCode::SUCCESS),
        };
        say(&text)?;
        let is_drained = server.run(stop).await;
        let directories = private.directories();
        tokio::task::spawn_blocking(move || drop(private))
            .await
            .context("stop the servers")?;
        if is_retained {
            say(&format!("stopped; kept {}\n", directories.join(" and ")))?;
        } else {
            say("stopped; nothing is left running, and nothing on disk\n")?;
        }
        Ok(if is_drained {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    async fn prepare(self, loaded: Loaded) -> Result<(Server, Private, String)> {
        let ports = [
            free_if_default(&loaded, "http_addr"),
            free_if_default(&loaded, "admin_addr"),
        ];
        let mut config = loaded.config;
        let [is_http_free, is_admin_free] = ports;
        if !is_http_free {
            config.http_addr.set_port(0);
        }
        if !is_admin_free {
            config.admin_addr.set_port(0);
        }
        let private = self.start_servers(&mut config).await?;
        let url = config
            .database_url
            .clone()
            .context("`database_url` is not set")?;
        bring_up(&url).await?;
        let token = invent_token(&mut config)?;
        stock_up(&url, &config).await?;
        let tasks = Tasks::default();
        let render = install_metrics(&tasks).context("install the metrics")?;
        config.ledger.allow_unsafe_durability |= self.allow_unsafe_durability;
        let points = fail_points()?;
        let store = open_store(&config, &tasks, points.clone()).await?;
        start_messages(&config, &store, payments::consumers(), &points).await?;
        let server = Server::bind(&config, store, render).await?;
        let (api, admin) = server.addresses().context("read the bound addresses")?;
        let api = api.context("`roles` must name `api` for `oncely dev`")?;
        let text = show(&config, &private, &Shown { api, admin, token });
        Ok((server, private, text))
    }

    async fn start_servers(&self, config: &mut Config) -> Result<Private> {
        let mut private = Private {
            postgres: None,
            redis: None,
            processor: None,
            tax: None,
        };
        let keep_directory = self.retain;
        if config.database_url.is_none() {
            let options = postgres::Options {
                keep_directory,
                ..postgres::Options::default()
            };
            let server = start_private("Postgres", move || options.start()).await?;
            config.database_url = Some(Secret::new(server.url()));
            private.postgres = Some(server);
        }
        if config.redis_url.is_none() {
            let options = redis::Options {
                keep_directory,
                ..redis::Options::default()
            };
            let server = start_private("Redis", move || options.start()).await?;
            config.redis_url = Some(Secret::new(server.url()));
            private.redis = Some(server);
        }
        if config.processor.url.is_none() {
            let processor = Processor::start(config.processor.accepts_keys).await?;
            config.processor.url = Some(Secret::new(processor.url()));
            private.processor = Some(processor);
        }
        if config.tax.url.is_none() {
            let tax = TaxService::start().await?;
            config.tax.url = Some(Secret::new(tax.url()));
            private.tax = Some(tax);
        }
        Ok(private)
    }
}

async fn start_private(
    name: &'static str,
    start: impl FnOnce() -> Result<servers::Server, servers::Error> + Send + 'static,
) -> Result<servers::Server> {
    complain(&format!("starting a private {name} …\n"));
    let started = tokio::task::spawn_blocking(start).await;
    started
        .with_context(|| format!("start {name}"))?
        .with_context(|| format!("start {name}"))
}

impl Private {
    fn directories(&self) -> Vec<String> {
        let servers = [&self.postgres, &self.redis].into_iter().flatten();
        servers
            .map(|it| it.directory().display().to_string())
            .collect()
    }
}

/// Whether the address may be used as it is: it was asked for by name, or nobody else has it.
fn free_if_default(loaded: &Loaded, key: &str) -> bool {
    let address = if key == "http_addr" {
        loaded.config.http_addr
    } else {
        loaded.config.admin_addr
    };
    !matches!(loaded.origin(key), Origin::Default) || TcpListener::bind(address).is_ok()
}

/// A token for the tenant `demo`, where the settings have none.
fn invent_token(config: &mut Config) -> Result<Option<String>> {
    if !config.auth.tokens.is_empty() {
        return Ok(None);
    }
    let token = format!("dev_{}", Uuid::new_v4().simple());
    config
        .auth
        .allow(Tenant::new("demo").context("name the tenant")?, &token);
    Ok(Some(token))
}

/// Something to reserve, for every tenant.
async fn stock_up(url: &Secret, config: &Config) -> Result<()> {
    let mut connection = PgConnection::connect(url.expose())
        .await
        .context("connect to the database")?;
    for tenant in config.auth.tokens.keys() {
        let stocked = payments::stock_up(&mut connection, tenant).await;
        stocked.context("put something into stock")?;
    }
    connection.close().await.context("close the connection")
}

fn show(config: &Config, private: &Private, shown: &Shown) -> String {
    let Shown { api, admin, token } = shown;
    let url = |it: &Option<Secret>| it.as_ref().map(Secret::redacted_url).unwrap_or_default();
    let process = |it: &Option<servers::Server>| match it.as_ref().and_then(servers::Server::pid) {
        Some(pid) => format!("private, pid {pid}"),
        None => "yours".to_owned(),
    };
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.add_row(["API", &format!("http://{api}"), ""]);
    table.add_row(["health", &format!("http://{admin}/readyz"), ""]);
    table.add_row(["metrics", &format!("http://{admin}/metrics"), ""]);
    table.add_row([
        "Postgres",
        &url(&config.database_url),
        &process(&private.postgres),
    ]);
    table.add_row(["Redis", &url(&config.redis_url), &process(&private.redis)]);
    let sandbox = |is_ours| {
        if is_ours {
            "a sandbox, in this process"
        } else {
            "yours"
        }
    };
    table.add_row([
        "card processor",
        &url(&config.processor.url),
        sandbox(private.processor.is_some()),
    ]);
    table.add_row([
        "tax service",
        &url(&config.tax.url),
        sandbox(private.tax.is_some()),
    ]);
    let tenants = config.auth.tokens.keys().map(Tenant::as_str);
    let tenants = format!("tenant {}", tenants.collect::<Vec<_>>().join(", "));
    let token = token
        .as_deref()
        .unwrap_or("yours; put it into $TOKEN before you paste");
    table.add_row(["token", token, &tenants]);
    let bearer = shown.token.as_deref().unwrap_or("$TOKEN");
    let key = Uuid::new_v4();
    let curl = |amount: u32| {
        format!(
            "curl -i http://{api}/charge -H \"Authorization: Bearer {bearer}\" \
             -H 'Idempotency-Key: {key}' -H 'Content-Type: application/json' \
             -d '{{\"amount\": {amount}, \"currency\": \"USD\", \"source\": \"tok_visa\"}}'"
        )
    };
    let kill = private.redis.as_ref().and_then(servers::Server::pid).map_or_else(String::new, |pid| {
        format!(
            "# Now break it: kill Redis, send the first one again, and nobody is charged twice.\n\
             kill -9 {pid}\n\n"
        )
    });
    format!(
        "{table}\n\n\
         # A charge is made: 201, Idempotency-Status: created.\n{}\n\n\
         # The same again: the same bytes, Idempotent-Replayed: true, and no second charge.\n{}\n\n\
         # The same key for another amount: 422 key-reused.\n{}\n\n\
         {kill}Ctrl-C stops everything.\n",
        curl(4200),
        curl(4200),
        curl(9900),
    )
}
