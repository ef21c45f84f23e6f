//! What each broker has to do, whichever it is.

use std::time::Duration;

use oncely::broker::Change;
use time::OffsetDateTime;
use uuid::Uuid;

use super::stage::Stage;
use super::{
    NEVER, PATIENCE, SOON, counts, message, messages, of, publish, receipts, receive, topic,
};
use crate::harness::{run, until};

/// Runs each sentence on each broker.
macro_rules! on_each_broker {
    ($($redeliver_after:ident: $($sentence:ident),* $(,)?;)*) => {
        mod memory {
            $($(#[test]
            fn $sentence() {
                super::run(async {
                    let stage = super::Stage::memory(super::$redeliver_after);
                    super::$sentence(stage).await;
                });
            })*)*
        }

        mod redis_streams {
            $($(#[test]
            fn $sentence() {
                super::run(async {
                    let stage = super::Stage::redis_streams(super::$redeliver_after).await;
                    super::$sentence(stage).await;
                });
            })*)*
        }
    };
}

on_each_broker! {
    // On a busy machine a short time would let messages come again where a sentence expects none.
    NEVER:
        a_topic_keeps_its_order,
        each_group_gets_each_message_and_a_new_one_begins_with_the_oldest,
        members_of_a_group_share_its_messages,
        a_refused_message_leaves_its_neighbours,
        a_message_arrives_byte_for_byte,
        the_epoch_is_the_same_until_something_is_lost,
        members_go_on_after_a_loss,
        the_lag_is_the_slowest_groups,
        a_broker_that_is_down_is_an_error_and_comes_back_by_itself,
        a_waiting_member_hears_of_a_new_message;
    SOON:
        what_nobody_acknowledged_comes_again_and_is_counted,
        what_was_acknowledged_does_not_come_again,
        a_receive_that_is_given_up_loses_nothing,
        a_trim_takes_only_what_each_group_has_finished,
        who_leaves_loses_nothing;
}

fn tomorrow() -> OffsetDateTime {
    oncely::clock::now() + Duration::from_hours(24)
}

async fn a_topic_keeps_its_order(stage: Stage) {
    let (t, other) = (topic("t"), topic("other"));
    let sent = messages(&t, 250);
    for batch in sent.chunks(100) {
        let mut batch = batch.to_vec();
        batch.push(message(&other, "between"));
        publish(&*stage.broker, &batch).await;
    }
    let mut member = stage.broker.subscribe(&t, "g", "m").await.unwrap();
    let got = receive(&mut *member, 250).await;
    assert_eq!(of(&got), sent);
    assert_eq!(counts(&got), vec![1; 250]);
}

async fn each_group_gets_each_message_and_a_new_one_begins_with_the_oldest(stage: Stage) {
    let t = topic("t");
    let sent = messages(&t, 5);
    let mut early = stage.broker.subscribe(&t, "early", "m").await.unwrap();
    publish(&*stage.broker, &sent).await;
    let got = receive(&mut *early, 5).await;
    early.acknowledge(&receipts(&got)).await.unwrap();
    let mut late = stage.broker.subscribe(&t, "late", "m").await.unwrap();
    assert_eq!(of(&got), sent);
    assert_eq!(of(&receive(&mut *late, 5).await), sent);
}

async fn members_of_a_group_share_its_messages(stage: Stage) {
    let t = topic("t");
    let mut a = stage.broker.subscribe(&t, "g", "a").await.unwrap();
    let mut b = stage.broker.subscribe(&t, "g", "b").await.unwrap();
    let sent = messages(&t, 6);
    publish(&*stage.broker, &sent).await;
    let first = a.receive(4, PATIENCE).await.unwrap();
    let second = b.receive(4, PATIENCE).await.unwrap();
    assert_eq!(of(&first), sent[..4]);
    assert_eq!(of(&second), sent[4..]);
}

async fn what_nobody_acknowledged_comes_again_and_is_counted(stage: Stage) {
    let t = topic("t");
    let mut a = stage.broker.subscribe(&t, "g", "a").await.unwrap();
    let mut b = stage.broker.subscribe(&t, "g", "b").await.unwrap();
    let sent = messages(&t, 3);
    publish(&*stage.broker, &sent).await;
    let first = receive(&mut *a, 3).await;
    a.acknowledge(&receipts(&first[1..2])).await.unwrap();
    for n in 2..5 {
        let member = if n % 2 == 0 { &mut b } else { &mut a };
        let again = receive(&mut **member, 2).await;
        assert_eq!(of(&again), [sent[0].clone(), sent[2].clone()]);
        assert_eq!(counts(&again), [n, n]);
    }
}

