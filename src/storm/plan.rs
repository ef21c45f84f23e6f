//! The plan: what is ordered, what breaks, and when. A function of the seed. Pure.

use std::time::Duration;

use fastrand::Rng;
use serde::Serialize;

use super::field::Part;

/// For so many operations there is one more, of a card that is declined.
const DECLINED_EACH: u32 = 25;
/// Of a hundred orders, how many are payments, and so on.
const PERCENT_PAYMENTS: u32 = 10;
const PERCENT_COPIED: u32 = 25;
const PERCENT_IMPOSTORS: u32 = 8;

/// From one fault of a server to the next, on average.
const BLOW_EVERY: Duration = Duration::from_millis(1600);
/// From one fault of the network to the next, on average.
const CUT_EVERY: Duration = Duration::from_millis(250);
/// The part of the time over which operations begin; the rest is for those that fell behind.
const ORDERS_UNTIL: f64 = 0.95;

/// Everything that will be tried.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) orders: Vec<Order>,
    pub(crate) blows: Vec<Blow>,
    pub(crate) cuts: Vec<Blow>,
}

/// One logical operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Order {
    /// Counted from 0. Its amount is made of it.
    pub(crate) number: u32,
    pub(crate) starts_at: Duration,
    pub(crate) kind: Kind,
    pub(crate) mischief: Mischief,
}

/// What is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Charge,
    /// A charge of a card that is declined: it comes on top of the operations that take effect.
    Declined,
    /// A payment, which a card processor makes; with something that goes wrong over there.
    Payment(Trouble),
}

/// What goes wrong at the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    FailsFirst,
    HangsUpAfterWork,
    AnswersLate,
}

/// What somebody else does with the same key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mischief {
    None,
    /// Sends the same request, so often, so much later, past the gate and to the other process.
    Copies {
        n: u8,
        after: Duration,
    },
    /// Sends another amount under the key, once the operation has its answer.
    Impostor,
}

/// A fault with its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Blow {
    pub(crate) at: Duration,
    pub(crate) fault: Fault,
    /// How long it lasts, where it lasts.
    pub(crate) lasts: Duration,
}

/// What can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    RedisKilled,
    RedisFlushed,
    RedisPaused,
    PostgresKilled,
    PostgresPaused,
    ApiKilled,
    ApiPaused,
    RelayKilled,
    RelayPaused,
    ConsumerKilled,
    ConsumerPaused,
    NetworkSilent,
    RequestLost,
    ResponseLost,
    ConnectionsReset,
}

/// What is done to bring a fault about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Kill,
    Pause,
    Flush,
    Silence,
    LoseRequest,
    LoseResponse,
    Reset,
}

impl Deed {
    /// Whether it is over in an instant, and happens too often to be drawn.
    pub(super) const fn is_of_network(self) -> bool {
        matches!(self, Self::LoseRequest | Self::LoseResponse | Self::Reset)
    }
}

impl Fault {
    pub(crate) const OF_SERVERS: [Self; 12] = [
        Self::RedisKilled,
        Self::RedisFlushed,
        Self::RedisPaused,
        Self::PostgresKilled,
        Self::PostgresPaused,
        Self::ApiKilled,
        Self::ApiPaused,
        Self::RelayKilled,
        Self::RelayPaused,
        Self::ConsumerKilled,
        Self::ConsumerPaused,
        Self::NetworkSilent,
    ];

