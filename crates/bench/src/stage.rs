//! What the suite measures: a sequencer on its own L1, and anvil, each with an empty or a filled state.

use std::{fs, path::Path};

use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::U256;
use clap::ValueEnum;
use openledger_devnet::Account;
use openledger_primitives::RollupConfig;
use openledger_stf::genesis;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    BenchError, SuiteArgs,
    account::recipient,
    measure::Target,
    process::{Process, free_ports},
    rpc::Rpc,
    run::default_funder,
    usage::Probe,
};

/// Gas limit of a block, on both sides: as much as `openledger deploy` allows, so that other limits show.
const GAS_LIMIT: u64 = 1_000_000_000;
/// Seconds between blocks, on both sides.
const BLOCK_TIME: u64 = 1;
/// What a byte on L1 counts for, in gas: with it a transfer counts for the gas that it uses, as on the other side.
const FOOTPRINT: u64 = 200;
const L1_CHAIN_ID: u64 = 900;
const L1_FLAGS: &str = "--block-time 2 --slots-in-an-epoch 1";
/// Gas limit of an L1 block: all that the L2 can make in that time fits, at 40 gas for a byte of calldata (EIP-7623).
const L1_GAS_LIMIT: u64 = 300_000_000;
/// Batch transactions on their way to L1: as many as such a block holds.
const MAX_PENDING_TX: u32 = 60;
/// Coin of the account that pays for everything; the base fee rises a lot while blocks are full.
const FUNDS: u64 = 100_000_000;

/// A node of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Node {
    /// Our sequencer
    Openledger,
    /// anvil with a block each second, as the sequencer makes them
    AnvilInterval,
    /// anvil as it comes: a block as soon as there is a transaction
    AnvilAutomine,
}

/// What a chain holds at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// Nothing but the contracts of the genesis
    Empty,
    /// `--accounts` accounts with coin
    Filled,
}

/// Running programs, and the node among them that is measured.
pub(crate) struct Stage {
    pub(crate) target: Target,
    /// How the node was started, for the page.
    pub(crate) flags: String,
    processes: Vec<Process>,
}

impl Node {
    /// What the table calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Openledger => "openledger",
            Self::AnvilInterval => "anvil, interval",
            Self::AnvilAutomine => "anvil, automine",
        }
    }
}

/// What the table calls a state.
pub(crate) fn state(accounts: Option<u32>) -> String {
    accounts.map_or_else(|| "empty".to_owned(), |accounts| format!("{accounts} accounts"))
}

impl Stage {
    /// The node with a fresh chain, its files in `work`.
    pub(crate) async fn start(
        node: Node,
        args: &SuiteArgs,
        work: &Path,
        accounts: Option<u32>,
    ) -> Result<Self, BenchError> {
        match node {
            Node::Openledger => Self::openledger(args, work, accounts).await,
            Node::AnvilInterval | Node::AnvilAutomine => Self::anvil(node, args, work, accounts).await,
        }
    }

    /// A sequencer on a fresh L1.
    async fn openledger(args: &SuiteArgs, work: &Path, accounts: Option<u32>) -> Result<Self, BenchError> {
        let [l1_port, port] = free_ports()?;
        let l1_url = url(l1_port);
        let flags = format!("--port {l1_port} --chain-id {L1_CHAIN_ID} {L1_FLAGS} --gas-limit {L1_GAS_LIMIT} --silent");
        let mut l1 = Process::start("the L1", &args.anvil, &words(&flags), work.join("l1.log"))?;
        l1.serves(&Rpc::new(&l1_url)?, 1).await?;

        let key = |role: &str| {
            let path = work.join(role);
            fs::write(&path, Account::role(role).private_key.to_string()).map_err(BenchError::file(&path))?;
            Ok::<_, BenchError>(path.display().to_string())
        };
        let address = |role: &str| Account::role(role).address.to_string();
        let chain = work.join("chain");
        let program = match &args.openledger {
            Some(program) => program.clone(),
            None => std::env::current_exe().map_err(BenchError::file("/proc/self/exe"))?,
        };
        let mut deploy = words(&format!(
            "deploy --l1-rpc {l1_url} --batcher {} --proposer {} --fund {} --fund-amount {FUNDS} --gas-limit {GAS_LIMIT} \
             --block-time {BLOCK_TIME} --da-footprint-gas-scalar {FOOTPRINT}",
            address("batcher"),
            address("proposer"),
            default_funder().address(),
        ));
        deploy.extend(["--deployer-key-file".to_owned(), key("deployer")?]);
        deploy.extend(["--out".to_owned(), chain.display().to_string()]);
        deploy.extend(["--artifacts".to_owned(), args.load.artifacts.display().to_string()]);
        Process::start("openledger deploy", &program, &deploy, work.join("deploy.log"))?.finishes().await?;
        if let Some(accounts) = accounts {
            fill(work, accounts)?;
        }

        let datadir = work.join("sequencer");
        let mut sequencer =
            words(&format!("sequencer --l1-rpc {l1_url} --http-port {port} --max-pending-tx {MAX_PENDING_TX}"));
        sequencer.extend(["--datadir".to_owned(), datadir.display().to_string()]);
        sequencer.extend(["--genesis".to_owned(), chain.join(GENESIS).display().to_string()]);
        sequencer.extend(["--rollup-config".to_owned(), chain.join(ROLLUP).display().to_string()]);
        sequencer.extend(["--batcher-key-file".to_owned(), key("batcher")?]);
        sequencer.extend(["--proposer-key-file".to_owned(), key("proposer")?]);
        let log = work.join("sequencer.log");
        let mut node = Process::start("the sequencer", &program, &sequencer, log)?;
        let rpc = Rpc::new(&url(port))?;
        node.serves(&rpc, 2).await?;
        let probe = Probe { pid: node.pid(), datadir: Some(datadir) };
        let flags = format!(
            "`openledger deploy --gas-limit {GAS_LIMIT} --block-time {BLOCK_TIME} --da-footprint-gas-scalar {FOOTPRINT}`, \
             `openledger sequencer --max-pending-tx {MAX_PENDING_TX}`, posting batches to an anvil with `{L1_FLAGS} --gas-limit {L1_GAS_LIMIT}`"
        );
        Ok(Self { target: target(Node::Openledger, accounts, rpc, probe), flags, processes: vec![l1, node] })
    }

