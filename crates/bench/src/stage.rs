//! What the suite measures: a sequencer on its own L1, and anvil, each with an empty or a filled state.

use std::{fs, path::Path};

use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::U256;
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
const GAS_LIMIT: u64 = 500_000_000;
/// Seconds between blocks, on both sides.
const BLOCK_TIME: u64 = 1;
const L1_CHAIN_ID: u64 = 900;
/// Coin of the account that pays for everything; the base fee rises a lot while blocks are full.
const FUNDS: u64 = 100_000_000;

/// How anvil makes blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mining {
    /// On the clock, as the sequencer does.
    Interval,
    /// As soon as there is a transaction: what anvil does when it is not told otherwise.
    Automatic,
}

/// Running programs, and the node among them that is measured.
pub(crate) struct Stage {
    pub(crate) target: Target,
    /// How the node was started, for the page.
    pub(crate) flags: String,
    processes: Vec<Process>,
}

/// What the table calls a node.
pub(crate) const fn name(mining: Option<Mining>) -> &'static str {
    match mining {
        None => "openledger",
        Some(Mining::Interval) => "anvil, interval",
        Some(Mining::Automatic) => "anvil, automine",
    }
}

/// What the table calls a state.
pub(crate) fn state(accounts: Option<u32>) -> String {
    accounts.map_or_else(|| "empty".to_owned(), |accounts| format!("{accounts} accounts"))
}

impl Stage {
    /// A sequencer with a fresh chain on a fresh L1.
    pub(crate) async fn openledger(args: &SuiteArgs, work: &Path, accounts: Option<u32>) -> Result<Self, BenchError> {
        let [l1_port, port] = free_ports()?;
        let l1_url = url(l1_port);
        let flags = format!("--port {l1_port} --chain-id {L1_CHAIN_ID} --block-time 2 --slots-in-an-epoch 1 --silent");
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
             --block-time {BLOCK_TIME}",
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
        let mut sequencer = words(&format!("sequencer --l1-rpc {l1_url} --http-port {port}"));
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
            "`openledger deploy --gas-limit {GAS_LIMIT} --block-time {BLOCK_TIME}`, `openledger sequencer`, posting batches to \
             an anvil with `--block-time 2 --slots-in-an-epoch 1`"
        );
        Ok(Self { target: target(None, accounts, rpc, probe), flags, processes: vec![l1, node] })
    }

    /// anvil with the same gas limit and funds.
    pub(crate) async fn anvil(
        args: &SuiteArgs,
        work: &Path,
        mining: Mining,
        accounts: Option<u32>,
    ) -> Result<Self, BenchError> {
        let [port] = free_ports()?;
        let mut shown = format!("--chain-id 20300 --gas-limit {GAS_LIMIT} --balance {FUNDS} --silent");
        if mining == Mining::Interval {
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
        let mut node = Process::start("anvil", &args.anvil, &flags, work.join("anvil.log"))?;
        let rpc = Rpc::new(&url(port))?;
        node.serves(&rpc, 0).await?;
        let probe = Probe { pid: node.pid(), datadir: None };
        let flags = format!("`anvil {shown}`, filled by `--init`; keeps no data on disk");
        Ok(Self { target: target(Some(mining), accounts, rpc, probe), flags, processes: vec![node] })
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

fn target(mining: Option<Mining>, accounts: Option<u32>, rpc: Rpc, probe: Probe) -> Target {
    Target { name: name(mining).to_owned(), state: state(accounts), rpc, probe, funder: default_funder() }
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