    /// For people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::RedisKilled => "Redis killed",
            Self::RedisFlushed => "Redis flushed",
            Self::RedisPaused => "Redis paused",
            Self::PostgresKilled => "Postgres killed",
            Self::PostgresPaused => "Postgres paused",
            Self::ApiKilled => "API killed",
            Self::ApiPaused => "API paused",
            Self::RelayKilled => "relay killed",
            Self::RelayPaused => "relay paused",
            Self::ConsumerKilled => "consumer killed",
            Self::ConsumerPaused => "consumer paused",
            Self::NetworkSilent => "network silent",
            Self::RequestLost => "request lost",
            Self::ResponseLost => "response lost",
            Self::ConnectionsReset => "connections reset",
        }
    }

    /// What is done to bring it about.
    pub(super) const fn deed(self) -> Deed {
        match self {
            Self::RedisKilled
            | Self::PostgresKilled
            | Self::ApiKilled
            | Self::RelayKilled
            | Self::ConsumerKilled => Deed::Kill,
            Self::RedisPaused
            | Self::PostgresPaused
            | Self::ApiPaused
            | Self::RelayPaused
            | Self::ConsumerPaused => Deed::Pause,
            Self::RedisFlushed => Deed::Flush,
            Self::NetworkSilent => Deed::Silence,
            Self::RequestLost => Deed::LoseRequest,
            Self::ResponseLost => Deed::LoseResponse,
            Self::ConnectionsReset => Deed::Reset,
        }
    }

    /// The server that it happens to; none where it happens to the network.
    pub(crate) const fn part(self) -> Option<Part> {
        match self {
            Self::RedisKilled | Self::RedisFlushed | Self::RedisPaused => Some(Part::Redis),
            Self::PostgresKilled | Self::PostgresPaused => Some(Part::Postgres),
            Self::ApiKilled | Self::ApiPaused => Some(Part::Api),
            Self::RelayKilled | Self::RelayPaused => Some(Part::Relay),
            Self::ConsumerKilled | Self::ConsumerPaused => Some(Part::Consumer),
            Self::NetworkSilent
            | Self::RequestLost
            | Self::ResponseLost
            | Self::ConnectionsReset => None,
        }
    }

    /// How long it lasts, in milliseconds, at least and at most.
    const fn lasts(self) -> (u64, u64) {
        match self {
            Self::RedisKilled => (50, 1500),
            Self::RedisPaused | Self::ApiPaused => (200, 1500),
            Self::RelayPaused | Self::ConsumerPaused => (500, 2500),
            Self::PostgresKilled => (50, 300),
            Self::PostgresPaused | Self::NetworkSilent => (200, 800),
            Self::ApiKilled | Self::RelayKilled | Self::ConsumerKilled => (50, 1000),
            Self::RedisFlushed
            | Self::RequestLost
            | Self::ResponseLost
            | Self::ConnectionsReset => (0, 0),
        }
    }
}

impl Plan {
    /// Draws a plan. Only faults in `possible` are drawn for the servers.
    pub(crate) fn draw(seed: u64, n: u32, duration: Duration, possible: &[Fault]) -> Self {
        // A stream for each part: what is ordered does not hang on what may break.
        let stream = |number: u64| Rng::with_seed(seed.wrapping_mul(31).wrapping_add(number));
        Self {
            orders: orders(&mut stream(1), n, duration),
            blows: blows(&mut stream(2), duration, possible),
            cuts: cuts(&mut stream(3), duration),
        }
    }

    /// The same orders, and nothing breaks.
    pub(crate) fn without_faults(mut self) -> Self {
        self.blows.clear();
        self.cuts.clear();
        self
    }
}

fn orders(rng: &mut Rng, n: u32, duration: Duration) -> Vec<Order> {
    let span = duration.mul_f64(ORDERS_UNTIL);
    let declined = (0..n.div_ceil(DECLINED_EACH)).map(|_| Kind::Declined);
    let mut kinds: Vec<Kind> = declined.collect();
    kinds.extend((0..n).map(|_| kind(rng)));
    rng.shuffle(&mut kinds);
    let n_orders = f64::from(n + n.div_ceil(DECLINED_EACH));
    let one = |(number, kind): (u32, Kind)| Order {
        number,
        starts_at: span.mul_f64((f64::from(number) + rng.f64()) / n_orders),
        kind,
        mischief: mischief(rng),
    };
    (0..).zip(kinds).map(one).collect()
}

fn kind(rng: &mut Rng) -> Kind {
    match rng.u32(0..100) {
        it if it < PERCENT_PAYMENTS => Kind::Payment(match rng.u8(0..6) {
            0 => Trouble::FailsFirst,
            1 => Trouble::HangsUpAfterWork,
            2 => Trouble::AnswersLate,
            _ => Trouble::None,
        }),
        _ => Kind::Charge,
    }
}

