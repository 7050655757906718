//! A sequencer and a verifier without clock and network: each test says what happens, in which order.

use std::{path::Path, sync::Arc};

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_eips::Encodable2718 as _;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, bytes};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use op_alloy_consensus::OpTxEnvelope;
use openledger_batcher::BatcherConfig;
use openledger_primitives::{L2BlockRef, RollupConfig, RollupGenesis, SystemConfig};

use super::l1::{L1_BLOCK_TIME, MemoryL1};
use crate::{
    Chain, NodeError,
    control::Switch,
    driver::{
        batcher::BatcherDriver,
        derivation::{DerivationDriver, Progress},
        outputs::OutputChecker,
        proposer::Proposer,
        sequencer::{ProduceError, Sequencer},
    },
    l1::{L1Heads, L1Source, L1Status},
};
use openledger_derivation::Severity;

/// When L1 and L2 begin.
const GENESIS_TIME: u64 = 1_700_000_000;
const CHAIN_ID: u64 = 20_300;
const BATCHER: Address = address!("00000000000000000000000000000000000ba7c4");
/// Who receives transfers.
pub(super) const RECIPIENT: Address = address!("0000000000000000000000000000000000000b0b");

/// A user with OPEN.
pub(super) fn user() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(0x11)).unwrap()
}

pub(super) fn genesis() -> Genesis {
    Genesis {
        timestamp: GENESIS_TIME,
        gas_limit: 30_000_000,
        base_fee_per_gas: Some(1_000_000),
        // Version 1, denominator 250, elasticity 6, minimum base fee 1,000,000 (Jovian).
        extra_data: bytes!("01000000fa0000000600000000000f4240"),
        ..Genesis::default()
    }
    .extend_accounts([(user().address(), GenesisAccount::default().with_balance(U256::from(10).pow(U256::from(20))))])
}

/// The configuration of the chain with this genesis on this L1.
pub(super) fn rollup(genesis: &Genesis, l1: &MemoryL1) -> RollupConfig {
    let (block, _) = openledger_stf::genesis::block_and_state(genesis).unwrap();
    let start = RollupGenesis {
        l1: l1.genesis(),
        l2: alloy_eips::BlockNumHash::new(0, block.header.hash_slow()),
        l2_time: GENESIS_TIME,
        system_config: SystemConfig {
            batcher_address: BATCHER,
            gas_limit: genesis.gas_limit,
            min_base_fee: 1_000_000,
            ..Default::default()
        }
        .with_scalars(0, 0)
        .with_eip_1559(250, 6),
    };
    RollupConfig { seq_window_size: 50, ..RollupConfig::new(start, 31337, CHAIN_ID) }
}

/// A node whose tasks are stepped by hand.
pub(super) struct Actor {
    pub(super) chain: Arc<Chain>,
    pub(super) l1: Arc<MemoryL1>,
    status: Arc<L1Status>,
    pub(super) derivation: DerivationDriver<MemoryL1>,
    sequencer: Sequencer<MemoryL1>,
    batcher: BatcherDriver<MemoryL1>,
    proposer: Proposer<MemoryL1>,
    checker: OutputChecker<MemoryL1>,
}

impl Actor {
    /// Opens a node in `datadir`, as a process does at its start.
    pub(super) fn open(datadir: &Path, l1: &Arc<MemoryL1>, corrupt_at: Option<u64>) -> Self {
        Self::open_with(datadir, &genesis(), l1, corrupt_at)
    }

    /// As [`Actor::open`], for a chain with another genesis.
    pub(super) fn open_with(datadir: &Path, genesis: &Genesis, l1: &Arc<MemoryL1>, corrupt_at: Option<u64>) -> Self {
        Self::configured(datadir, genesis, rollup(genesis, l1), l1, corrupt_at)
    }

    /// As [`Actor::open_with`], with another configuration than the genesis has by itself.
    pub(super) fn configured(
        datadir: &Path,
        genesis: &Genesis,
        config: RollupConfig,
        l1: &Arc<MemoryL1>,
        corrupt_at: Option<u64>,
    ) -> Self {
        let config = Arc::new(config);
        let chain = Arc::new(Chain::open(datadir, genesis, config, corrupt_at).unwrap());
        let (l1, status) = (l1.clone(), Arc::new(L1Status::default()));
        let config = BatcherConfig { max_channel_duration: 1, max_in_flight: 1, ..Default::default() };
        Self {
            derivation: DerivationDriver::new(chain.clone(), l1.clone(), status.clone()),
            sequencer: Sequencer::new(chain.clone(), l1.clone(), status.clone(), 0, Arc::new(Switch::new(true))),
            batcher: BatcherDriver::new(chain.clone(), status.clone(), l1.clone(), config, Arc::default()).unwrap(),
            proposer: Proposer::new(chain.clone(), l1.clone(), status.clone()),
            checker: OutputChecker::new(chain.clone(), l1.clone(), status.clone()),
            chain,
            l1,
            status,
        }
    }

