//! Nothing outlives its owner: neither process nor directory nor container, however the owner ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oncely::testkit::docker_or_say_so;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::{until, within};

/// Prints what a run has, and then stays.
const TELL: &str = "echo $$ $ONCELY_TEST_REDIS_URL $ONCELY_TEST_DATABASE_URL; sleep 1000";

#[tokio::test]
async fn an_owner_killed_by_sigkill_leaves_nothing() {
    within(90, leaves_nothing(Signal::SIGKILL)).await;
}

#[tokio::test]
async fn an_owner_ended_by_sigterm_leaves_nothing() {
    within(90, leaves_nothing(Signal::SIGTERM)).await;
}

#[tokio::test]
async fn an_owner_interrupted_by_sigint_leaves_nothing() {
    within(90, leaves_nothing(Signal::SIGINT)).await;
}

#[tokio::test]
async fn an_owner_of_containers_that_is_killed_leaves_none() {
    within(180, async {
        if !docker_or_say_so("an_owner_of_containers_that_is_killed_leaves_none").await {
            return Ok(());
        }
        for signal in [Signal::SIGKILL, Signal::SIGTERM] {
            let mut run = Run::start("docker").await?;
            let label = format!("oncely.testkit.owner={}-", run.owner());
            ensure!(containers(&label)?.len() == 2, "a Redis and a Postgres");
            run.end(signal).await?;
            until(|| containers(&label).is_ok_and(|found| found.is_empty())).await;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_run_ends_with_the_code_of_its_command() {
    within(60, async {
        let status = |script: &str| {
            let mut command = testkit("local");
            command.args(["sh", "-c", script]);
            tokio::process::Command::from(command).status()
        };
        assert_eq!(status("exit 7").await?.code(), Some(7));
        assert_eq!(status("kill -9 $$").await?.code(), Some(137));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_run_uses_servers_that_are_given() {
    within(60, async {
        let mut command = testkit("local");
        command.args([
            "sh",
            "-c",
            "echo $ONCELY_TEST_DATABASE_URL $ONCELY_TEST_REDIS_URL",
        ]);
        command.env("ONCELY_TEST_DATABASE_URL", "postgres://given/d");
        command.env("ONCELY_TEST_REDIS_URL", "redis://given/0");
        let output = tokio::process::Command::from(command).output().await?;
        let text = String::from_utf8(output.stdout)?;
        assert_eq!(text, "postgres://given/d redis://given/0\n");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_owner_killed_while_its_servers_start_leaves_nothing() {
    within(90, async {
        let mut command = tokio::process::Command::from(testkit("local"));
        let mut owner = command.arg("true").kill_on_drop(true).spawn()?;
        let pid = owner.id().context("it was not waited for")?;
        // From the start of a cluster's creation on the directory is the warden's own.
        let mut wardens = Vec::new();
        until(|| {
            wardens = wardens_of(pid);
            wardens.len() == 2 && directories_of(&wardens).is_ok()
        })
        .await;
        let directories = directories_of(&wardens)?;
        owner.kill().await?;
        until(|| wardens.iter().all(|pid| !is_alive(*pid))).await;
        assert!(directories.iter().all(|path| !path.exists()));
        Ok(())
    })
    .await;
}

async fn leaves_nothing(signal: Signal) -> anyhow::Result<()> {
    let mut run = Run::start("local").await?;
    let pids = run.server_pids();
    let directories = directories_of(&pids)?;
    ensure!(pids.len() == 2, "two servers run: {pids:?}");
    ensure!(
        directories.len() == 2,
        "each has a directory: {directories:?}"
    );
    run.end(signal).await?;
    until(|| pids.iter().all(|pid| !is_alive(*pid))).await;
    until(|| directories.iter().all(|path| !path.exists())).await;
    until(|| !is_alive(run.command_pid)).await;
    Ok(())
}

/// `oncely-testkit run` around a command that stays.
struct Run {
    owner: Child,
    command_pid: u32,
    urls: [String; 2],
}

impl Run {
    async fn start(backend: &str) -> anyhow::Result<Self> {
        let mut command = testkit(backend);
        command.args(["sh", "-c", TELL]).stdout(Stdio::piped());
        let mut command = tokio::process::Command::from(command);
        let mut owner = command.kill_on_drop(true).spawn()?;
        let output = owner.stdout.take().context("it is piped")?;
        let line = BufReader::new(output).lines().next_line().await?;
        let line = line.context("the run ended at once")?;
        let [pid, redis, postgres] = line.split(' ').collect::<Vec<_>>()[..] else {
            anyhow::bail!("{line:?} is not what it should print");
        };
        Ok(Self {
            owner,
            command_pid: pid.parse()?,
            urls: [redis.to_owned(), postgres.to_owned()],
        })
    }

    fn owner(&self) -> u32 {
        self.owner.id().expect("it has not been waited for")
    }

    /// The servers: children of wardens whose command lines hold our ports. Children that Postgres
    /// has only just forked have the same command line and another parent.
    fn server_pids(&self) -> Vec<u32> {
        let table = processes();
        let rows: Vec<_> = table.lines().filter_map(row).collect();
        let is_warden = |pid| {
            let mut wardens = rows.iter().filter(|row| row.2.contains("oncely-warden"));
            wardens.any(|row| row.0 == pid)
        };
        let has_port = |words: &str| {
            let mut ports = self.urls.iter().map(|url| {
                let authority = url.rsplit_once(':').unwrap().1;
                authority.split('/').next().unwrap()
            });
            // Redis writes its address into its title, Postgres's arguments stay.
            ports.any(|port| {
                words.ends_with(&format!(":{port}")) || words.contains(&format!(" -p {port} "))
            })
        };
        let servers = rows
            .iter()
            .filter(|row| has_port(row.2) && is_warden(row.1));
        servers.map(|row| row.0).collect()
    }

    async fn end(&mut self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.owner())?;
        kill(Pid::from_raw(pid), signal)?;
        self.owner.wait().await?;
        Ok(())
    }
}

fn processes() -> String {
    let columns = ["-A", "-o", "pid=", "-o", "ppid=", "-o", "args="];
    let output = Command::new("ps").args(columns).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn wardens_of(owner: u32) -> Vec<u32> {
    let table = processes();
    let rows = table.lines().filter_map(row);
    rows.filter(|row| row.1 == owner && row.2.contains("oncely-warden"))
        .map(|row| row.0)
        .collect()
}

/// A line of `ps`: process, parent, command line.
fn row(line: &str) -> Option<(u32, u32, &str)> {
    let (pid, rest) = line.trim_start().split_once(' ')?;
    let (parent, words) = rest.trim_start().split_once(' ')?;
    Some((pid.parse().ok()?, parent.parse().ok()?, words.trim()))
}

fn testkit(backend: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oncely-testkit"));
    command
        .args(["run", "--"])
        .env("ONCELY_TEST_BACKEND", backend);
    command
        .env_remove("ONCELY_TEST_DATABASE_URL")
        .env_remove("ONCELY_TEST_REDIS_URL");
    command
}

/// The working directories of processes: Redis's is its directory, Postgres's its data.
fn directories_of(pids: &[u32]) -> anyhow::Result<Vec<PathBuf>> {
    let directory_of = |pid: &u32| {
        let link = format!("/proc/{pid}/cwd");
        let path = if Path::new("/proc/self/cwd").exists() {
            std::fs::read_link(link)?
        } else {
            let lsof = ["-a", "-d", "cwd", "-Fn", "-p"];
            let output = Command::new("lsof")
                .args(lsof)
                .arg(pid.to_string())
                .output()?;
            let text = String::from_utf8(output.stdout)?;
            PathBuf::from(
                text.lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches('n'),
            )
        };
        ensure!(
            path.to_string_lossy().contains("/oncely-"),
            "{path:?} is not ours"
        );
        Ok(path)
    };
    pids.iter().map(directory_of).collect()
}

fn containers(label: &str) -> anyhow::Result<Vec<String>> {
    let format = "{{.ID}} {{.Labels}}";
    let output = Command::new("docker")
        .args(["ps", "-a", "--format", format])
        .output()?;
    ensure!(output.status.success(), "docker ps failed");
    let text = String::from_utf8(output.stdout)?;
    let ours = text.lines().filter(|line| line.contains(label));
    Ok(ours.map(str::to_owned).collect())
}

pub(super) fn is_alive(pid: u32) -> bool {
    let output = Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .unwrap();
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}
