use std::collections::BTreeMap;

use alloy::{
    primitives::{Address, Bytes, U256},
    signers::local::PrivateKeySigner,
    sol_types::SolValue as _,
};
use openledger_stf::genesis;
use serde::{Deserialize, Serialize};

use crate::{
    Artifacts, ChainSettings, DeployArgs, DeployError, build_genesis,
    constructor::construct,
    files::OutputFolder,
    l1::L1,
    predeploys::{self, MULTICALL3},
    rollup::{L1Contracts, L1Origin, rollup_config},
};

const STATE: &str = "deployments.json";
const GENESIS: &str = "genesis.json";
const ROLLUP: &str = "rollup.json";
const CONTRACTS: &str = "contracts.json";

/// Gas of a whole deployment, rounded up.
const TOTAL_GAS: u64 = 10_000_000;

/// The supply of OPEN, in wei.
const SUPPLY: U256 = U256::from_limbs([11515845246265065472, 54210108, 0, 0]);

/// How far a deployment has come. Written after each step.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Progress {
    settings: ChainSettings,
    l1_chain_id: u64,
    contracts: Option<L1Contracts>,
    funded: bool,
    origin: Option<L1Origin>,
    output_oracle: Option<Address>,
}

/// Deploys the L1 contracts and writes `genesis.json`, `rollup.json` and `contracts.json`.
///
/// Can be cut short and repeated: what an earlier run with the same settings and folder did is kept as long as the L1
/// still has it. If the L1 was reset, everything is made anew.
pub async fn run(args: DeployArgs) -> Result<(), DeployError> {
    let signer = deployer_key(&args)?;
    let settings = args.settings(signer.address())?;
    let supply = checked_supply(&settings)?;
    let artifacts = Artifacts::new(&args.artifacts);
    // What can fail without spending anything fails first.
    build_genesis(&settings, &artifacts, 0)?;

    let out = OutputFolder::open(&args.out)?;
    let deployer = signer.address();
    let l1 = L1::new(&args.l1_rpc, signer)?;
    let l1_chain_id = l1.chain_id().await?;
    if l1_chain_id == settings.chain.l2_chain_id {
        return Err(DeployError::SameChainId(l1_chain_id));
    }
    let deployment = Deployment { l1, deployer, artifacts, out };
    let mut progress = deployment.resume(&settings, l1_chain_id).await?;

    let contracts = deployment.contracts(&mut progress).await?;
    deployment.fund(&mut progress, &contracts, supply).await?;
    let origin = deployment.origin(&mut progress).await?;
    let oracle = deployment.output_oracle(&mut progress, &origin).await?;
    deployment.multicall(l1_chain_id).await?;
    deployment.write(&progress, &contracts, &origin, oracle)
}

fn deployer_key(args: &DeployArgs) -> Result<PrivateKeySigner, DeployError> {
    let text = match &args.deployer_key_file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| DeployError::Key(format!("{} cannot be read: {error}", path.display())))?,
        None => std::env::var("OPENLEDGER_DEPLOYER_KEY")
            .map_err(|_| DeployError::Key("give --deployer-key-file, or set OPENLEDGER_DEPLOYER_KEY".into()))?,
    };
    text.trim().parse().map_err(|_| DeployError::Key("64 hex digits are expected, with or without 0x".into()))
}

/// OPEN on L2 at genesis; as much again is handed out on L1.
fn checked_supply(settings: &ChainSettings) -> Result<U256, DeployError> {
    let exceeded = DeployError::SupplyExceeded { accounts: settings.funded.len() };
    match settings.genesis_supply() {
        Some(supply) if supply <= SUPPLY / U256::from(2) => Ok(supply),
        _ => Err(exceeded),
    }
}

struct Deployment {
    l1: L1,
    deployer: Address,
    artifacts: Artifacts,
    out: OutputFolder,
}

