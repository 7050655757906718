//! The whole comparison in one run on this machine.

use std::{fs, path::Path};

use openledger_deploy::Artifacts;
use openledger_devnet::Console;

use crate::{
    BenchError, Scenario, SuiteArgs,
    args::LoadArgs,
    floor::{Floor, Memory},
    machine, report,
    run::scenarios,
    stage::{self, Node, Stage, State},
};

/// anvil's automatic mining is at its best with short queues: with some thousand transactions in flight it includes hardly any.
const AUTOMATIC: u32 = 800;

/// Measures everything, prints the table, and writes it into the page.
pub(crate) async fn run(args: &SuiteArgs, console: Console) -> Result<(), BenchError> {
    args.load.check()?;
    let machine = machine::describe();
    console.title("Machine");
    console.line(&machine);
    let folder = tempfile::tempdir().map_err(BenchError::file(std::env::temp_dir()))?;
    let mut nodes = Vec::new();
    let mut floors = Vec::new();
    let mut versions = Vec::new();
    let mut remarks = Vec::new();
    for state in &args.states {
        let accounts = (*state == State::Filled).then_some(args.accounts);
        let load = LoadArgs { spread: args.accounts, ..args.load.clone() };
        for node in &args.nodes {
            let load = match node {
                Node::AnvilAutomine => LoadArgs { in_flight: load.in_flight.min(AUTOMATIC), ..load.clone() },
                _ => load.clone(),
            };
            let work = folder.path().join(format!("{node:?}-{state:?}"));
            fs::create_dir(&work).map_err(BenchError::file(&work))?;
            console.line("");
            console.note(&format!("starting {} with {}", node.name(), stage::state(accounts)));
            let stage = Stage::start(*node, args, &work, accounts).await?;
            if *state == args.states[0] {
                versions.push(format!("- {}: {}; {}", stage.target.name, stage.target.version().await?, stage.flags));
            }
            match scenarios(&stage.target, &load, console).await {
                Ok(measured) => nodes.extend(measured),
                Err(error @ BenchError::Slow { .. }) => {
                    console.warn(&error.to_string());
                    remarks.push(format!("- {}, {}: {error}", stage.target.name, stage.target.state));
                }
                Err(error) => return Err(error),
            }
            stage.stop().await;
            if *node == Node::Openledger {
                console.title(&format!("floor, {}", stage::state(accounts)));
                floors.extend(floor(&work, &load, &stage::state(accounts), console)?);
            }
            // It takes room on disk.
            fs::remove_dir_all(&work).map_err(BenchError::file(&work))?;
        }
    }
    let mut text = format!("{machine}\n{}\n\n{}\n", versions.join("\n"), report::table(&nodes));
    if !remarks.is_empty() {
        text.push_str(&format!("Without figures:\n{}\n\n", remarks.join("\n")));
    }
    text.push_str(&report::floor_table(&floors, &nodes));
    text.push('\n');
    text.push_str(&report::phase_table(&nodes));
    console.title("Results");
    console.line(&text);
    match &args.write {
        Some(page) => report::write_between_markers(page, &text),
        None => Ok(()),
    }
}

/// The same transactions in this process, on the genesis that the sequencer had.
fn floor(work: &Path, load: &LoadArgs, state: &str, console: Console) -> Result<Vec<Floor>, BenchError> {
    let (genesis, rollup) = stage::chain_files(work)?;
    let memory = Memory::new(&genesis, &rollup.chain_spec())?;
    drop(genesis);
    let artifacts = Artifacts::new(&load.artifacts);
    let measure = |scenario: &Scenario| {
        let floor = memory.measure(*scenario, state, &load.options(*scenario), &artifacts)?;
        console.line(&format!("   {}", floor.line()));
        Ok(floor)
    };
    // A light load costs what the other transfers cost.
    load.scenarios.iter().filter(|scenario| **scenario != Scenario::Light).map(measure).collect()
}
