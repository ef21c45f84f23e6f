//! The only place where the testkit reads the environment.

use anyhow::{Context, bail};

/// An existing Postgres to use.
pub const DATABASE_URL: &str = "ONCELY_TEST_DATABASE_URL";
/// An existing Redis to use.
pub const REDIS_URL: &str = "ONCELY_TEST_REDIS_URL";
/// `docker`, `local` or `auto`.
pub const BACKEND: &str = "ONCELY_TEST_BACKEND";
/// `required` where a test that needs Docker and cannot have it must fail.
pub const DOCKER: &str = "ONCELY_TEST_DOCKER";
/// The image of Postgres, `postgres:15` by default.
pub const POSTGRES_IMAGE: &str = "ONCELY_TEST_POSTGRES_IMAGE";
/// The image of Redis, `redis:7` by default.
pub const REDIS_IMAGE: &str = "ONCELY_TEST_REDIS_IMAGE";

/// Reads a variable; one that is empty counts as not set.
#[expect(
    clippy::disallowed_methods,
    reason = "the testkit is configured by the environment of a test run, not by src/config"
)]
pub(super) fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Splits the image in `variable`, or `default`, into its name and its tag.
pub(super) fn image(variable: &str, default: &str) -> anyhow::Result<(String, String)> {
    let image = read(variable).unwrap_or_else(|| default.to_owned());
    split_image(&image).with_context(|| format!("{variable} is not an image: {image:?}"))
}

fn split_image(image: &str) -> anyhow::Result<(String, String)> {
    match image.rsplit_once(':') {
        // A colon before a slash separates a registry's port.
        Some((name, tag)) if !tag.contains('/') => Ok((name.to_owned(), tag.to_owned())),
        _ if image.is_empty() => bail!("it is empty"),
        _ => Ok((image.to_owned(), "latest".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_split_at_its_tag_and_not_at_a_registrys_port() {
        let split = |image| split_image(image).unwrap();
        assert_eq!(split("redis:7"), ("redis".to_owned(), "7".to_owned()));
        let registry = "registry:5000/redis";
        assert_eq!(split(registry), (registry.to_owned(), "latest".to_owned()));
    }
}
