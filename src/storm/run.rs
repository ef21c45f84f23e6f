//! One storm from its beginning to its evidence.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::watch;

use super::customer::{Address, Customer, End};
use super::evidence::{self, Breach, Evidence};
use super::field::{Field, MayKill};
use super::history::History;
use super::inspect::{Found, Inspector};
use super::metrics::Counters;
use super::options::{Given, Options};
use super::plan::{Order, Plan};
use super::sampler::Sampler;
use super::settle::{Left, settle};
use super::stack::{self, Stack};
use super::timeline::Timeline;
use super::weather::Weather;
use super::{network, report};
use crate::domain::Tenant;
use crate::proxy::Proxy;
use crate::servers::LastWill;
use crate::{client, clock};

/// At most so many operations are asked once more at the end.
const CONFIRMED_MAX: usize = 2_000;
/// How many of them at once.
const CONFIRMED_AT_ONCE: usize = 16;

/// What is going on, for whoever watches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) phase: &'static str,
    /// The fault of the moment, or what is waited for.
    pub(crate) now: String,
    pub(crate) n_done: usize,
    pub(crate) n_planned: usize,
}

/// What is stormed.
struct Scene {
    stack: Option<Stack>,
    field: Field,
    tenant: Tenant,
    database_url: String,
    gate: Arc<Proxy>,
    api_urls: [String; 2],
    token: String,
    admin_urls: Vec<String>,
    /// Lets go on what of somebody else's is frozen when we end.
    _will: Option<LastWill>,
}

/// Who is at work during a storm.
struct Cast {
    plan: Plan,
    customer: Customer,
    weather: Weather,
    sampler: Sampler,
}

/// Runs a storm. The history goes to `out`.
///
/// # Cancellation
///
/// May be dropped at any point: the private stack ends with it.
pub(crate) async fn run(
    options: &Options,
    progress: &watch::Sender<Progress>,
    out: &Path,
) -> Result<Evidence> {
    client::provide_tls();
    let tell = |phase: &'static str| {
        progress.send_modify(|it| {
            it.phase = phase;
            it.now.clear();
        });
    };
    tell("starting a private stack");
    let scene = Scene::set(options).await?;
    #[cfg(feature = "sabotage")]
    if let (Some(sabotage), Some(_)) = (options.sabotage, &scene.stack) {
        sabotage.plant(&scene.database_url).await?;
    }
    let cast = Cast::gather(options, &scene, progress)?;
    tell("storm");
    let has_ended = cast.storm(options, &scene).await?;
    tell("faults are off: waiting until every event has arrived");
    let left = settle(&scene.database_url, options.patience, |it| {
        progress.send_modify(|progress| {
            progress.now = format!("{} to publish, {} to apply", it.pending, it.unapplied);
        });
    });
    let left = left.await?;
    tell("asking every operation once more");
    let ends = cast.customer.ends();
    let answered: Vec<End> = ends
        .iter()
        .filter(|it| it.status.is_some())
        .cloned()
        .collect();
    let unconfirmed = cast.ask_again(&answered).await;
    cast.weather.counters.scrape().await;
    tell("reading the tables");
    let customer = &cast.customer;
    let n_orders = u32::try_from(cast.plan.orders.len()).context("too many orders")?;
    let tenant = scene.tenant.as_str();
    let inspector = Inspector::open(&scene.database_url, tenant, customer, &ends, n_orders).await?;
    let processor = scene.stack.as_ref().map(|it| &it.processor);
    let found = inspector.inspect(processor).await?;
    report::write_history(&customer.history, out)?;
    let mut evidence = cast.evidence(options, &ends, &found);
    let n_asked = answered.len().div_ceil(confirming_each(&answered));
    evidence.operations.confirmed = n_asked.saturating_sub(unconfirmed.len());
    evidence.violations.extend(unconfirmed);
    evidence
        .violations
        .extend(cast.unanswered(answered.len(), has_ended));
    evidence.violations.extend(undelivered(left));
    Ok(evidence)
}

impl Scene {
    async fn set(options: &Options) -> Result<Self> {
        match &options.given {
            None => Self::private().await,
            Some(given) => Self::given(given).await,
        }
    }