async fn what_was_acknowledged_does_not_come_again(stage: Stage) {
    let t = topic("t");
    let mut a = stage.broker.subscribe(&t, "g", "a").await.unwrap();
    let mut b = stage.broker.subscribe(&t, "g", "b").await.unwrap();
    publish(&*stage.broker, &messages(&t, 3)).await;
    let got = receive(&mut *a, 3).await;
    a.acknowledge(&receipts(&got)).await.unwrap();
    // Twice is as good as once, and none is nothing.
    a.acknowledge(&receipts(&got)).await.unwrap();
    a.acknowledge(&[]).await.unwrap();
    let again = b.receive(10, SOON * 3).await.unwrap();
    assert!(again.is_empty(), "{again:?}");
}

async fn a_refused_message_leaves_its_neighbours(stage: Stage) {
    let (t, bad) = (topic("t"), topic("bad"));
    stage.refuse(&bad).await;
    let batch = [message(&t, "1"), message(&bad, "2"), message(&t, "3")];
    let taken = stage.broker.publish(&batch).await.unwrap();
    let is_taken: Vec<bool> = taken.iter().map(Result::is_ok).collect();
    assert_eq!(is_taken, [true, false, true], "{taken:?}");
    let mut member = stage.broker.subscribe(&t, "g", "m").await.unwrap();
    let got = receive(&mut *member, 2).await;
    assert_eq!(of(&got), [batch[0].clone(), batch[2].clone()]);
}

async fn a_message_arrives_byte_for_byte(stage: Stage) {
    let t = topic("t");
    let mut sent = vec![
        message(&t, ""),
        message(&t, b"\0\0a\r\n\0\xff\xfe".to_vec()),
        message(&t, (0..=255).cycle().take(1 << 20).collect::<Vec<u8>>()),
        message(&t, "last"),
    ];
    sent[1].headers.clear();
    sent[1].previous = Some(Uuid::max());
    sent[1].seq = i64::MAX;
    let odd = (String::new(), "ü\0\"\\\u{2028}".to_owned());
    sent[2].headers = [odd, ("traceparent".to_owned(), "00-1".to_owned())].into();
    sent[3].created_at += Duration::from_nanos(123_456_789);
    publish(&*stage.broker, &sent).await;
    let mut member = stage.broker.subscribe(&t, "g", "m").await.unwrap();
    let got = of(&receive(&mut *member, 4).await);
    assert!(got == sent, "a message was changed on its way");
}

async fn the_epoch_is_the_same_until_something_is_lost(stage: Stage) {
    let topics = [topic("t"), topic("never")];
    let t = &topics[0];
    publish(&*stage.broker, &messages(t, 3)).await;
    let was = stage.broker.epoch(&topics).await.unwrap();
    assert_eq!(was, stage.broker.epoch(&topics).await.unwrap());
    assert_eq!(was.topics["never"], (0, 0));
    publish(&*stage.broker, &messages(t, 1)).await;
    let grown = stage.broker.epoch(&topics).await.unwrap();
    assert!(was.topics["t"] < grown.topics["t"]);
    assert_eq!(grown.change_since(&was), None);
    stage.lose(t).await;
    // The stream is there again when somebody looks, with newer messages.
    publish(&*stage.broker, &messages(t, 1)).await;
    let lost = stage.broker.epoch(&topics).await.unwrap();
    let change = Some(Change::WentBackwards("t".to_owned()));
    assert_eq!(lost.change_since(&grown), change);
}

async fn members_go_on_after_a_loss(stage: Stage) {
    let t = topic("t");
    let mut member = stage.broker.subscribe(&t, "g", "m").await.unwrap();
    publish(&*stage.broker, &messages(&t, 2)).await;
    let lost = receive(&mut *member, 2).await;
    stage.lose(&t).await;
    member.acknowledge(&receipts(&lost)).await.unwrap();
    let sent = messages(&t, 2);
    publish(&*stage.broker, &sent).await;
    let got = receive(&mut *member, 2).await;
    assert_eq!(of(&got), sent);
    member.acknowledge(&receipts(&got)).await.unwrap();
    assert_eq!(stage.broker.lag(&t).await.unwrap().most, 0);
}

async fn a_trim_takes_only_what_each_group_has_finished(stage: Stage) {
    let (t, broker) = (topic("t"), &stage.broker);
    let sent = messages(&t, 6);
    publish(&**broker, &sent).await;
    assert_eq!(broker.trim(&topic("never"), tomorrow()).await.unwrap(), 0);
    let n = broker.trim(&t, tomorrow()).await.unwrap();
    assert_eq!(n, 0, "without a group nobody has finished anything");
    let mut quick = broker.subscribe(&t, "quick", "m").await.unwrap();
    let mut slow = broker.subscribe(&t, "slow", "m").await.unwrap();
    let got = receive(&mut *quick, 6).await;
    quick.acknowledge(&receipts(&got)).await.unwrap();
    let n = broker.trim(&t, tomorrow()).await.unwrap();
    assert_eq!(n, 0, "the slow one has read nothing");
    let held = receive(&mut *slow, 4).await;
    let done = [held[0].clone(), held[1].clone(), held[3].clone()];
    slow.acknowledge(&receipts(&done)).await.unwrap();
    let long_ago = OffsetDateTime::UNIX_EPOCH;
    assert_eq!(broker.trim(&t, long_ago).await.unwrap(), 0, "too young");
    assert_eq!(broker.trim(&t, tomorrow()).await.unwrap(), 2);
    let again = receive(&mut *slow, 3).await;
    let mut left = of(&again);
    left.sort_by_key(|it| it.payload.clone());
    assert_eq!(left, [sent[2].clone(), sent[4].clone(), sent[5].clone()]);
    slow.acknowledge(&receipts(&again)).await.unwrap();
    assert_eq!(broker.trim(&t, tomorrow()).await.unwrap(), 4);
    let more = messages(&t, 1);
    publish(&**broker, &more).await;
    assert_eq!(of(&receive(&mut *slow, 1).await), more);
}

