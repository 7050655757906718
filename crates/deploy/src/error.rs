use std::path::PathBuf;

use alloy::primitives::{Address, U256};

/// Why a deployment did not come about. What was deployed before is kept in `deployments.json` and used by the next run.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// forge has not run, or not in this folder.
    #[error("the compiled contract {} cannot be read ({reason}); run `make contracts`, or name forge's output folder with --artifacts", path.display())]
    Artifact {
        /// The file that was looked for.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of the deployment cannot be read.
    #[error("{} cannot be read ({reason}); remove it to deploy anew, or restore it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of the deployment cannot be written.
    #[error("{} cannot be written: {source}; check the folder's rights and the disk, then run this again", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The key file cannot be read, or does not hold a key. The key is never shown.
    #[error("no deployer key: {0}")]
    Key(String),
    /// The URL of the L1 is none.
    #[error("--l1-rpc {url} is no URL: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The L1 does not answer.
    #[error("the L1 at {url} does not answer ({reason}); start it or correct --l1-rpc, then run this again")]
    L1Unreachable {
        /// Its URL.
        url: String,
        /// What the transport said.
        reason: String,
    },
    /// The L1 refused a request.
    #[error("the L1 refused to {action}: {reason}")]
    L1Refused {
        /// What it was asked for.
        action: String,
        /// What it said.
        reason: String,
    },
    /// The deployer cannot pay.
    #[error(
        "the deployer {deployer} has {balance} wei on L1 and needs about {needed}; send it ether and run this again"
    )]
    Unfunded {
        /// Who pays.
        deployer: Address,
        /// What it has.
        balance: U256,
        /// What the deployment may cost at the present price of gas.
        needed: U256,
    },
    /// A transaction was included and failed.
    #[error(
        "the transaction that should {action} failed on L1 (gas used: {gas_used}); run this again with a fresh --out, and report it if it fails again"
    )]
    Reverted {
        /// What it was to do.
        action: String,
        /// Gas used; close to the limit means out of gas.
        gas_used: u64,
    },
    /// A transaction was not included in time.
    #[error(
        "the transaction that should {action} was not included within {seconds} s; look whether the L1 produces blocks, then run this again"
    )]
    NotIncluded {
        /// What it was to do.
        action: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A role has no address.
    #[error("{argument} must not be the zero address")]
    ZeroAddress {
        /// The argument.
        argument: &'static str,
    },
    /// Replay protection between the layers needs two chain ids.
    #[error("the L1 has the chain id {0}; choose another for the L2 with --l2-chain-id")]
    SameChainId(u64),
    /// More OPEN is to be handed out than exists.
    #[error(
        "--fund-amount times {accounts} accounts on two layers is more than the 1,000,000,000 OPEN that exist; fund less"
    )]
    SupplyExceeded {
        /// How many accounts are to be funded.
        accounts: usize,
    },
    /// The output folder holds a deployment with other settings.
    #[error("{} was made with other settings; repeat them, or deploy to another --out", path.display())]
    OtherSettings {
        /// The file with the settings.
        path: PathBuf,
    },
    /// A predeploy's constructor failed: its arguments do not suit it.
    #[error("the constructor of {contract} failed: {reason}")]
    Constructor {
        /// The contract.
        contract: &'static str,
        /// What it said.
        reason: String,
    },
    /// `genesis.json` does not make a block.
    #[error("the genesis block cannot be made: {0}; remove genesis.json if it was edited, and run this again")]
    Genesis(#[from] openledger_stf::genesis::GenesisError),
}
