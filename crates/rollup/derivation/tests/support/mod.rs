//! An L1 in memory, an execution that only hashes, and a batcher's hand tools.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this")]

use alloy_consensus::{BlockBody, SignableTransaction, TxEip1559};
use alloy_eips::{BlockNumHash, Decodable2718, Encodable2718};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use op_alloy_consensus::{OpTxEnvelope, TxDeposit};
use openledger_batch::{
    ChannelId, ConfigUpdate, SingleBatch, compress_channel, encode_batches, encode_frames, split_channel,
};
use openledger_batch::{Frame, l2_block_ref};
use openledger_derivation::{
    Derivation, DerivationEvent, DerivedAttributes, InboxTransaction, L1BlockInfo, L1Input, Start, Step,
};
use openledger_primitives::{Block, Header, L1BlockRef, L2BlockRef, RollupConfig, RollupGenesis, SystemConfig};
use std::sync::Arc;

pub const BATCHER: Address = Address::repeat_byte(0xba);
pub const L1_TIME: u64 = 12;
pub const L2_TIME: u64 = 2;
pub const WINDOW: u64 = 20;
const GENESIS_TIME: u64 = 1_000_000;

/// An L1 that can be reorganised.
#[derive(Clone)]
pub struct L1 {
    pub blocks: Vec<L1Input>,
    salt: u8,
}

impl L1 {
    pub fn new() -> Self {
        let mut l1 = Self { blocks: Vec::new(), salt: 0 };
        l1.mine();
        l1
    }

    pub fn head(&self) -> &L1BlockRef {
        &self.blocks.last().unwrap().info.block
    }

    pub fn mine(&mut self) -> &mut L1Input {
        let number = self.blocks.len() as u64;
        let parent_hash = self.blocks.last().map_or(B256::ZERO, |block| block.info.block.hash);
        let hash = keccak256([parent_hash.as_slice(), &number.to_be_bytes(), &[self.salt]].concat());
        let timestamp = GENESIS_TIME + number * L1_TIME;
        self.blocks.push(L1Input {
            info: L1BlockInfo {
                block: L1BlockRef { hash, number, parent_hash, timestamp },
                base_fee: 7 + number,
                blob_base_fee: 1,
                prev_randao: keccak256(hash),
                parent_beacon_block_root: keccak256(parent_hash),
            },
            ..Default::default()
        });
        self.blocks.last_mut().unwrap()
    }

    pub fn mine_many(&mut self, count: u64) {
        for _ in 0..count {
            self.mine();
        }
    }

    /// Forgets the blocks from `number` on; what is mined now has other hashes.
    pub fn reorg(&mut self, number: u64) {
        self.blocks.truncate(number as usize);
        self.salt += 1;
    }

    /// Mines a block with these payloads from the batcher.
    pub fn post(&mut self, payloads: impl IntoIterator<Item = Bytes>) {
        self.post_from(BATCHER, payloads);
    }

    pub fn post_from(&mut self, sender: Address, payloads: impl IntoIterator<Item = Bytes>) {
        let transaction = |payload: Bytes| InboxTransaction { hash: keccak256(&payload), sender, payload };
        self.mine().inbox = payloads.into_iter().map(transaction).collect();
    }

    pub fn update(&mut self, update: ConfigUpdate) {
        self.mine().config_updates.push(update);
    }

    pub fn deposit(&mut self, mint: u128) -> TxDeposit {
        let deposit =
            TxDeposit { mint, gas_limit: 21_000, to: TxKind::Call(Address::repeat_byte(1)), ..Default::default() };
        self.mine().deposits.push(deposit.clone());
        deposit
    }
}

pub fn config(l1: &L1) -> Arc<RollupConfig> {
    let genesis = Block::default();
    let system =
        SystemConfig { batcher_address: BATCHER, gas_limit: 30_000_000, min_base_fee: 5, ..Default::default() };
    let genesis = RollupGenesis {
        l1: l1.blocks[0].info.block.id(),
        l2: BlockNumHash { number: 0, hash: genesis.header.hash_slow() },
        l2_time: GENESIS_TIME,
        system_config: system.with_eip_1559(250, 6).with_scalars(1, 2),
    };
    Arc::new(RollupConfig { block_time: L2_TIME, seq_window_size: WINDOW, ..RollupConfig::new(genesis, 1, 2) })
}

