use crate::{DerivationError, L1BlockInfo, L1Input};
use alloc::vec::Vec;
use alloy_eips::{BlockNumHash, Encodable2718};
use alloy_primitives::{B256, Bytes};
use op_alloy_consensus::TxDeposit;
use openledger_batch::{L1Info, system_config_of};
use openledger_primitives::{Block, BlockAttributes, L1BlockRef, L2BlockRef, RollupConfig, SystemConfig, addresses};

/// Where derived attributes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DerivedFrom {
    /// A batch, completed by this L1 transaction.
    Batch {
        /// Hash of the L1 transaction.
        l1_transaction: B256,
    },
    /// The sequencing window elapsed without a batch.
    WindowElapsed,
    /// The batch led to an invalid block, of which only the deposits were kept.
    Replaced,
}

/// A block as L1 prescribes it, still to be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedAttributes {
    /// The safe head that the block builds on.
    pub parent: L2BlockRef,
    /// The block's L1 origin.
    pub epoch: BlockNumHash,
    /// Position within the epoch.
    pub sequence_number: u64,
    /// What to execute.
    pub attributes: BlockAttributes,
    /// The L1 block up to which L1 had to be read. While that one is canonical, so is the L2 block.
    pub l1_block: L1BlockRef,
    /// What prescribed it.
    pub from: DerivedFrom,
}

impl DerivedAttributes {
    /// Keeps only the deposits.
    pub(crate) fn into_deposits_only(mut self) -> Self {
        self.attributes.transactions.retain(|transaction| is_deposit(transaction));
        self.from = DerivedFrom::Replaced;
        self
    }

    /// Whether nothing but deposits is in the block.
    pub fn is_deposits_only(&self) -> bool {
        self.attributes.transactions.iter().all(|transaction| is_deposit(transaction))
    }
}

pub(crate) fn is_deposit(transaction: &[u8]) -> bool {
    transaction.first() == Some(&op_alloy_consensus::DEPOSIT_TX_TYPE_ID)
}

fn encode_deposit(deposit: &TxDeposit) -> Bytes {
    deposit.encoded_2718().into()
}

/// Attributes of the block after `parent` in epoch `origin`, without the sequencer's transactions.
/// `system` is the configuration after the updates of `origin`.
pub(crate) fn build(
    config: &RollupConfig,
    parent: &L2BlockRef,
    origin: &L1BlockInfo,
    sequence_number: u64,
    system: &SystemConfig,
    deposits: &[TxDeposit],
) -> BlockAttributes {
    let l1_info = origin.l1_info(sequence_number).with_config(system).to_deposit();
    let mut transactions = Vec::with_capacity(1 + deposits.len());
    transactions.push(encode_deposit(&l1_info));
    transactions.extend(deposits.iter().map(encode_deposit));
    BlockAttributes {
        timestamp: parent.timestamp + config.block_time,
        prev_randao: origin.prev_randao,
        fee_recipient: addresses::SEQUENCER_FEE_VAULT,
        parent_beacon_block_root: origin.parent_beacon_block_root,
        gas_limit: system.gas_limit,
        eip_1559_params: system.eip_1559_params,
        min_base_fee: system.min_base_fee,
        transactions,
        no_tx_pool: true,
    }
}

