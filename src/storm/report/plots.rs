//! The four plots: attempts, delays, the outbox's lag, and outcomes over time.

use super::svg::{Chart, Scale};
use crate::history::Verdict;
use crate::storm::evidence::Evidence;
use crate::storm::field::Part;

/// Delays are drawn from a millisecond to so many seconds.
const DELAY_MAX: f64 = 100.0;

/// The outcomes of requests, in the order in which they are stacked: class and name.
pub(super) const OUTCOMES: [(&str, &str); 6] = [
    ("created", "executed"),
    ("replayed", "replayed"),
    ("in-flight", "409 in flight"),
    ("mismatch", "422 mismatch"),
    ("unknown", "503, or nobody knows"),
    ("lost", "no answer"),
];

/// Operations by the number of their attempts.
pub(super) fn attempts(evidence: &Evidence) -> String {
    let most = evidence.attempts.keys().max().copied().unwrap_or(1);
    let highest = evidence.attempts.values().max().copied().unwrap_or(1);
    // From 1, so that a single operation with many attempts is seen beside a thousand with one.
    let y = Scale::Log(0.5, float(highest).max(10.0) * 1.2);
    let mut chart = Chart::new(Scale::Linear(f64::from(most) + 1.0), y);
    for (attempts, n) in &evidence.attempts {
        let x = f64::from(*attempts);
        let title = format!("{n} operations with {attempts} attempts");
        chart.bar("replayed", (x - 0.4, x + 0.4), (0.5, float(*n)), &title);
    }
    chart.finish("operations by attempts", "attempts")
}

/// Which share was there after so long.
pub(super) fn delays(evidence: &Evidence) -> String {
    let mut chart = Chart::new(Scale::Log(0.001, DELAY_MAX), Scale::Linear(100.0));
    for (class, values) in [
        ("line-a", &evidence.answered_after),
        ("line-b", &evidence.receipts_after),
    ] {
        let n = float(values.len().max(1));
        // A few hundred points draw the same line as all of them.
        let step = values.len().div_ceil(400).max(1);
        let points = values.iter().enumerate().step_by(step);
        let mut points: Vec<_> = points
            .map(|(at, it)| (*it, 100.0 * float(at + 1) / n))
            .collect();
        points.extend(values.last().map(|it| (*it, 100.0)));
        chart.line(class, &points);
    }
    chart.finish("share of operations by delay", "seconds")
}

/// How old the oldest event without a broker is.
pub(super) fn lag(evidence: &Evidence) -> String {
    let most = evidence.lag.iter().map(|it| it.lag).fold(0.5, f64::max);
    let mut chart = Chart::new(Scale::Linear(evidence.seconds), Scale::Linear(most * 1.1));
    faults(&mut chart, evidence);
    // Where Postgres was down nobody looked: the line has a gap.
    let mut piece: Vec<(f64, f64)> = Vec::new();
    for sample in &evidence.lag {
        if piece.last().is_some_and(|it| 1.0 < sample.at - it.0) {
            chart.line("line-a", &piece);
            piece.clear();
        }
        piece.push((sample.at, sample.lag));
    }
    chart.line("line-a", &piece);
    chart.finish("age of the oldest pending event, in seconds", "seconds")
}

/// What requests came to, second by second.
pub(super) fn outcomes(evidence: &Evidence) -> String {
    let end = evidence.seconds.ceil().max(1.0);
    let mut counts = vec![[0_u32; OUTCOMES.len()]; index(end) + 1];
    for got in &evidence.answers {
        let counts = counts.get_mut(index(got.at));
        if let Some(count) = counts.and_then(|it| it.get_mut(outcome(got.verdict))) {
            *count += 1;
        }
    }
    let highest = counts.iter().map(|it| it.iter().sum::<u32>()).max();
    let y = Scale::Linear(f64::from(highest.unwrap_or(1).max(1)) * 1.05);
    let mut chart = Chart::new(Scale::Linear(end), y);
    faults(&mut chart, evidence);
    for (second, counts) in counts.iter().enumerate() {
        let x = float(second);
        let mut below = 0.0;
        for (n, (class, name)) in counts.iter().zip(OUTCOMES) {
            if *n == 0 {
                continue;
            }
            let above = below + f64::from(*n);
            let title = format!("second {second}: {n} × {name}");
            chart.bar(class, (x + 0.05, x + 0.95), (below, above), &title);
            below = above;
        }
    }
    chart.finish("requests a second, by what they came to", "seconds")
}

fn outcome(verdict: Option<Verdict>) -> usize {
    match verdict {
        Some(Verdict::Created) => 0,
        Some(Verdict::Replayed) => 1,
        Some(Verdict::InFlight) => 2,
        Some(Verdict::Mismatch) => 3,
        Some(Verdict::Refused | Verdict::Unknown) => 4,
        None => 5,
    }
}

/// Faults of servers are bands. Those of the network are too many to be seen.
fn faults(chart: &mut Chart, evidence: &Evidence) {
    for mark in &evidence.marks {
        if mark.fault.deed().is_of_network() {
            continue;
        }
        let class = match mark.fault.part() {
            Some(Part::Redis) => "fault redis",
            Some(Part::Postgres) => "fault postgres",
            Some(Part::Api | Part::OtherApi | Part::Relay | Part::Consumer) | None => {
                "fault process"
            }
        };
        let name = mark.fault.name();
        let title = format!("{name}, {:.1} s to {:.1} s", mark.from, mark.until);
        chart.band(class, mark.from, mark.until, &title);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts in a plot stay far below 2^53"
)]
fn float(n: usize) -> f64 {
    n as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds since the beginning of a run"
)]
fn index(seconds: f64) -> usize {
    seconds.max(0.0) as usize
}