    /// The test's L1.
    pub(super) fn new_l1() -> Arc<MemoryL1> {
        Arc::new(MemoryL1::new(GENESIS_TIME, BATCHER))
    }

    /// Reads L1 to its end, as the derivation task does; starts over where the task would.
    pub(super) async fn derive(&mut self) {
        self.see_l1().await;
        for _ in 0..10_000 {
            match self.derivation.step().await {
                Ok(Progress::Advanced) => {}
                Ok(Progress::Waiting) => return,
                Err(error) if error.severity() == Severity::Reset => self.derivation.reset().await.unwrap(),
                Err(error) => panic!("{error}"),
            }
        }
        panic!("derivation does not come to an end");
    }

    /// One derivation step.
    pub(super) async fn try_derive(&mut self) -> Result<Progress, NodeError> {
        self.derivation.step().await
    }

    async fn see_l1(&self) {
        let head = self.l1.head().await.unwrap();
        let (safe, finalized) = self.l1.settled().await.unwrap();
        self.status.set_heads(L1Heads { head, safe, finalized });
    }

    /// Produces one block.
    pub(super) async fn produce(&self) -> L2BlockRef {
        self.sequencer.produce().await.unwrap()
    }

    /// Produces one block, if that is possible.
    pub(super) async fn try_produce(&self) -> Result<L2BlockRef, ProduceError> {
        self.sequencer.produce().await
    }

    /// Lets the batcher send what is due.
    pub(super) async fn batch(&mut self) {
        self.see_l1().await;
        self.batcher.tick().await.unwrap();
        // The transactions are sent by tasks of their own.
        tokio::task::yield_now().await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }

    /// Proposes all outputs that are due.
    pub(super) async fn propose(&self) {
        while self.proposer.tick().await.unwrap() {}
    }

    /// Compares all outputs that can be compared.
    pub(super) async fn check_outputs(&mut self) {
        while self.checker.tick().await.unwrap() > 0 {}
    }

    /// Lets so many L1 blocks pass: in each, two L2 blocks are produced and posted.
    pub(super) async fn run(&mut self, l1_blocks: u64) {
        for _ in 0..l1_blocks {
            for _ in 0..L1_BLOCK_TIME {
                self.produce().await;
            }
            self.batch().await;
            self.l1.mine();
            self.derive().await;
        }
    }

    /// What the node knows of L1.
    pub(super) fn status(&self) -> Arc<L1Status> {
        self.status.clone()
    }

    /// Sends one wei, and returns the hash.
    pub(super) fn transfer(&self, nonce: u64) -> B256 {
        self.chain.submit(self.signed_transfer(nonce)).unwrap()
    }

    /// A signed transfer of one wei.
    pub(super) fn signed_transfer(&self, nonce: u64) -> Bytes {
        let (to, value) = (TxKind::Call(RECIPIENT), U256::from(1));
        self.signed(TxEip1559 { nonce, gas_limit: 21_000, to, value, ..Default::default() })
    }

    /// A transaction of the user, with chain and fees filled in.
    pub(super) fn signed(&self, tx: TxEip1559) -> Bytes {
        Self::signed_by(&user(), tx)
    }

    /// As [`Actor::signed`], of somebody else.
    pub(super) fn signed_by(signer: &PrivateKeySigner, tx: TxEip1559) -> Bytes {
        let (max_fee_per_gas, max_priority_fee_per_gas) = (1_000_000_000, 1_000_000);
        let tx = TxEip1559 { chain_id: CHAIN_ID, max_fee_per_gas, max_priority_fee_per_gas, ..tx };
        let signature = signer.sign_hash_sync(&tx.signature_hash()).unwrap();
        OpTxEnvelope::Eip1559(tx.into_signed(signature)).encoded_2718().into()
    }

    /// Balance of an account after the newest block.
    pub(super) fn balance(&self, address: Address) -> U256 {
        use openledger_stf::StateReader as _;
        let state = self.chain.db().latest().unwrap();
        state.account(&address).unwrap().map(|account| account.balance).unwrap_or_default()
    }

    /// Number of the safe head.
    pub(super) fn safe(&self) -> u64 {
        self.chain.heads().unwrap().safe.number
    }

    /// Number of the newest block.
    pub(super) fn head(&self) -> u64 {
        self.chain.heads().unwrap().unsafe_head.number
    }

    /// State root of a block.
    pub(super) fn state_root(&self, number: u64) -> B256 {
        self.chain.block(number).unwrap().unwrap().block.header.state_root
    }
}