impl Deployment {
    /// Finds out how far an earlier run came.
    async fn resume(&self, settings: &ChainSettings, l1_chain_id: u64) -> Result<Progress, DeployError> {
        let fresh = Progress {
            settings: settings.clone(),
            l1_chain_id,
            contracts: None,
            funded: false,
            origin: None,
            output_oracle: None,
        };
        let Some(earlier) = self.out.read::<Progress>(STATE)? else { return Ok(fresh) };
        if earlier.settings != *settings || earlier.l1_chain_id != l1_chain_id {
            return Err(DeployError::OtherSettings { path: self.out.path(STATE) });
        }
        if self.still_there(&earlier).await? {
            return Ok(earlier);
        }
        tracing::warn!(l1_chain_id, "the L1 does not hold the earlier deployment; deploying anew");
        for name in [GENESIS, ROLLUP, CONTRACTS, STATE] {
            self.out.remove(name)?;
        }
        Ok(fresh)
    }

    async fn still_there(&self, earlier: &Progress) -> Result<bool, DeployError> {
        let mut addresses: Vec<Address> = earlier.output_oracle.into_iter().collect();
        if let Some(contracts) = earlier.contracts {
            addresses.extend([contracts.open_token, contracts.system_config, contracts.optimism_portal]);
        }
        let origin_holds = match &earlier.origin {
            Some(origin) => self.l1.has(origin).await?,
            None => true,
        };
        Ok(origin_holds && self.l1.have_code(&addresses).await?)
    }

    /// OPEN, system configuration and portal.
    async fn contracts(&self, progress: &mut Progress) -> Result<L1Contracts, DeployError> {
        if let Some(contracts) = progress.contracts {
            return Ok(contracts);
        }
        self.l1.check_funds(TOTAL_GAS).await?;
        let settings = &progress.settings;
        let token = self.l1.create("OpenToken", self.code("OpenToken", &self.deployer.abi_encode())?).await?;
        let arguments = system_config_arguments(settings);
        let config = self.l1.create("SystemConfig", self.code("SystemConfig", &arguments)?).await?;
        let (token, config) = (self.l1.included(token).await?, self.l1.included(config).await?);
        let portal = self.code("OptimismPortal", &(config, token).abi_encode_params())?;
        let portal = self.l1.included(self.l1.create("OptimismPortal", portal).await?).await?;
        let contracts = L1Contracts { open_token: token, system_config: config, optimism_portal: portal };
        tracing::info!(open_token = %token, system_config = %config, optimism_portal = %portal, "L1 contracts deployed");
        progress.contracts = Some(contracts);
        self.out.write(STATE, progress)?;
        Ok(contracts)
    }

    /// Locks what exists on L2 at genesis, gives the funded accounts their OPEN on L1, and the rest to the owner.
    async fn fund(&self, progress: &mut Progress, contracts: &L1Contracts, supply: U256) -> Result<(), DeployError> {
        if progress.funded {
            return Ok(());
        }
        let token = contracts.open_token;
        let amount = progress.settings.fund_amount;
        let mut sent = vec![self.l1.top_up(token, contracts.optimism_portal, supply).await?];
        for account in progress.settings.funded.iter().filter(|account| **account != self.deployer) {
            sent.push(self.l1.top_up(token, *account, amount).await?);
        }
        for transfer in sent.into_iter().flatten() {
            self.l1.included(transfer).await?;
        }
        let owner = progress.settings.roles.owner;
        if owner != self.deployer {
            let kept = if progress.settings.funded.contains(&self.deployer) { amount } else { U256::ZERO };
            let rest = self.l1.token_balance(token, self.deployer).await?.saturating_sub(kept);
            if !rest.is_zero() {
                self.l1.included(self.l1.transfer(token, owner, rest).await?).await?;
            }
        }
        tracing::info!(locked = %supply, accounts = progress.settings.funded.len(), each = %amount, "OPEN distributed");
        progress.funded = true;
        self.out.write(STATE, progress)
    }

    /// The L1 block that the L2 starts from: one after the contracts, so that no deposit is missed.
    async fn origin(&self, progress: &mut Progress) -> Result<L1Origin, DeployError> {
        if let Some(origin) = progress.origin {
            return Ok(origin);
        }
        let origin = self.l1.head().await?;
        progress.origin = Some(origin);
        self.out.write(STATE, progress)?;
        Ok(origin)
    }