async fn the_lag_is_the_slowest_groups(stage: Stage) {
    let (t, broker) = (topic("t"), &stage.broker);
    assert_eq!(broker.lag(&t).await.unwrap().most, 0);
    publish(&**broker, &messages(&t, 5)).await;
    assert_eq!(broker.lag(&t).await.unwrap().most, 0, "there is no group");
    let mut quick = broker.subscribe(&t, "quick", "m").await.unwrap();
    let mut slow = broker.subscribe(&t, "slow", "m").await.unwrap();
    let got = receive(&mut *quick, 5).await;
    quick.acknowledge(&receipts(&got)).await.unwrap();
    assert_eq!(broker.lag(&t).await.unwrap().most, 5);
    let got = receive(&mut *slow, 2).await;
    assert_eq!(
        broker.lag(&t).await.unwrap().most,
        5,
        "received is not finished"
    );
    slow.acknowledge(&receipts(&got)).await.unwrap();
    assert_eq!(broker.lag(&t).await.unwrap().most, 3);
}

async fn who_leaves_loses_nothing(stage: Stage) {
    let t = topic("t");
    let mut a = stage.broker.subscribe(&t, "g", "a").await.unwrap();
    let mut b = stage.broker.subscribe(&t, "g", "b").await.unwrap();
    let sent = messages(&t, 3);
    publish(&*stage.broker, &sent).await;
    let got = receive(&mut *a, 2).await;
    a.acknowledge(&receipts(&got[..1])).await.unwrap();
    a.leave().await.unwrap();
    drop(a);
    let mut rest = of(&receive(&mut *b, 2).await);
    rest.sort_by_key(|it| it.payload.clone());
    assert_eq!(rest, sent[1..]);
}

async fn a_broker_that_is_down_is_an_error_and_comes_back_by_itself(stage: Stage) {
    let t = topic("t");
    let broker = &stage.broker;
    let mut member = broker.subscribe(&t, "g", "m").await.unwrap();
    let sent = messages(&t, 2);
    publish(&**broker, &sent[..1]).await;
    let before = receive(&mut *member, 1).await;
    stage.set_down(true).await;
    broker.publish(&sent).await.unwrap_err();
    broker.lag(&t).await.unwrap_err();
    broker.trim(&t, tomorrow()).await.unwrap_err();
    broker.epoch(std::slice::from_ref(&t)).await.unwrap_err();
    broker.durability().await.unwrap_err();
    broker.subscribe(&t, "g", "n").await.unwrap_err();
    member.receive(1, PATIENCE).await.unwrap_err();
    member.acknowledge(&receipts(&before)).await.unwrap_err();
    stage.set_down(false).await;
    member.acknowledge(&receipts(&before)).await.unwrap();
    publish(&**broker, &sent[1..]).await;
    assert_eq!(of(&receive(&mut *member, 1).await), sent[1..]);
}

async fn a_receive_that_is_given_up_loses_nothing(stage: Stage) {
    let t = topic("t");
    let mut member = stage.broker.subscribe(&t, "g", "m").await.unwrap();
    let patience = Duration::from_mins(1);
    let given_up = tokio::time::timeout(PATIENCE, member.receive(1, patience));
    given_up.await.unwrap_err();
    let sent = messages(&t, 1);
    publish(&*stage.broker, &sent).await;
    // Had the read that was given up gone on waiting, it would hold up this one for a minute. What it
    // took in its last moment comes again.
    let began = tokio::time::Instant::now();
    assert_eq!(of(&receive(&mut *member, 1).await), sent);
    assert!(began.elapsed() < Duration::from_secs(20));
}

async fn a_waiting_member_hears_of_a_new_message(stage: Stage) {
    let t = topic("t");
    let mut member = stage.broker.subscribe(&t, "g", "m").await.unwrap();
    let sent = messages(&t, 1);
    let waiting = member.receive(1, Duration::from_mins(1));
    let later = async {
        tokio::task::yield_now().await;
        publish(&*stage.broker, &sent).await;
        let lag = || async { stage.broker.lag(&t).await.unwrap().most == 1 };
        until(lag).await;
    };
    let (got, ()) = tokio::join!(waiting, later);
    assert_eq!(of(&got.unwrap()), sent);
}
