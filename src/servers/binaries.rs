//! Finds installed server binaries: in PATH first, then where packages put them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::Error;

/// A program that we need and the packages that bring it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binary {
    pub(super) name: &'static str,
    pub(super) debian: &'static str,
    pub(super) homebrew: &'static str,
}

pub(super) const REDIS_SERVER: Binary = Binary {
    name: "redis-server",
    debian: "redis-server",
    homebrew: "redis",
};

pub(super) const POSTGRES: Binary = Binary {
    name: "postgres",
    debian: "postgresql",
    homebrew: "postgresql@17",
};

const PSQL: Binary = Binary {
    name: "psql",
    debian: "postgresql-client",
    homebrew: "postgresql@17",
};

/// Homebrew's prefixes, on Apple silicon and on Intel. Versioned formulas are not linked into PATH.
const HOMEBREW: [&str; 2] = ["/opt/homebrew/opt", "/usr/local/opt"];

/// Finds `binary`, or says how to install it.
pub(super) fn find(binary: Binary) -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    find_in(binary, env::split_paths(&path).chain(usual_places()))
}

/// Whether both servers are installed; if not, the error names what is missing.
pub fn check_installed() -> Result<(), Error> {
    find(REDIS_SERVER)?;
    find(POSTGRES).map(drop)
}

/// The `psql` beside the Postgres that [`postgres::Options::start`](super::postgres::Options::start)
/// would start, where there is one, else the one in PATH or in the usual places.
///
/// Homebrew does not link versioned formulas into PATH, so there a bare `psql` is not found.
pub fn psql() -> Result<PathBuf, Error> {
    let postgres = find(POSTGRES).ok();
    let beside = postgres.and_then(|it| fs::canonicalize(it).ok()?.parent().map(Path::to_owned));
    let path = env::var_os("PATH").unwrap_or_default();
    let elsewhere = env::split_paths(&path).chain(usual_places());
    find_in(PSQL, beside.into_iter().chain(elsewhere))
}

fn find_in(binary: Binary, folders: impl Iterator<Item = PathBuf>) -> Result<PathBuf, Error> {
    folders
        .map(|folder| folder.join(binary.name))
        .find(|file| file.is_file())
        .ok_or(Error::Missing {
            binary: binary.name,
            debian: binary.debian,
            homebrew: binary.homebrew,
        })
}

fn usual_places() -> impl Iterator<Item = PathBuf> {
    let debian = newest_first("/usr/lib/postgresql", "");
    let red_hat = newest_first("/usr", "pgsql-");
    let homebrew = HOMEBREW.iter().flat_map(|prefix| {
        let redis = Path::new(prefix).join("redis");
        let plain = Path::new(prefix).join("postgresql");
        let mut folders = newest_first(prefix, "postgresql@");
        folders.extend([redis, plain]);
        folders
    });
    debian
        .into_iter()
        .chain(red_hat)
        .chain(homebrew)
        .map(|folder| folder.join("bin"))
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/bin")])
}

/// The folders of `parent` that are called `prefix` and a version number, the newest first.
fn newest_first(parent: impl AsRef<Path>, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path()))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_binary_names_the_fix() {
        let error = find_in(REDIS_SERVER, std::iter::empty()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "redis-server was not found in PATH or in the usual places; install it: \
             apt-get install redis-server / brew install redis"
        );
    }

    #[test]
    fn psql_is_found_beside_postgres() {
        let postgres = fs::canonicalize(find(POSTGRES).unwrap()).unwrap();
        let beside = postgres.with_file_name("psql");
        let psql = psql().unwrap();
        assert!(psql == beside || !beside.exists(), "{}", psql.display());
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["9", "15", "17", "common", "16-beta"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        let found: Vec<_> = newest_first(parent.path(), "")
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(found, ["17", "15", "9"]);
    }
}