    async fn output_oracle(&self, progress: &mut Progress, origin: &L1Origin) -> Result<Address, DeployError> {
        if let Some(oracle) = progress.output_oracle {
            return Ok(oracle);
        }
        let settings = &progress.settings;
        let arguments = (
            settings.chain.submission_interval,
            settings.chain.block_time,
            0u64,
            origin.timestamp,
            settings.roles.proposer,
        );
        let code = self.code("OutputOracle", &arguments.abi_encode_params())?;
        let oracle = self.l1.included(self.l1.create("OutputOracle", code).await?).await?;
        tracing::info!(output_oracle = %oracle, "output oracle deployed");
        progress.output_oracle = Some(oracle);
        self.out.write(STATE, progress)?;
        Ok(oracle)
    }

    /// Clients want Multicall3 on L1. Real networks have it; a new anvil gets ours.
    async fn multicall(&self, l1_chain_id: u64) -> Result<(), DeployError> {
        let code = self.artifacts.creation_code("Multicall3.sol", "Multicall3", &[])?;
        let made = construct(l1_chain_id, MULTICALL3, code)
            .map_err(|reason| DeployError::Constructor { contract: "Multicall3", reason })?;
        if self.l1.set_code_on_anvil(MULTICALL3, &made.code).await? {
            tracing::info!(multicall3 = %MULTICALL3, "put on the development L1");
        }
        Ok(())
    }

    /// Writes the files that nodes and clients read. A genesis that is there is kept: nodes may have started from it.
    fn write(
        &self,
        progress: &Progress,
        contracts: &L1Contracts,
        origin: &L1Origin,
        oracle: Address,
    ) -> Result<(), DeployError> {
        let settings = &progress.settings;
        let genesis = match self.out.read(GENESIS)? {
            Some(genesis) => genesis,
            None => {
                let genesis = build_genesis(settings, &self.artifacts, origin.timestamp)?;
                self.out.write(GENESIS, &genesis)?;
                genesis
            }
        };
        let (block, _) = genesis::block_and_state(&genesis)?;
        let hash = block.header.hash_slow();
        let rollup = rollup_config(settings, progress.l1_chain_id, contracts, oracle, origin, hash);
        self.out.write(ROLLUP, &rollup)?;
        self.out.write(CONTRACTS, &AddressBook::new(settings, contracts, oracle))?;
        tracing::info!(
            out = %self.out.path("").display(), genesis = %hash, l1_origin = origin.number,
            "deployed: genesis.json, rollup.json and contracts.json are written"
        );
        Ok(())
    }

    fn code(&self, contract: &str, arguments: &[u8]) -> Result<Bytes, DeployError> {
        self.artifacts.creation_code(&format!("{contract}.sol"), contract, arguments)
    }
}

/// `(owner, batchInbox, Config)`; the numbers are those of `rollup.json`'s system configuration.
fn system_config_arguments(settings: &ChainSettings) -> Vec<u8> {
    let config = settings.system_config();
    let initial = (
        config.batcher_address.into_word(),
        settings.roles.batcher,
        config.gas_limit,
        config.base_fee_scalar(),
        config.blob_base_fee_scalar(),
        settings.chain.eip1559_denominator,
        settings.chain.eip1559_elasticity,
        config.min_base_fee,
        config.operator_fee_scalar(),
        config.operator_fee_constant(),
        u32::from(config.da_footprint_gas_scalar),
    );
    (settings.roles.owner, settings.batch_inbox(), initial).abi_encode_params()
}

/// `contracts.json`: every address by name.
#[derive(Serialize)]
struct AddressBook {
    l1: BTreeMap<&'static str, Address>,
    l2: BTreeMap<&'static str, Address>,
}

impl AddressBook {
    fn new(settings: &ChainSettings, contracts: &L1Contracts, oracle: Address) -> Self {
        let l1 = [
            ("OpenToken", contracts.open_token),
            ("SystemConfig", contracts.system_config),
            ("OptimismPortal", contracts.optimism_portal),
            ("OutputOracle", oracle),
            ("BatchInbox", settings.batch_inbox()),
            ("Multicall3", MULTICALL3),
        ];
        Self { l1: l1.into(), l2: predeploys::l2_addresses(settings).into_iter().collect() }
    }
}