fn mischief(rng: &mut Rng) -> Mischief {
    match rng.u32(0..100) {
        it if it < PERCENT_COPIED => Mischief::Copies {
            n: rng.u8(1..=3),
            // Most of them at once, some when the first one is over.
            after: Duration::from_millis(rng.u64(0..=8) * rng.u64(0..=8)),
        },
        it if it < PERCENT_COPIED + PERCENT_IMPOSTORS => Mischief::Impostor,
        _ => Mischief::None,
    }
}

/// Each kind comes up before any comes up again.
fn blows(rng: &mut Rng, duration: Duration, possible: &[Fault]) -> Vec<Blow> {
    let mut blows = Vec::new();
    let mut deck = Vec::new();
    let mut at = BLOW_EVERY.mul_f64(0.5 + rng.f64() / 2.0);
    while at < duration {
        if deck.is_empty() {
            deck = possible.to_vec();
            rng.shuffle(&mut deck);
        }
        let Some(fault) = deck.pop() else { break };
        let (least, most) = fault.lasts();
        let lasts = Duration::from_millis(rng.u64(least..=most));
        blows.push(Blow { at, fault, lasts });
        at += BLOW_EVERY.mul_f64(0.5 + rng.f64());
    }
    blows
}

fn cuts(rng: &mut Rng, duration: Duration) -> Vec<Blow> {
    let mut cuts = Vec::new();
    let mut at = CUT_EVERY;
    while at < duration {
        let fault = match rng.u8(0..10) {
            0..4 => Fault::RequestLost,
            4..9 => Fault::ResponseLost,
            _ => Fault::ConnectionsReset,
        };
        let lasts = Duration::ZERO;
        cuts.push(Blow { at, fault, lasts });
        at += CUT_EVERY.mul_f64(0.5 + rng.f64());
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn drawn(seed: u64) -> Plan {
        Plan::draw(seed, 2000, MINUTE, &Fault::OF_SERVERS)
    }

    #[test]
    fn a_plan_is_a_function_of_its_seed() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7).orders, drawn(8).orders);
        assert_ne!(drawn(7).blows, drawn(8).blows);
        let few = Plan::draw(7, 2000, MINUTE, &[Fault::RedisFlushed]);
        assert_eq!(few.orders, drawn(7).orders);
    }

    #[test]
    fn every_kind_of_order_and_of_fault_comes_up() {
        let plan = drawn(1);
        let n = |is: fn(&Order) -> bool| plan.orders.iter().filter(|it| is(it)).count();
        assert_eq!(n(|it| it.kind == Kind::Declined), 80);
        assert_eq!(n(|it| it.kind != Kind::Declined), 2000);
        assert!(100 < n(|it| matches!(it.kind, Kind::Payment(_))));
        assert!(300 < n(|it| matches!(it.mischief, Mischief::Copies { .. })));
        assert!(80 < n(|it| it.mischief == Mischief::Impostor));
        for fault in Fault::OF_SERVERS {
            assert!(plan.blows.iter().any(|it| it.fault == fault), "{fault:?}");
        }
        for fault in [
            Fault::RequestLost,
            Fault::ResponseLost,
            Fault::ConnectionsReset,
        ] {
            assert!(plan.cuts.iter().any(|it| it.fault == fault), "{fault:?}");
        }
    }

    #[test]
    fn everything_begins_within_the_time_and_in_order() {
        let plan = drawn(3);
        let orders = plan.orders.iter().map(|it| it.starts_at);
        assert!(orders.clone().is_sorted() && orders.max().unwrap() < MINUTE);
        let blows = plan.blows.iter().chain(&plan.cuts).map(|it| it.at);
        assert!(blows.max().unwrap() < MINUTE);
    }

    #[test]
    fn what_may_not_break_does_not() {
        let plan = Plan::draw(1, 10, MINUTE, &[]);
        assert!(plan.blows.is_empty() && !plan.cuts.is_empty());
        let calm = drawn(1).without_faults();
        assert!(calm.blows.is_empty() && calm.cuts.is_empty());
    }
}
