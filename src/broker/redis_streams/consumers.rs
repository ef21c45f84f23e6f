//! Taking members out of a group, without losing what they hold.

use std::time::Duration;

use redis::Cmd;
use redis::aio::MultiplexedConnection;

use super::RedisStreams;
use super::line::{Cause, Open};
use super::refusal::{is_no_group, is_no_stream};
use super::reply::{Fields, read, whole};
use super::trim::dead;
use crate::broker::Error;
use crate::domain::Topic;

/// How long a member that holds nothing may be silent. A live one asks all the time; one that is
/// taken out by mistake is back with its next question.
const SILENT_MAX: Duration = Duration::from_hours(24);

/// `XGROUP DELCONSUMER` forgets what a member holds, for good. So look and take out in one step: a
/// read that is still on its way could give it something in between.
const TAKE_OUT: &str = r"
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1";

impl RedisStreams {
    pub(super) async fn remove_dead_consumers(&self, topic: &Topic) -> Result<(), Error> {
        let work = |open| self.remove_on(open, topic);
        self.inner
            .asking
            .exchange("remove dead members", work)
            .await
    }

    async fn remove_on(&self, mut open: Open, topic: &Topic) -> Result<(), Cause> {
        let silent_max = u64::try_from(SILENT_MAX.as_millis()).unwrap_or(u64::MAX);
        let key = self.key(topic);
        for group in self.groups(&mut open, topic).await? {
            let group: Vec<u8> = read(&group, "name")?;
            let mut ask = redis::cmd("XINFO");
            ask.arg("CONSUMERS").arg(&key).arg(&group);
            let consumers: Vec<Fields> = ask.query_async(&mut open.connection).await?;
            let consumers = consumers.iter().map(|it| {
                let silence = (whole(it, "idle")?, whole(it, "pending")?);
                Ok::<_, Cause>((read(it, "name")?, silence))
            });
            for member in dead(consumers.collect::<Result<_, _>>()?, silent_max) {
                take_out(&mut open.connection, &key, &group, &member).await?;
            }
        }
        Ok(())
    }
}

/// Takes the member out of the group, where it holds nothing. A group that is gone has no members.
pub(super) async fn take_out(
    connection: &mut MultiplexedConnection,
    key: &str,
    group: &[u8],
    member: &[u8],
) -> Result<(), Cause> {
    let mut eval = Cmd::new();
    eval.arg("EVAL").arg(TAKE_OUT).arg(1).arg(key);
    eval.arg(group).arg(member);
    match eval.query_async::<u64>(connection).await {
        Err(cause) if is_no_group(&cause) || is_no_stream(&cause) => Ok(()),
        done => Ok(done.map(drop)?),
    }
}