/// "Executes" attributes: the header commits to them, nothing else happens.
pub fn execute(derived: &DerivedAttributes, config: &RollupConfig) -> (L2BlockRef, Block) {
    let attributes = &derived.attributes;
    let transactions: Vec<_> =
        attributes.transactions.iter().map(|bytes| OpTxEnvelope::decode_2718_exact(bytes).unwrap()).collect();
    let mut extra_data = vec![1];
    extra_data.extend(attributes.eip_1559_params);
    extra_data.extend(attributes.min_base_fee.to_be_bytes());
    let header = Header {
        parent_hash: derived.parent.hash,
        number: derived.parent.number + 1,
        timestamp: attributes.timestamp,
        mix_hash: attributes.prev_randao,
        beneficiary: attributes.fee_recipient,
        gas_limit: attributes.gas_limit,
        parent_beacon_block_root: Some(attributes.parent_beacon_block_root),
        transactions_root: keccak256(attributes.transactions.concat()),
        extra_data: extra_data.into(),
        ..Default::default()
    };
    let block = Block { header, body: BlockBody { transactions, ..Default::default() } };
    let reference = l2_block_ref(config, block.header.hash_slow(), &block).unwrap();
    (reference, block)
}

pub fn user_transaction(nonce: u64) -> Bytes {
    let transaction = TxEip1559 { chain_id: 2, nonce, gas_limit: 21_000, ..Default::default() };
    let signature = Signature::new(U256::ONE, U256::ONE, false);
    OpTxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

/// A node: derivation with the chain that it led to.
pub struct Node {
    pub config: Arc<RollupConfig>,
    pub derivation: Derivation,
    pub chain: Vec<(L2BlockRef, Block)>,
    pub derived: Vec<DerivedAttributes>,
    pub events: Vec<DerivationEvent>,
    /// Blocks at these heights are judged invalid unless they hold nothing but deposits.
    pub invalid: Vec<u64>,
}

impl Node {
    pub fn new(l1: &L1) -> Self {
        let config = config(l1);
        let genesis = Block::default();
        let head = l2_block_ref(&config, config.genesis.l2.hash, &genesis).unwrap();
        let mut genesis = genesis;
        genesis.header.timestamp = GENESIS_TIME;
        let head = L2BlockRef { timestamp: GENESIS_TIME, ..head };
        let start = Start {
            safe_head: head,
            l1: config.genesis.l1,
            system_config: config.genesis.system_config,
            processed_through: 0,
        };
        let derivation = Derivation::new(config.clone(), start);
        Self { config, derivation, chain: vec![(head, genesis)], derived: vec![], events: vec![], invalid: vec![] }
    }

    pub fn head(&self) -> L2BlockRef {
        self.chain.last().unwrap().0
    }

    /// Derives as far as this L1 goes.
    pub fn sync(&mut self, l1: &L1) -> Result<(), openledger_derivation::DerivationError> {
        loop {
            match self.derivation.step() {
                Step::NeedL1(number) => match l1.blocks.get(number as usize) {
                    Some(input) => self.derivation.push_l1(input.clone())?,
                    None => break,
                },
                Step::Attributes(derived) => {
                    let (reference, block) = execute(&derived, &self.config);
                    if self.invalid.contains(&reference.number) && !derived.is_deposits_only() {
                        self.derivation.invalidate()?;
                        continue;
                    }
                    self.derivation.advance(reference)?;
                    self.chain.push((reference, block));
                    self.derived.push(*derived);
                }
            }
        }
        self.events.extend(self.derivation.take_events());
        Ok(())
    }
}

/// A sequencer that knows nothing but the rules: it makes blocks and their batches on top of a head.
pub struct Sequencer {
    config: Arc<RollupConfig>,
    pub head: L2BlockRef,
    pub system: SystemConfig,
    pub nonce: u64,
    /// What it has made.
    pub blocks: Vec<(B256, Block)>,
}

impl Sequencer {
    pub fn on(node: &Node) -> Self {
        let system = node.config.genesis.system_config;
        Self { config: node.config.clone(), head: node.head(), system, nonce: 0, blocks: Vec::new() }
    }

    /// The same sequencer on another head.
    pub fn copy_on(&self, head: L2BlockRef) -> Self {
        Self { config: self.config.clone(), head, system: self.system, nonce: 0, blocks: Vec::new() }
    }

    /// Makes the next block with one transaction, moving to the next origin as soon as its time has come.
    pub fn batch(&mut self, l1: &L1) -> SingleBatch {
        self.batch_confirmed(l1, 0)
    }

    /// The same, but only taking origins that are this deep in L1.
    pub fn batch_confirmed(&mut self, l1: &L1, confirmations: usize) -> SingleBatch {
        let timestamp = self.head.timestamp + L2_TIME;
        let number = self.head.l1_origin.number as usize + 1;
        let is_confirmed = number + confirmations < l1.blocks.len();
        let next = l1.blocks.get(number).filter(|next| is_confirmed && next.info.block.timestamp <= timestamp);
        let epoch = next.map_or(self.head.l1_origin, |next| next.info.block.id());
        self.nonce += 1;
        self.batch_in(l1, epoch, vec![user_transaction(self.nonce)])
    }

    pub fn batch_in(&mut self, l1: &L1, epoch: BlockNumHash, transactions: Vec<Bytes>) -> SingleBatch {
        let batch =
            SingleBatch { parent_hash: self.head.hash, epoch, timestamp: self.head.timestamp + L2_TIME, transactions };
        self.head = self.execute(l1, &batch);
        batch
    }

    /// What derivation will make of the batch, computed independently of the pipeline.
    fn execute(&mut self, l1: &L1, batch: &SingleBatch) -> L2BlockRef {
        let is_new = batch.epoch != self.head.l1_origin;
        let input = &l1.blocks[batch.epoch.number as usize];
        if is_new {
            input.config_updates.iter().for_each(|update| update.apply(&mut self.system));
        }
        let sequence_number = if is_new { 0 } else { self.head.sequence_number + 1 };
        let info = openledger_batch::L1Info {
            number: batch.epoch.number,
            hash: batch.epoch.hash,
            timestamp: input.info.block.timestamp,
            base_fee: input.info.base_fee,
            blob_base_fee: input.info.blob_base_fee,
            sequence_number,
            ..Default::default()
        };
        let mut transactions = vec![Bytes::from(info.with_config(&self.system).to_deposit().encoded_2718())];
        if is_new {
            transactions.extend(input.deposits.iter().map(|deposit| Bytes::from(deposit.encoded_2718())));
        }
        transactions.extend(batch.transactions.iter().cloned());
        let derived = DerivedAttributes {
            parent: self.head,
            epoch: batch.epoch,
            sequence_number,
            attributes: openledger_primitives::BlockAttributes {
                timestamp: batch.timestamp,
                prev_randao: input.info.prev_randao,
                fee_recipient: openledger_primitives::addresses::SEQUENCER_FEE_VAULT,
                parent_beacon_block_root: input.info.parent_beacon_block_root,
                gas_limit: self.system.gas_limit,
                eip_1559_params: self.system.eip_1559_params,
                min_base_fee: self.system.min_base_fee,
                transactions,
                no_tx_pool: true,
            },
            l1_block: L1BlockRef::default(),
            from: openledger_derivation::DerivedFrom::WindowElapsed,
        };
        let (reference, block) = execute(&derived, &self.config);
        self.blocks.push((reference.hash, block));
        reference
    }

    pub fn batches(&mut self, l1: &L1, count: usize) -> Vec<SingleBatch> {
        (0..count).map(|_| self.batch(l1)).collect()
    }
}

pub fn frames(id: u8, batches: &[SingleBatch], count: usize) -> Vec<Frame> {
    let channel = Bytes::from(compress_channel(&encode_batches(batches), 5));
    let frames = split_channel(ChannelId::repeat_byte(id), &channel, channel.len().div_ceil(count)).unwrap();
    assert_eq!(frames.len(), count, "the channel is long enough for the test");
    frames
}

pub fn payload(id: u8, batches: &[SingleBatch]) -> Bytes {
    encode_frames(&frames(id, batches, 1))
}