    /// anvil with the same gas limit and funds.
    async fn anvil(node: Node, args: &SuiteArgs, work: &Path, accounts: Option<u32>) -> Result<Self, BenchError> {
        let [port] = free_ports()?;
        let mut shown = format!("--chain-id 20300 --gas-limit {GAS_LIMIT} --balance {FUNDS} --silent");
        if node == Node::AnvilInterval {
            shown.push_str(&format!(" --block-time {BLOCK_TIME}"));
        }
        let mut flags = words(&format!("{shown} --port {port}"));
        if let Some(accounts) = accounts {
            let path = work.join(GENESIS);
            let chain = json!({ "config": { "chainId": 20300 }, "gasLimit": GAS_LIMIT, "difficulty": "0x0" });
            let mut genesis: Genesis =
                serde_json::from_value(chain).map_err(|error| BenchError::Options(error.to_string()))?;
            genesis.alloc.extend(filling(accounts));
            write_json(&path, &genesis)?;
            flags.extend(["--init".to_owned(), path.display().to_string()]);
        }
        let mut process = Process::start("anvil", &args.anvil, &flags, work.join("anvil.log"))?;
        let rpc = Rpc::new(&url(port))?;
        process.serves(&rpc, 0).await?;
        let probe = Probe { pid: process.pid(), datadir: None };
        let flags = format!("`anvil {shown}`, filled by `--init`; keeps no data on disk");
        Ok(Self { target: target(node, accounts, rpc, probe), flags, processes: vec![process] })
    }

    /// Ends what was started last first.
    pub(crate) async fn stop(self) {
        for process in self.processes.into_iter().rev() {
            process.stop().await;
        }
    }
}

const GENESIS: &str = "genesis.json";
const ROLLUP: &str = "rollup.json";

fn target(node: Node, accounts: Option<u32>, rpc: Rpc, probe: Probe) -> Target {
    Target { name: node.name().to_owned(), state: state(accounts), rpc, probe, funder: default_funder() }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Accounts with one coin each, which transfers go to.
fn filling(accounts: u32) -> impl Iterator<Item = (alloy_primitives::Address, GenesisAccount)> {
    let coin = U256::from(10).pow(U256::from(18));
    (0..accounts as usize).map(move |index| (recipient(index), GenesisAccount::default().with_balance(coin)))
}

/// The sequencer's genesis and rollup configuration.
pub(crate) fn chain_files(work: &Path) -> Result<(Genesis, RollupConfig), BenchError> {
    let chain = work.join("chain");
    Ok((read_json(&chain.join(GENESIS))?, read_json(&chain.join(ROLLUP))?))
}

/// Adds the accounts to the genesis that was deployed, and names its new hash.
fn fill(work: &Path, accounts: u32) -> Result<(), BenchError> {
    let (mut genesis, mut rollup) = chain_files(work)?;
    genesis.alloc.extend(filling(accounts));
    let (block, _) = genesis::block_and_state(&genesis).map_err(|error| BenchError::Execution(error.to_string()))?;
    rollup.genesis.l2.hash = block.header.hash_slow();
    let chain = work.join("chain");
    write_json(&chain.join(GENESIS), &genesis)?;
    write_json(&chain.join(ROLLUP), &rollup)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, BenchError> {
    let bytes = fs::read(path).map_err(BenchError::file(path))?;
    serde_json::from_slice(&bytes).map_err(|error| BenchError::file(path)(error.into()))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), BenchError> {
    let bytes = serde_json::to_vec(value).map_err(|error| BenchError::file(path)(error.into()))?;
    fs::write(path, bytes).map_err(BenchError::file(path))
}
