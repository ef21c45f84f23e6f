//! CPU time by part, from `/proc`: where there is none, nothing is told.

use std::collections::BTreeMap;
use std::fs;

/// Clock ticks of `/proc` in a second, on every Linux that there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds by part.
pub(crate) type Seconds = BTreeMap<&'static str, f64>;

/// What each part has used so far. A part is a process and its children, those that ended included.
pub(crate) fn used(parts: &[(&'static str, Option<u32>)]) -> Seconds {
    let all = processes();
    let mut seconds = Seconds::new();
    for (name, root) in parts {
        let Some(root) = *root else { continue };
        // Our own children are contenders, and parts of their own.
        let has_children = root != std::process::id();
        let ticks: u64 = all
            .iter()
            .map(|(pid, it)| {
                if *pid == root {
                    it.own + if has_children { it.of_children } else { 0 }
                } else if it.parent == root && has_children {
                    it.own
                } else {
                    0
                }
            })
            .sum();
        if ticks != 0 {
            seconds.insert(name, super::load::number(ticks) / TICKS_PER_SECOND);
        }
    }
    seconds
}

/// The difference of two readings.
pub(crate) fn between(before: &Seconds, after: &Seconds) -> Seconds {
    let parts = after.iter();
    parts
        .map(|(name, now)| (*name, now - before.get(name).copied().unwrap_or(0.0)))
        .collect()
}

struct Process {
    parent: u32,
    own: u64,
    of_children: u64,
}

fn processes() -> BTreeMap<u32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let text = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name stands in brackets and may hold anything.
            let (_, rest) = text.rsplit_once(") ")?;
            let fields: Vec<&str> = rest.split(' ').collect();
            let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
            let process = Process {
                parent: fields.get(1)?.parse().ok()?,
                own: ticks(11)? + ticks(12)?,
                of_children: ticks(13)? + ticks(14)?,
            };
            Some((pid, process))
        })
        .collect()
}
