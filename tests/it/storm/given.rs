//! A stack that somebody else runs: its network is cut, its database is read, nothing is killed.

use oncely::testkit::{Postgres, PostgresOptions, Redis, RedisOptions};

use super::Storm;
use crate::harness::{Process, migrated, run};

#[test]
fn a_given_stack_is_stormed_at_its_network_alone() {
    run(async {
        let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
        let database = migrated(postgres.url()).await;
        let redis = Redis::start(RedisOptions::default()).await.unwrap();
        let mut process = Process::serve(database.url(), redis.url(), &[]);
        let (url, admin_url) = process.serves().await;
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "demo-token\n").unwrap();
        let stack = [
            ["--url", &url],
            ["--admin-url", &admin_url],
            ["--database-url", database.url()],
            ["--token-file", token.to_str().unwrap()],
        ];
        let size = ["--operations", "40", "--duration", "6s", "--seed", "2"];
        let arguments = [&stack.concat()[..], &size].concat();
        let owned: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        let storm = tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = owned.iter().map(String::as_str).collect();
            Storm::brew(&arguments)
        });
        let storm = storm.await.unwrap();
        assert_eq!(storm.code, 0, "{}\n{}", storm.out, storm.complaints);
        assert_eq!(
            storm.last_line(),
            "40 operations, 40 effects applied, 0 violations"
        );
        let faults = storm.json()["faults"].clone();
        let names: Vec<&String> = faults.as_object().unwrap().keys().collect();
        let network = [
            "connections reset",
            "network silent",
            "request lost",
            "response lost",
        ];
        assert!(
            names.iter().all(|it| network.contains(&it.as_str())),
            "{names:?}"
        );
        assert!(names.iter().any(|it| *it == "response lost"), "{names:?}");
    });
}