    async fn private() -> Result<Self> {
        let stack = Stack::start().await?;
        let gate = Proxy::start(&stack.api_urls[0]).await?;
        Ok(Self {
            field: stack.field.clone(),
            tenant: Tenant::new(stack::TENANT).context("name the tenant")?,
            database_url: stack.database_url.clone(),
            gate: Arc::new(gate),
            api_urls: stack.api_urls.clone(),
            token: stack.token.clone(),
            admin_urls: stack.admin_urls.clone(),
            stack: Some(stack),
            _will: None,
        })
    }

    async fn given(given: &Given) -> Result<Self> {
        let gate = Proxy::start(&given.url).await?;
        let flush = given.flush.as_ref().map(|it| it.expose().to_owned());
        Ok(Self {
            stack: None,
            field: Field::given(&given.may_kill, flush),
            tenant: given.tenant.clone(),
            database_url: given.database_url.expose().to_owned(),
            gate: Arc::new(gate),
            api_urls: [given.url.clone(), given.url.clone()],
            token: given.token.clone(),
            admin_urls: given.admin_urls.clone(),
            _will: thaw(&given.may_kill)?,
        })
    }

    fn plan(&self, options: &Options) -> Plan {
        let possible = self.field.possible();
        let plan = Plan::draw(
            options.seed,
            options.n_operations,
            options.duration,
            &possible,
        );
        let mut plan = if options.is_calm {
            plan.without_faults()
        } else {
            plan
        };
        match &self.stack {
            Some(stack) => plan
                .orders
                .iter()
                .for_each(|it| it.script(&stack.processor)),
            // Whether a given stack has a processor, and whose, is not ours to know.
            None => plan.orders.iter_mut().for_each(Order::without_processor),
        }
        plan
    }
}

impl Cast {
    fn gather(
        options: &Options,
        scene: &Scene,
        progress: &watch::Sender<Progress>,
    ) -> Result<Self> {
        let plan = scene.plan(options);
        progress.send_modify(|it| it.n_planned = plan.orders.len());
        let timeline = Timeline::begin();
        let history = History::begin(scene.tenant.clone(), timeline.clone());
        let address = Address {
            gate_url: scene.gate.url().trim_end_matches('/').to_owned(),
            side_url: scene.api_urls[1].trim_end_matches('/').to_owned(),
            token: scene.token.clone(),
        };
        // No two storms on one database share an amount: each second begins a million of its own.
        let base = clock::now().unix_timestamp() * 1_000_000;
        #[cfg(feature = "sabotage")]
        let mints_anew = options.sabotage == Some(super::Sabotage::FreshKey);
        #[cfg(not(feature = "sabotage"))]
        let mints_anew = false;
        Ok(Self {
            plan,
            customer: Customer::new(address, base, history, timeline.clone(), mints_anew)?,
            weather: Weather {
                field: scene.field.clone(),
                gate: Arc::clone(&scene.gate),
                api_urls: scene.api_urls.clone(),
                counters: Arc::new(Counters::of(scene.admin_urls.clone())?),
                timeline,
                progress: progress.clone(),
            },
            sampler: Sampler::default(),
        })
    }

    /// Orders under faults; false where orders were left when the patience ended.
    async fn storm(&self, options: &Options, scene: &Scene) -> Result<bool> {
        let timeline = &self.weather.timeline;
        let orders = async {
            let orders = stream::iter(self.plan.orders.iter().copied());
            let placed = orders.map(|order| async move {
                timeline.until(order.starts_at).await;
                let placed = self.customer.place(order).await;
                let n_done = self.customer.n_answered();
                self.weather.progress.send_modify(|it| it.n_done = n_done);
                placed
            });
            let placed: Vec<Result<()>> =
                placed.buffer_unordered(options.concurrency).collect().await;
            placed.into_iter().collect::<Result<()>>()
        };
        let weather = async {
            let network = network::blow(&scene.gate, &self.plan.cuts, timeline);
            let (blown, ()) = tokio::join!(self.weather.blow(&self.plan.blows), network);
            scene.gate.disarm();
            let none = "no more faults: waiting for the last answers";
            self.weather
                .progress
                .send_modify(|it| none.clone_into(&mut it.now));
            blown
        };
        let both = async {
            let bound = options.duration + options.patience;
            let (placed, blown) = tokio::join!(tokio::time::timeout(bound, orders), weather);
            blown?;
            match placed {
                Ok(placed) => placed.map(|()| true),
                Err(_elapsed) => Ok(false),
            }
        };
        let watching = async {
            tokio::join!(
                self.weather.counters.watch(),
                self.sampler.watch(&scene.database_url, timeline)
            );
        };
        tokio::select! {
            ended = both => ended,
            () = watching => Ok(false),
        }
    }

