//! x
use oncely_proof::model::*; use oncely_proof::protocol::Design::*;
fn main() {
    let n: usize = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(3_000_000);
    for (t, chain, r, c) in [(Trail::Sound, true, 1, 1), (Trail::Sound, true, 2, 0),(Trail::Sound, false, 1, 1), (Trail::Sound, true, 2, 1),(Trail::ForgetsAtOnce, false, 1, 0),(Trail::ForgetsWithoutHorizon, false, 1, 0), (Trail::TrustsTheBroker, false, 1, 0)] {
        let e = explore(Relays::new(t, chain, r, c), 2, Some(n));
        println!("{t:?} {chain} {r} {c} {:>9} depth {:>3} {:>6.1}s {} {:?}", e.n_states, e.depth, e.took.as_secs_f32(), e.verdict(), e.reached);
        if std::env::args().nth(2).is_some() { for (k, v) in &e.broken { println!("   {k}: {v:?}"); } }
    }

    for s in [Settings{n_fail_overs:1, is_synchronous: true, ..Settings::calm(Advisory)}, Settings{n_fail_overs:1, is_synchronous: true, ..Settings::calm(Leased)},
    Settings{n_fail_overs:1, is_synchronous: false, ..Settings::calm(Advisory)}, Settings{n_fail_overs:1, is_synchronous: false, ..Settings::calm(Leased)},Settings{n_fail_overs:1, is_synchronous: false, ..Settings::calm(IgnoresTheEpoch)},Settings{n_fail_overs:1, is_synchronous: false, ..Settings::calm(EpochAfterCommit)},
    Settings{is_pruned: true, ..Settings::calm(Advisory)},Settings{is_pruned: true, ..Settings::calm(Leased)},
    Settings{is_mismatched: true, n_attempts: 1, n_stale:1, n_refusals: 1, is_flaky: true, ..Settings::usual(Advisory)}, Settings{is_mismatched: true, n_attempts: 1, n_stale:1, ..Settings::usual(Leased)},Settings{is_mismatched: true, n_attempts: 1, n_stale:1, ..Settings::usual(LeasedKeyless)},Settings{is_mismatched: true, ..Settings::calm(BlindTakeOver)},
     ] {
        let e = explore(Claims::new(s), 2, Some(n));
        println!("{:60} {:>9} depth {:>3} {:>6.1}s {} {:?}", s.label(), e.n_states, e.depth, e.took.as_secs_f32(), e.verdict(), e.reached);
        if std::env::args().nth(2).is_some() { for (k, v) in &e.broken { println!("   {k}: {v:?}"); } }
      }
}
