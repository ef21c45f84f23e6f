//! A stack that is there: who may be attacked, and what is known of it.

use std::fs;
use std::net::IpAddr;

use anyhow::{Context as _, Result};
use reqwest::Url;

use super::StormCommand;
use crate::cli::Settings;
use crate::domain::Tenant;
use crate::storm::Given;

/// What was asked for, or why it is refused.
pub(super) enum Asked {
    Private,
    Given(Given),
    Refused(String),
}

impl StormCommand {
    /// Reads what is known of the stack to be attacked.
    pub(super) fn given(&self, settings: &Settings) -> Result<Asked> {
        let Some(url) = &self.url else {
            let is_set = settings.database_url.is_some() || settings.redis_url.is_some();
            return Ok(if is_set {
                Asked::Refused(
                    "--database-url and --redis-url go with --url: a private stack has its own"
                        .to_owned(),
                )
            } else {
                Asked::Private
            });
        };
        let (config, database_url) = settings.load_with_database()?;
        let flush = config.redis_url.filter(|_| self.may_flush);
        if self.may_flush && flush.is_none() {
            return Ok(Asked::Refused("--may-flush needs --redis-url".to_owned()));
        }
        let redis_url = flush.as_ref().map(|it| ("--redis-url", it.expose()));
        let admin_urls = self.admin_url.iter().map(|it| ("--admin-url", it.as_str()));
        let urls = [
            ("--url", url.as_str()),
            ("--database-url", database_url.expose()),
        ];
        for (flag, url) in urls.into_iter().chain(redis_url).chain(admin_urls) {
            if !self.allow_remote && !is_loopback(url) {
                return Ok(Asked::Refused(format!(
                    "{flag} leads to another machine; if its owner agrees, add --allow-remote"
                )));
            }
        }
        if !url.starts_with("http://") {
            return Ok(Asked::Refused(
                "--url has to begin with http://: requests are cut in the middle, which needs \
                 them in plain"
                    .to_owned(),
            ));
        }
        let token_file = self
            .token_file
            .as_ref()
            .context("--token-file is missing")?;
        let token = fs::read_to_string(token_file)
            .with_context(|| format!("read the token in {}", token_file.display()))?;
        let tenant = match Tenant::new(&self.tenant) {
            Ok(tenant) => tenant,
            Err(wrong) => return Ok(Asked::Refused(format!("--tenant: {wrong}"))),
        };
        Ok(Asked::Given(Given {
            url: url.trim_end_matches('/').to_owned(),
            database_url,
            tenant,
            token: token.trim().to_owned(),
            admin_urls: self.admin_url.clone(),
            may_kill: self.may_kill.clone(),
            flush,
        }))
    }
}

/// Whether a URL leads to this machine, as far as it says so itself. A URL that can't be read does not.
fn is_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    // Such a URL could name other hosts behind the first one.
    let names_another = url.query_pairs().any(|(name, _)| name.starts_with("host"));
    let is_local = match url.host_str() {
        // A socket in the file system.
        None | Some("") => true,
        Some(host) => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let address = bare.parse::<IpAddr>();
            host == "localhost" || address.is_ok_and(|it| it.is_loopback())
        }
    };
    is_local && !names_another
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for url in [
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:80/",
            "postgres://u:p@127.9.9.9/x",
            "redis://localhost:6379/0",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "http://localhost.example",
            "postgres://localhost@db.example/x",
            "postgres://localhost/x?hostaddr=10.0.0.1",
            "postgres:///x?host=db.example",
            "nowhere",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