    /// Asks for what was answered once more; returns those that were told something else, or nothing.
    async fn ask_again(&self, ends: &[End]) -> Vec<Breach> {
        let some = stream::iter(ends.iter().step_by(confirming_each(ends)));
        let asked = some.map(|end| async move { (end, self.customer.ask_again(end).await) });
        let asked: Vec<_> = asked.buffer_unordered(CONFIRMED_AT_ONCE).collect().await;
        let other = asked.into_iter().filter(|(_, is_same)| !is_same);
        other
            .map(|(end, _)| breach("another-answer-later", &end.register, "asked once more"))
            .collect()
    }

    fn unanswered(&self, n_answered: usize, has_ended: bool) -> Option<Breach> {
        let n = self.plan.orders.len() - n_answered;
        let seen = format!("{n} operations have no answer though the faults are over");
        (0 < n || !has_ended).then(|| breach("never-answered", "several", &seen))
    }

    fn evidence(&self, options: &Options, ends: &[End], found: &Found) -> Evidence {
        let reports = evidence::reports(&self.customer.history);
        let reports = [&reports[0], &reports[1]];
        let timeline = &self.weather.timeline;
        let marks = timeline.faults();
        let mut faults = BTreeMap::new();
        for mark in &marks {
            *faults.entry(mark.fault.name()).or_default() += 1;
        }
        let mut attempts = BTreeMap::new();
        let answered = || ends.iter().filter(|it| it.status.is_some());
        for end in answered() {
            *attempts.entry(end.n_attempts).or_default() += 1;
        }
        #[cfg(feature = "sabotage")]
        let sabotage = options.sabotage.map(|it| it.to_string());
        #[cfg(not(feature = "sabotage"))]
        let sabotage = None;
        Evidence {
            seed: options.seed,
            sabotage,
            seconds: timeline.elapsed().as_secs_f64(),
            operations: evidence::operations(options.n_operations as usize, ends, 0),
            requests: evidence::requests(&reports),
            faults,
            tables: evidence::tables(found),
            metrics: evidence::counted(&self.weather.counters),
            violations: evidence::breaches(&reports, found),
            attempts,
            answered_after: sorted(answered().map(|it| it.took.as_secs_f64())),
            receipts_after: sorted(found.delays.iter().copied()),
            lag: self.sampler.samples(),
            marks,
            answers: timeline.answers(),
        }
    }
}

/// Of how many operations one is asked once more.
fn confirming_each(ends: &[End]) -> usize {
    ends.len().div_ceil(CONFIRMED_MAX).max(1)
}

fn undelivered(left: Left) -> Option<Breach> {
    let Left {
        pending,
        waiting,
        unapplied,
    } = left;
    let seen = format!("{pending} pending, {waiting} set aside, {unapplied} not applied");
    (!left.is_nothing()).then(|| breach("undelivered", "several", &seen))
}

fn breach(rule: &str, of: &str, seen: &str) -> Breach {
    Breach {
        rule: rule.to_owned(),
        of: of.to_owned(),
        seen: seen.to_owned(),
        means: evidence::meaning(rule).to_owned(),
        lines: Vec::new(),
    }
}

/// A will that wakes what we may have frozen, should we end between the two.
fn thaw(may_kill: &[MayKill]) -> Result<Option<LastWill>> {
    if may_kill.is_empty() {
        return Ok(None);
    }
    let pids: Vec<String> = may_kill.iter().map(|it| it.pid.to_string()).collect();
    let pids: Vec<&str> = pids.iter().map(String::as_str).collect();
    let will = LastWill::write("for pid; do kill -CONT \"$pid\"; done", &pids);
    Ok(Some(will.context("write a last will")?))
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