/// For the sequencer: attributes of the next block in the same epoch. They follow from the parent block alone, so that blocks
/// can be produced while L1 is unreachable. The genesis block carries no L1 attributes: `genesis_origin` is asked for then.
pub fn same_epoch_attributes(
    config: &RollupConfig,
    parent: &L2BlockRef,
    parent_block: &Block,
    genesis_origin: Option<&L1BlockInfo>,
) -> Result<BlockAttributes, DerivationError> {
    let system = system_config_of(config, parent_block)?;
    let origin = match genesis_origin {
        Some(origin) if parent.number == config.genesis.l2.number => {
            if origin.block.id() != parent.l1_origin {
                return Err(DerivationError::L1BlockReplaced { expected: parent.l1_origin, found: origin.block.hash });
            }
            *origin
        }
        _ => {
            let info = L1Info::of_block(parent_block)?;
            L1BlockInfo {
                block: L1BlockRef {
                    hash: info.hash,
                    number: info.number,
                    timestamp: info.timestamp,
                    // Not part of the attributes, and not known from the L2.
                    parent_hash: B256::ZERO,
                },
                base_fee: info.base_fee,
                blob_base_fee: info.blob_base_fee,
                prev_randao: parent_block.header.mix_hash,
                parent_beacon_block_root: parent_block.header.parent_beacon_block_root.unwrap_or_default(),
            }
        }
    };
    let attributes = build(config, parent, &origin, parent.sequence_number + 1, &system, &[]);
    Ok(BlockAttributes { no_tx_pool: false, ..attributes })
}

/// For the sequencer: attributes of the first block of the epoch of `next`, which must be the L1 block after the parent's origin.
pub fn next_epoch_attributes(
    config: &RollupConfig,
    parent: &L2BlockRef,
    parent_block: &Block,
    next: &L1Input,
) -> Result<BlockAttributes, DerivationError> {
    let origin = &next.info.block;
    if origin.number != parent.l1_origin.number + 1 {
        return Err(DerivationError::UnexpectedL1Height {
            expected: parent.l1_origin.number + 1,
            found: origin.number,
        });
    }
    if origin.parent_hash != parent.l1_origin.hash {
        return Err(DerivationError::L1Reorg {
            expected: parent.l1_origin.hash,
            parent: origin.parent_hash,
            found: origin.id(),
        });
    }
    let mut system = system_config_of(config, parent_block)?;
    next.config_updates.iter().for_each(|update| update.apply(&mut system));
    let attributes = build(config, parent, &next.info, 0, &system, &next.deposits);
    Ok(BlockAttributes { no_tx_pool: false, ..attributes })
}

/// The first field in which a block that we already have differs from derived attributes, or `None` if it is the block that
/// L1 prescribes and need not be executed again.
pub fn mismatch(config: &RollupConfig, derived: &DerivedAttributes, block: &Block) -> Option<&'static str> {
    let attributes = &derived.attributes;
    let header = &block.header;
    let same_transactions = || {
        let transactions = &block.body.transactions;
        transactions.len() == attributes.transactions.len()
            && transactions.iter().zip(&attributes.transactions).all(|(ours, derived)| ours.encoded_2718() == **derived)
    };
    let differs = [
        ("parent hash", header.parent_hash != derived.parent.hash),
        ("timestamp", header.timestamp != attributes.timestamp),
        ("prev randao", header.mix_hash != attributes.prev_randao),
        ("fee recipient", header.beneficiary != attributes.fee_recipient),
        ("parent beacon block root", header.parent_beacon_block_root != Some(attributes.parent_beacon_block_root)),
        ("gas limit", header.gas_limit != attributes.gas_limit),
        ("extra data", header.extra_data[..] != extra_data(config, attributes)),
    ];
    differs
        .iter()
        .find(|(_, differs)| *differs)
        .map(|(field, _)| *field)
        .or_else(|| if same_transactions() { None } else { Some("transactions") })
}

/// The extra data that execution gives the header (jovian/exec-engine.md).
fn extra_data(config: &RollupConfig, attributes: &BlockAttributes) -> [u8; 17] {
    let mut out = [0; 17];
    out[0] = 1;
    if attributes.eip_1559_params.is_zero() {
        let constants = &config.chain_op_config;
        out[1..5].copy_from_slice(&(constants.eip1559_denominator_canyon as u32).to_be_bytes());
        out[5..9].copy_from_slice(&(constants.eip1559_elasticity as u32).to_be_bytes());
    } else {
        out[1..9].copy_from_slice(attributes.eip_1559_params.as_slice());
    }
    out[9..].copy_from_slice(&attributes.min_base_fee.to_be_bytes());
    out
}
