//! `make bench`: how fast Oncely is, as ratios to limits that are measured in the same run.
//!
//! Everything is started here, on this machine, and nothing is left: a private Redis, a private
//! Postgres that keeps its commits, the release binary, and a child of our own with the handlers that
//! a comparison needs. Contenders take turns, and medians are compared, because a machine has moods.

#![expect(
    clippy::print_stdout,
    reason = "a benchmark is a program that speaks to whoever started it"
)]

mod bare;
mod cases;
mod charges;
mod connection;
mod contender;
mod cpu;
mod faults;
mod growth;
mod limits;
mod load;
mod messages;
mod options;
mod page;
mod plot;
mod report;
mod requests;
mod statements;
mod verdict;
mod world;

use anyhow::{Context as _, Result};

use options::Options;
use report::Report;
use world::World;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start a runtime")?;
    if let [child, database_url, redis_url, port] = arguments.as_slice()
        && child == bare::CHILD
    {
        return runtime.block_on(bare::serve(database_url, redis_url, port.parse()?));
    }
    let options = Options::parse(&arguments)?;
    if options.wants_help {
        println!("{}", options::HELP);
        return Ok(());
    }
    runtime.block_on(Box::pin(measure(options)))
}

async fn measure(options: Options) -> Result<()> {
    let mut report = Report::new(&options);
    let world = World::start(&options).await?;
    if options.has("charges") {
        charges::measure(&world, &options, &mut report).await?;
    }
    if options.has("cases") {
        cases::measure(&world, &options, &mut report).await?;
    }
    if options.has("faults") {
        faults::measure(&world, &options, &mut report).await?;
    }
    if options.has("messages") {
        messages::measure(&world, &options, &mut report).await?;
    }
    if options.has("growth") {
        growth::measure(&world, &options, &mut report).await?;
    }
    drop(world);
    let page = page::write(&report)?;
    println!("{page}");
    report.save(&page, options.writes_docs)
}
