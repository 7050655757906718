//! One scenario against one node.

use std::time::Duration;

use alloy_primitives::U64;
use openledger_deploy::Artifacts;
use openledger_devnet::Console;
use openledger_primitives::addresses::INFERENCE_LEDGER;
use serde_json::json;

use crate::{
    BenchError,
    account::{Account, Signed, Terms},
    key::Key,
    load::{self, Load, Pace},
    plan::{Plan, Scenario, Size},
    rpc::Rpc,
    usage::{Probe, Usage},
};

/// The fee cap over the base fee at the start. Full blocks raise it by an eighth each on Ethereum's rules.
const FEE_MARGIN: u128 = 200;
/// The fee cap where the base fee is next to nothing, in wei per gas.
const LEAST_FEE: u128 = 1_000_000_000;

/// How many receipts of a measurement are read. Not all: anvil's time for those of a block grows with the square of their number, and
/// is minutes for a full one.
const SAMPLE: usize = 200;

/// Transactions of the preparation in one request.
const PREPARED: usize = 100;

/// A node to be measured.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What the table calls it.
    pub(crate) name: String,
    /// What its state holds at the start, for the table.
    pub(crate) state: String,
    pub(crate) rpc: Rpc,
    pub(crate) probe: Probe,
    /// Pays for everything; for settlements it must own `InferenceLedger`.
    pub(crate) funder: Key,
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) transactions: usize,
    pub(crate) senders: usize,
    pub(crate) connections: usize,
    pub(crate) recipients: usize,
    pub(crate) pace: Pace,
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    pub(crate) node: String,
    pub(crate) state: String,
    pub(crate) scenario: Scenario,
    /// All included once, and successful as far as receipts were read.
    pub(crate) transactions: usize,
    /// Accepted, but in no block when the time was up.
    pub(crate) left: usize,
    pub(crate) in_flight: usize,
    pub(crate) elapsed: Duration,
    pub(crate) gas: u64,
    /// Median and 99th percentile of the time to inclusion.
    pub(crate) inclusion: (Duration, Duration),
    pub(crate) usage: Usage,
}

impl Target {
    /// Whether the chain has what the scenario needs.
    pub(crate) async fn supports(&self, scenario: Scenario) -> Result<bool, BenchError> {
        if scenario != Scenario::Settle {
            return Ok(true);
        }
        let code: String = self.rpc.call("eth_getCode", json!([INFERENCE_LEDGER, "latest"])).await?;
        Ok(code.len() > 2)
    }

    /// What the node calls itself.
    pub(crate) async fn version(&self) -> Result<String, BenchError> {
        self.rpc.call("web3_clientVersion", json!([])).await
    }

    async fn terms(&self) -> Result<Terms, BenchError> {
        let chain_id: U64 = self.rpc.call("eth_chainId", json!([])).await?;
        let newest = self.rpc.block_number().await?;
        let block = self.rpc.block(newest).await?.ok_or_else(|| self.rpc.error("eth_getBlockByNumber", "no block"))?;
        let base_fee = block.base_fee_per_gas.unwrap_or_default().to::<u128>();
        Ok(Terms { chain_id: chain_id.to(), max_fee: (base_fee * FEE_MARGIN).max(LEAST_FEE) })
    }

    async fn account(&self, key: Key) -> Result<Account, BenchError> {
        let nonce = self.rpc.nonce(key.address()).await?;
        Ok(Account { key, nonce })
    }

    /// Signs, prepares, sends, and checks what came of it.
    pub(crate) async fn measure(
        &self,
        scenario: Scenario,
        options: &Options,
        artifacts: &Artifacts,
        console: Console,
    ) -> Result<Measurement, BenchError> {
        let terms = self.terms().await?;
        let mut funder = self.account(self.funder.clone()).await?;
        let mut senders = Vec::new();
        for index in 0..options.senders {
            senders.push(self.account(Account::sender(index)).await?);
        }
        let size = Size {
            transactions: options.transactions,
            lanes: options.connections,
            recipients: options.recipients,
            salt: rand::random(),
        };
        let Plan { setup, lanes } = Plan::new(scenario, size, &terms, artifacts, &mut funder, senders)?;
        let batches = load::batches(lanes, options.pace.batch);
        self.prepare(setup, options.pace).await?;

        let before = Usage::now(&self.rpc, &self.probe).await;
        let load = load::run(&self.rpc, batches, options.pace).await?;
        let usage = Usage::now(&self.rpc, &self.probe).await.since(&before);
        console.note(&format!("{}: {} included, asking for receipts", scenario.name(), load.included.len()));
        load::verify(&self.rpc, &load, SAMPLE).await?;
        let Load { elapsed, latencies, gas, included, left } = load;
        if included.is_empty() {
            return Err(self.slow("measurement", left, options.pace));
        }
        let percentile = |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
        Ok(Measurement {
            node: self.name.clone(),
            state: self.state.clone(),
            scenario,
            transactions: included.len(),
            left,
            in_flight: options.pace.in_flight,
            elapsed,
            gas,
            inclusion: (percentile(50), percentile(99)),
            usage,
        })
    }

    async fn prepare(&self, setup: Vec<Signed>, pace: Pace) -> Result<(), BenchError> {
        let all = setup.len();
        let pace = Pace { every: None, ..pace };
        let load = load::run(&self.rpc, load::batches(vec![setup], PREPARED.min(pace.in_flight)), pace).await?;
        if load.included.len() < all {
            return Err(self.slow("preparation", all - load.included.len(), pace));
        }
        match load::verify(&self.rpc, &load, usize::MAX).await {
            Err(BenchError::Wrong { url, hash, what }) => {
                let hint = "the funder needs coin, and for settlements it must own InferenceLedger";
                Err(BenchError::Wrong { url, hash, what: format!("of the preparation {what}: {hint}") })
            }
            verified => verified,
        }
    }

    fn slow(&self, part: &'static str, left: usize, pace: Pace) -> BenchError {
        BenchError::Slow { url: self.rpc.url(), part, left, seconds: (pace.send_for + pace.wait_for).as_secs() }
    }
}
