//! A real Prometheus that scrapes every second and judges the very rules, with their times divided.

use std::fmt::Write as _;
use std::time::Duration;

use oncely::servers::{Server, prometheus};
use serde_json::Value;

use super::runbook::file;
use crate::harness::{Caller, until};

/// All times of the rules and queries are divided by this: five minutes are ten seconds.
const DIVISOR: u32 = 30;

/// A running Prometheus.
pub(super) struct Prometheus {
    server: Server,
}

impl Prometheus {
    /// One that scrapes these admin addresses, `host:port`.
    pub(super) async fn start(targets: &[String]) -> Self {
        let targets: Vec<String> = targets.iter().map(|it| format!("\"{it}\"")).collect();
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
             rule_files: [rules.yml]\n\
             scrape_configs:\n  - job_name: oncely\n    static_configs:\n      - targets: [{}]\n",
            targets.join(", ")
        );
        let rules = divided(&file("ops/prometheus/oncely.rules.yml"));
        let options = prometheus::Options {
            files: vec![("prometheus.yml", config), ("rules.yml", rules)],
        };
        let started = tokio::task::spawn_blocking(move || options.start()).await;
        Self {
            server: started.unwrap().unwrap(),
        }
    }

    /// What a query of the runbook returns at this moment: each series with its value.
    pub(super) async fn query(&self, query: &str) -> Vec<Value> {
        let path = format!("/api/v1/query?query={}", encoded(&divided(query)));
        let answer = self.get(&path).await;
        assert_eq!(answer["status"], "success", "{query}: {answer:#}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// Waits until the alert fires, and returns how it is told.
    pub(super) async fn fires(&self, alert: &str) -> Value {
        loop {
            if let Some(found) = self.firing(alert).await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until the query is empty and the alert no longer fires.
    pub(super) async fn is_over(&self, alert: &str, done: &str) {
        until(|| async { self.query(done).await.is_empty() && self.firing(alert).await.is_none() })
            .await;
    }

    /// The rules as Prometheus has read them.
    pub(super) async fn rules(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/rules").await;
        let groups = answer["data"]["groups"].as_array().unwrap().clone();
        let rules = |it: &Value| it["rules"].as_array().unwrap().clone();
        groups.iter().flat_map(rules).collect()
    }

    async fn firing(&self, alert: &str) -> Option<Value> {
        let answer = self.get("/api/v1/alerts").await;
        let alerts = answer["data"]["alerts"].as_array().unwrap().clone();
        alerts
            .into_iter()
            .find(|it| it["labels"]["alertname"] == alert && it["state"] == "firing")
    }

    async fn get(&self, path: &str) -> Value {
        let reply = Caller::new(&self.server.url(), "none").get(path).await;
        reply.json()
    }
}

/// `promtool` with these arguments: whether it is content, and what it says.
pub(super) fn promtool(arguments: &[&str]) -> (bool, String) {
    let root = env!("CARGO_MANIFEST_DIR");
    let ran = std::process::Command::new(prometheus::promtool().unwrap())
        .args(arguments)
        .current_dir(root)
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (
        ran.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Rules or a query with all times divided: in brackets, in `for:`, and in front of `# seconds`.
pub(super) fn divided(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(brackets).collect();
    for line in &mut lines {
        if let Some((head, time)) = line.split_once("for: ") {
            *line = format!("{head}for: {}", shorter(time));
        }
        if line.ends_with("# seconds") {
            *line = thresholds(line);
        }
    }
    lines.join("\n")
}

/// Each `[5m]` of a line.
fn brackets(line: &str) -> String {
    let mut parts = line.split('[');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let divided = part.split_once(']').and_then(|(time, rest)| {
            let is_time = time.ends_with(['s', 'm', 'h', 'd'])
                && time.starts_with(|it: char| it.is_ascii_digit());
            is_time.then(|| format!("[{}]{rest}", shorter(time)))
        });
        whole.push_str(&divided.unwrap_or_else(|| format!("[{part}")));
    }
    whole
}

/// Each `> 60` of a line.
fn thresholds(line: &str) -> String {
    let mut parts = line.split("> ");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|it: char| !it.is_ascii_digit()).unwrap();
        let seconds: f64 = part[..end].parse().unwrap();
        let divided = seconds / f64::from(DIVISOR);
        write!(whole, "> {divided}{}", &part[end..]).unwrap();
    }
    whole
}

/// A duration such as `5m`, divided.
fn shorter(time: &str) -> String {
    let (number, unit) = time.split_at(time.len() - 1);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => panic!("what is {time}?"),
    };
    let number: u32 = number.parse().unwrap();
    format!("{}ms", number * seconds * 1_000 / DIVISOR)
}

fn encoded(text: &str) -> String {
    let byte = |it: u8| match it {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(it).to_string(),
        _ => format!("%{it:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[test]
fn times_are_divided_and_nothing_else() {
    for (text, expected) in [
        ("rate(x[5m])", "rate(x[10000ms])"),
        ("        for: 1m", "        for: 2000ms"),
        ("max(lag) > 60  # seconds", "max(lag) > 2  # seconds"),
        (
            "(a > 60) or absent(b)  # seconds",
            "(a > 2) or absent(b)  # seconds",
        ),
        ("ratio > 0.05", "ratio > 0.05"),
        ("ratio_rate5m > 14.4 * 0.001", "ratio_rate5m > 14.4 * 0.001"),
        ("attempt=~\"3|4[+]\"}[5m]", "attempt=~\"3|4[+]\"}[10000ms]"),
        ("targets: [\"a\"]", "targets: [\"a\"]"),
    ] {
        assert_eq!(divided(text), expected);
    }
}
