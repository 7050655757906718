//! `openledger devnet`: everything in its order, and nothing left behind.

use crate::{
    Account, Console, DevnetArgs, DevnetError, Layout, accounts,
    chain::{Chain, until},
    demo,
    devnet_json::{ChainEndpoint, DevnetJson, Endpoint, InferenceEndpoint},
    l1, model,
    nodes::{Programs, url, write_keys},
    ports,
    supervisor::{Supervisor, run_to_end, shutdown},
};
use alloy::{eips::BlockNumberOrTag, primitives::Address};
use openledger_primitives::RollupConfig;
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A head so many seconds behind the clock is current.
const CURRENT: u64 = 15;

/// Runs a devnet until Ctrl-C, or until the demo is done where that is wanted.
pub async fn devnet(args: DevnetArgs) -> Result<(), DevnetError> {
    let console = Console::new();
    let layout = Layout::create(&args.dir)?;
    let _lock = layout.lock()?;
    ports::check(&args)?;
    let programs = Programs::find(&args)?;
    write_keys(&layout)?;

    let (supervisor, mut failures) = Supervisor::new(console);
    let stopped = tokio::select! {
        result = drive(&args, &layout, &programs, &supervisor, console) => result,
        Some(failure) = failures.recv() => Err(failure.into()),
        () = l1::keep_copies(layout.clone()) => Ok(()),
        () = shutdown() => if args.exit { Err(DevnetError::Interrupted) } else { Ok(()) },
    };
    console.line("");
    console.note("stopping …");
    supervisor.stop().await;
    if stopped.is_ok() {
        console.note("stopped; the next start goes on from here, `make clean-devnet` forgets everything");
    }
    stopped
}

async fn drive(
    args: &DevnetArgs,
    layout: &Layout,
    programs: &Programs,
    supervisor: &Supervisor,
    console: Console,
) -> Result<(), DevnetError> {
    let logs = layout.logs().display().to_string();
    let log = |name: &str| format!("{logs}/{name}.log");
    let (l1, l2) = (Chain::local("L1", args.l1_port), Chain::local("sequencer", args.l2_port));
    let verifier = Chain::local("verifier", args.verifier_port);

    console.title("Starting");
    console.warn("the keys of every account here are public: never send real value to them");
    supervisor.start(l1::spec(args, layout, console));
    l1.ready(l1::CHAIN_ID, &log("l1")).await?;
    console.item("L1", format!("{}  chain {}", url(args.l1_port), l1::CHAIN_ID));

    let contracts = deploy(args, layout, programs, &l1).await?;
    let rollup: RollupConfig = read_json(&layout.chain().join("rollup.json"))?;
    console.item("contracts", format!("{} on L1 and L2, named in {}", contracts.len(), layout.devnet_json().display()));

    supervisor.start(programs.sequencer(args, layout));
    l2.ready(rollup.l2_chain_id, &log("sequencer")).await?;
    supervisor.start(programs.verifier(args, layout));
    verifier.ready(rollup.l2_chain_id, &log("verifier")).await?;
    console.item("L2", format!("{}  chain {}", url(args.l2_port), rollup.l2_chain_id));
    console.item("verifier", url(args.verifier_port));

    let mut devnet = DevnetJson {
        l1: endpoint(args.l1_port, l1::CHAIN_ID),
        l2: endpoint(args.l2_port, rollup.l2_chain_id),
        verifier: Endpoint { rpc: url(args.verifier_port), ws: websocket(args.verifier_port) },
        inference: InferenceEndpoint { url: url(args.inference_port) },
        contracts,
        accounts: accounts::roles(),
        contributors: vec![],
        model: None,
    };
    devnet.write(layout)?;
    catch_up(&l2, &log("sequencer"), console).await?;

    if !args.no_demo {
        let prepared = model::prepare(args, layout, programs, &l2, console).await?;
        devnet.contributors = prepared.contributors;
        devnet.model = Some(prepared.entry);
        devnet.write(layout)?;
    }
    supervisor.start(programs.serve(args, layout));
    let served_as = demo::ready(&devnet, &log("openlora")).await?;
    console.item("inference", &devnet.inference.url);
    if let (Some(model), Some(name)) = (&mut devnet.model, served_as) {
        model.name = name;
        devnet.write(layout)?;
    }

    if !args.no_demo {
        demo::paid_inference(&devnet, &args.inference, console).await?;
    }
    if args.exit {
        console.line("");
        console.line("Each check held. Next: `make devnet` starts the same devnet again and keeps it open for your wallet and curl");
        return Ok(());
    }
    goodbye(args, layout, &devnet, console);
    std::future::pending().await
}

/// Deploys the L1 contracts once, and returns the addresses of all contracts by name.
async fn deploy(
    args: &DevnetArgs,
    layout: &Layout,
    programs: &Programs,
    l1: &Chain,
) -> Result<BTreeMap<String, Address>, DevnetError> {
    let rollup = layout.chain().join("rollup.json");
    if !rollup.exists() {
        run_to_end(&programs.deploy(args, layout), |_| ()).await?;
    }
    let portal = read_json::<RollupConfig>(&rollup)?.deposit_contract_address;
    if !l1.has_code(portal).await? {
        return Err(DevnetError::ForeignL1 { address: portal, file: rollup });
    }
    // By layer in the file; a name that is on both layers (Multicall3) has one address.
    let by_layer: BTreeMap<String, BTreeMap<String, Address>> = read_json(&layout.chain().join("contracts.json"))?;
    Ok(by_layer.into_values().flatten().collect())
}

/// Waits until the L2's head is current: after a pause the sequencer first makes the blocks that are missing.
async fn catch_up(l2: &Chain, log: &str, console: Console) -> Result<(), DevnetError> {
    let behind = async || {
        let head = l2.block(BlockNumberOrTag::Latest).await.ok()??;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        Some(now.saturating_sub(head.timestamp))
    };
    if behind().await.is_some_and(|seconds| seconds > CURRENT) {
        console.note("making the L2 blocks for the time while the devnet was stopped …");
    }
    until("a current L2 head", 1800, &format!("see {log}"), async || {
        behind().await.filter(|seconds| *seconds <= CURRENT)
    })
    .await?;
    Ok(())
}

fn endpoint(port: u16, chain_id: u64) -> ChainEndpoint {
    ChainEndpoint { rpc: url(port), ws: websocket(port), chain_id }
}

fn websocket(port: u16) -> String {
    format!("ws://127.0.0.1:{port}")
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, DevnetError> {
    let bytes = fs::read(path).map_err(DevnetError::file(path))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| DevnetError::Malformed { path: path.to_owned(), reason: error.to_string() })
}

/// What to do with a devnet that runs.
fn goodbye(args: &DevnetArgs, layout: &Layout, devnet: &DevnetJson, console: Console) {
    let alice = Account::role("alice");
    console.title("Running; Ctrl-C stops it");
    console.item("wallet", format!("network {} chain {} symbol OPEN", devnet.l2.rpc, devnet.l2.chain_id));
    console.item("", format!("account alice {}", alice.private_key));
    console.item("everything", format!("{} (endpoints, contracts, accounts)", layout.devnet_json().display()));
    console.item("logs", layout.logs().display());
    console.line("");
    console.line(&format!(
        "Next: ask another question with `openledger demo --question \"…\"`, or open {}/v1/models",
        url(args.inference_port)
    ));
}
