use std::path::PathBuf;

use alloy::primitives::{Address, U256};
use clap::Args;

use crate::{ChainSettings, DeployError, Roles};

/// Where to deploy, what, and who gets which role.
#[derive(Debug, Clone, Args)]
pub struct DeployArgs {
    /// JSON-RPC of the L1
    #[arg(long, env = "OPENLEDGER_L1_RPC", value_name = "URL")]
    pub l1_rpc: String,
    /// File with the private key (hex) of the account that deploys and pays; or put the key itself in OPENLEDGER_DEPLOYER_KEY
    #[arg(long, value_name = "FILE")]
    pub deployer_key_file: Option<PathBuf>,
    /// Where forge left the compiled contracts (`make contracts`)
    #[arg(long, env = "OPENLEDGER_ARTIFACTS", default_value = "contracts/out", value_name = "DIR")]
    pub artifacts: PathBuf,
    /// Where to write genesis.json, rollup.json, contracts.json and the state of the deployment; created when missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The rollup's parameters
    #[command(flatten)]
    pub chain: ChainArgs,
    /// Account that posts batches to L1
    #[arg(long, value_name = "ADDRESS")]
    pub batcher: Address,
    /// Account that proposes output roots on L1
    #[arg(long, value_name = "ADDRESS")]
    pub proposer: Address,
    /// Account that may change parameters on both layers and collects L2 fees [default: the deployer]
    #[arg(long, value_name = "ADDRESS")]
    pub owner: Option<Address>,
    /// Account of an inference server that may settle from the start; may be repeated
    #[arg(long = "operator", value_name = "ADDRESS")]
    pub operators: Vec<Address>,
    /// Account that starts with OPEN on both layers; may be repeated
    #[arg(long = "fund", value_name = "ADDRESS")]
    pub funded: Vec<Address>,
    /// How much OPEN each of them starts with, on each layer
    #[arg(long, default_value_t = 1_000_000, value_name = "OPEN")]
    pub fund_amount: u64,
}

/// The rollup's parameters.
#[derive(Debug, Clone, Copy, Args)]
pub struct ChainArgs {
    /// Chain id of the L2
    #[arg(long, default_value_t = openledger_primitives::DEFAULT_CHAIN_ID, value_name = "ID")]
    pub l2_chain_id: u64,
    /// Seconds between L2 blocks
    #[arg(long, default_value_t = 1, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=60))]
    pub block_time: u64,
    /// Gas limit of an L2 block; a transfer counts for about 40,000, because of the data that it has on L1
    #[arg(long, default_value_t = 500_000_000, value_name = "GAS",
          value_parser = clap::value_parser!(u64).range(21_000_000..=1_000_000_000))]
    pub gas_limit: u64,
    /// How slowly the base fee moves
    #[arg(long, default_value_t = 250, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub eip1559_denominator: u32,
    /// Gas limit of a block over the gas it aims at
    #[arg(long, default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub eip1559_elasticity: u32,
    /// Floor of the base fee, in wei of OPEN: it pays for the data on L1 in place of a separate L1 fee
    #[arg(long, default_value_t = 1_000_000_000, value_name = "WEI")]
    pub min_base_fee: u64,
    /// Gas that a transaction counts for, besides what it uses, for each byte that it has on L1; 0 is Jovian's default of 400. A
    /// transfer has about 100 bytes: up to 200 leave it at the 21,000 gas that it uses
    #[arg(long, default_value_t = 0, value_name = "GAS")]
    pub da_footprint_gas_scalar: u16,
    /// L1 blocks within which batches must appear
    #[arg(long, default_value_t = 3600, value_name = "L1_BLOCKS", value_parser = clap::value_parser!(u64).range(1..))]
    pub sequencing_window: u64,
    /// L2 blocks from one proposed output root to the next
    #[arg(long, default_value_t = 30, value_name = "BLOCKS", value_parser = clap::value_parser!(u64).range(1..))]
    pub submission_interval: u64,
    /// Seconds between asking for a withdrawal from escrow and getting it
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub withdrawal_delay: u64,
}

impl DeployArgs {
    /// What the deployment is determined by, apart from where and with which key it is made.
    pub(crate) fn settings(&self, deployer: Address) -> Result<ChainSettings, DeployError> {
        for (role, address) in [("--batcher", self.batcher), ("--proposer", self.proposer)] {
            if address.is_zero() {
                return Err(DeployError::ZeroAddress { argument: role });
            }
        }
        let mut funded = self.funded.clone();
        funded.sort_unstable();
        funded.dedup();
        Ok(ChainSettings {
            chain: self.chain.into(),
            roles: Roles {
                owner: self.owner.unwrap_or(deployer),
                batcher: self.batcher,
                proposer: self.proposer,
                operators: self.operators.clone(),
            },
            funded,
            fund_amount: U256::from(self.fund_amount) * U256::from(10).pow(U256::from(18)),
        })
    }
}
