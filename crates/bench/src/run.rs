use alloy_signer_local::PrivateKeySigner;
use openledger_deploy::Artifacts;
use openledger_devnet::{Account, Console, shutdown};

use crate::{
    BenchArgs, BenchCommand, BenchError,
    args::LoadArgs,
    key::Key,
    measure::{Measurement, Target},
    report,
    rpc::Rpc,
    usage::Probe,
};

/// Runs `openledger bench`. `funder` pays for everything; the first account of anvil and of the devnet does by default.
pub async fn bench(args: BenchArgs, funder: Option<PrivateKeySigner>) -> Result<(), BenchError> {
    let console = Console::new();
    let work = async {
        match &args.command {
            Some(BenchCommand::Suite(suite)) => crate::suite::run(suite, console).await,
            None => given(&args, funder.as_ref().map_or_else(default_funder, key), console).await,
        }
    };
    tokio::select! {
        result = work => result,
        // Dropping the work ends what it started.
        () = shutdown() => Err(BenchError::Interrupted),
    }
}

/// Has coin on anvil and on the devnet, where it owns the contracts too.
pub(crate) fn default_funder() -> Key {
    key(&Account::role("deployer").signer())
}

fn key(signer: &PrivateKeySigner) -> Key {
    Key::new(&signer.to_bytes()).expect("the bytes of a key")
}

/// Measures nodes that run.
async fn given(args: &BenchArgs, funder: Key, console: Console) -> Result<(), BenchError> {
    args.load.check()?;
    for (flag, count) in [("--pid", args.pids.len()), ("--datadir", args.datadirs.len())] {
        if count > 0 && count != args.rpc.len() {
            return Err(BenchError::Options(format!("give {flag} for each --rpc, or for none")));
        }
    }
    let mut measurements = Vec::new();
    for (index, url) in args.rpc.iter().enumerate() {
        let target = Target {
            name: url.clone(),
            state: "as found".to_owned(),
            rpc: Rpc::new(url)?,
            probe: Probe { pid: args.pids.get(index).copied(), datadir: args.datadirs.get(index).cloned() },
            funder: funder.clone(),
        };
        measurements.extend(scenarios(&target, &args.load, console).await?);
    }
    console.title("Table");
    console.line(&report::table(&measurements));
    Ok(())
}

/// Measures all scenarios that a node can take.
pub(crate) async fn scenarios(
    target: &Target,
    load: &LoadArgs,
    console: Console,
) -> Result<Vec<Measurement>, BenchError> {
    console.title(&format!("{}, {}", target.name, target.state));
    console.item("version", target.version().await?);
    let artifacts = Artifacts::new(&load.artifacts);
    let mut measurements = Vec::new();
    for scenario in &load.scenarios {
        if !target.supports(*scenario).await? {
            console.note(&format!("{}: this chain has no InferenceLedger", scenario.name()));
            continue;
        }
        let measurement = target.measure(*scenario, &load.options(*scenario), &artifacts, console).await?;
        console.line(&format!("   {}", measurement.line()));
        let left = measurement.left;
        measurements.push(measurement);
        if left > 0 {
            console.warn(&format!("{left} transactions were not included in time: nothing more is asked of this node"));
            break;
        }
    }
    Ok(measurements)
}
