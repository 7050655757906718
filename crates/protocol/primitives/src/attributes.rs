use alloc::vec::Vec;
use alloy_primitives::{Address, B64, B256, Bytes};
use serde::{Deserialize, Serialize};

/// What decides a block besides its parent: derived from L1, or prepared by the sequencer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockAttributes {
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    /// The L1 origin's `prevRandao`.
    pub prev_randao: B256,
    /// Receiver of the priority fees: the sequencer fee vault.
    pub fee_recipient: Address,
    /// The L1 origin's parent beacon block root, or zero where L1 has none.
    pub parent_beacon_block_root: B256,
    /// Gas limit of the block.
    pub gas_limit: u64,
    /// Denominator (u32) and elasticity (u32), big-endian; zero means the chain's constants (Holocene).
    pub eip_1559_params: B64,
    /// Floor of the base fee of the *next* block, in wei (Jovian).
    pub min_base_fee: u64,
    /// EIP-2718 encodings in order: the L1 attributes deposit, user deposits, then the batch's transactions.
    pub transactions: Vec<Bytes>,
    /// Whether the block holds `transactions` and nothing else.
    pub no_tx_pool: bool,
}
