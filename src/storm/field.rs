//! What the storm may hit, and how: private servers under their wardens, or processes of somebody
//! who allowed it by number.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use nix::unistd::Pid;

use super::plan::{Deed, Fault};
use super::process;
use crate::servers::Server;

/// How often something is started again that does not start.
const RESTARTS_MAX: u32 = 5;

/// A part of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Redis,
    Postgres,
    Api,
    /// The second process of the API, which is never hit.
    OtherApi,
    Relay,
    Consumer,
}

/// A process of a given stack that may be killed and paused: `redis=1234`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MayKill {
    pub(crate) part: Part,
    pub(crate) pid: i32,
}

/// Something that can be hit.
#[derive(Debug, Clone)]
pub(super) enum Victim {
    Own(Arc<Server>),
    /// `None` once it was killed: whoever runs it starts another, which we may not touch.
    Given(Arc<Mutex<Option<Pid>>>),
}

/// Everything that can be hit.
#[derive(Debug, Clone, Default)]
pub(super) struct Field {
    victims: BTreeMap<Part, Victim>,
    /// A Redis that may be flushed.
    pub(super) flush: Option<String>,
}

impl FromStr for MayKill {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (part, pid) = text.split_once('=').ok_or("write it as `redis=1234`")?;
        let part = match part {
            "redis" => Part::Redis,
            "postgres" => Part::Postgres,
            "api" => Part::Api,
            "relay" => Part::Relay,
            "consumer" => Part::Consumer,
            _ => return Err("name redis, postgres, api, relay or consumer"),
        };
        // 0, 1 and negative numbers would mean others than one process.
        let pid = pid.parse().ok().filter(|it| 1 < *it);
        let pid = pid.ok_or("the number of a process is larger than 1")?;
        Ok(Self { part, pid })
    }
}

impl Field {
    /// What may be killed of a given stack.
    pub(super) fn given(may_kill: &[MayKill], flush: Option<String>) -> Self {
        let victim =
            |it: &MayKill| Victim::Given(Arc::new(Mutex::new(Some(Pid::from_raw(it.pid)))));
        Self {
            victims: may_kill.iter().map(|it| (it.part, victim(it))).collect(),
            flush,
        }
    }

    pub(super) fn add(&mut self, part: Part, server: Arc<Server>) {
        self.victims.insert(part, Victim::Own(server));
    }

    pub(super) fn victim(&self, part: Part) -> Option<&Victim> {
        self.victims.get(&part)
    }

    /// What can break here.
    pub(super) fn possible(&self) -> Vec<Fault> {
        let is_there = |it: Part| self.victims.contains_key(&it);
        let is_possible = |fault: &Fault| match fault.deed() {
            Deed::Flush => self.flush.is_some(),
            Deed::Kill | Deed::Pause => fault.part().is_some_and(is_there),
            Deed::Silence | Deed::LoseRequest | Deed::LoseResponse | Deed::Reset => true,
        };
        let all = Fault::OF_SERVERS.into_iter();
        all.filter(is_possible).collect()
    }
}

impl Victim {
    /// Kills it by SIGKILL; false where it is gone already.
    pub(super) async fn kill(&self) -> Result<bool> {
        match self {
            Self::Own(server) => on(server, Server::kill).await.map(|()| true),
            Self::Given(pid) => {
                let pid = pid.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(pid) = pid else { return Ok(false) };
                Ok(process::end(pid).is_ok())
            }
        }
    }

    /// Brings it back after a kill, where that is ours to do.
    pub(super) async fn restart(&self) -> Result<()> {
        match self {
            Self::Own(server) => {
                let mut tries = 1;
                // As whoever runs it would: a process gives up where Postgres is too slow to begin with.
                while let Err(error) = on(server, Server::restart).await {
                    if RESTARTS_MAX <= tries {
                        return Err(error);
                    }
                    tries += 1;
                }
                Ok(())
            }
            Self::Given(_) => Ok(()),
        }
    }

    /// Freezes it; false where it is gone.
    pub(super) async fn pause(&self) -> Result<bool> {
        match self {
            Self::Own(server) => on(server, Server::pause).await.map(|()| true),
            Self::Given(_) => Ok(self.pid().is_some_and(|it| process::pause(it).is_ok())),
        }
    }

    /// Lets it go on.
    pub(super) async fn resume(&self) -> Result<()> {
        match self {
            Self::Own(server) => on(server, Server::resume).await,
            Self::Given(_) => {
                if let Some(pid) = self.pid() {
                    // It may have ended by itself.
                    process::resume(pid).ok();
                }
                Ok(())
            }
        }
    }

    /// Where it is, if it is ours: for a process of the service, its admin port.
    pub(super) fn url(&self) -> Option<String> {
        match self {
            Self::Own(server) => Some(server.url()),
            Self::Given(_) => None,
        }
    }

    fn pid(&self) -> Option<Pid> {
        match self {
            Self::Own(_) => None,
            Self::Given(pid) => *pid.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// Gives a server an order, which blocks.
async fn on(
    server: &Arc<Server>,
    order: fn(&Server) -> Result<(), crate::servers::Error>,
) -> Result<()> {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || order(&server))
        .await
        .context("give a server an order")?
        .context("a private server does not obey")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_named_process_may_be_killed_at_a_time() {
        let redis = MayKill {
            part: Part::Redis,
            pid: 1234,
        };
        assert_eq!("redis=1234".parse(), Ok(redis));
        for wrong in [
            "redis", "redis=", "redis=0", "redis=1", "redis=-9", "sshd=77",
        ] {
            assert!(wrong.parse::<MayKill>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_nobody_may_touch_can_t_break() {
        let field = Field::default();
        assert_eq!(field.possible(), [Fault::NetworkSilent]);
        let redis = MayKill {
            part: Part::Redis,
            pid: 1234,
        };
        let field = Field::given(&[redis], None);
        let redis = [Fault::RedisKilled, Fault::RedisPaused, Fault::NetworkSilent];
        assert_eq!(field.possible(), redis);
    }
}
