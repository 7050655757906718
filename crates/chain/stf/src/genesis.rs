//! The first block and its state, from a `genesis.json`.

use crate::{Account, AccountChange, StateChanges, StateRoots};
use alloc::vec::Vec;
use alloy_consensus::{BlockBody, EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH};
use alloy_eips::{eip4895::Withdrawals, eip7685::EMPTY_REQUESTS_HASH};
use alloy_genesis::Genesis;
use alloy_primitives::{B256, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::{
    TrieAccount,
    root::{state_root_unhashed, storage_root_unhashed},
};
use op_alloy_consensus::decode_jovian_extra_data;
use openledger_primitives::{Block, Header, addresses::L2_TO_L1_MESSAGE_PASSER};

/// Why a genesis file cannot start this chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The next block's base fee follows from it.
    #[error("genesis extraData must be 17 bytes: version 1, EIP-1559 denominator and elasticity, minimum base fee")]
    ExtraData,
    /// The next block's base fee follows from it.
    #[error("genesis baseFeePerGas is missing or does not fit in 64 bits")]
    BaseFee,
    /// No transaction would fit.
    #[error("genesis gasLimit is zero")]
    GasLimit,
}

/// The genesis block, and its state as changes to the empty one.
pub fn block_and_state(genesis: &Genesis) -> Result<(Block, StateChanges), GenesisError> {
    let state = state(genesis);
    Ok((block(genesis, roots(&state))?, state))
}

/// The genesis block over a state with these roots.
pub fn block(genesis: &Genesis, roots: StateRoots) -> Result<Block, GenesisError> {
    decode_jovian_extra_data(&genesis.extra_data).map_err(|_| GenesisError::ExtraData)?;
    if genesis.gas_limit == 0 {
        return Err(GenesisError::GasLimit);
    }
    let base_fee = genesis.base_fee_per_gas.and_then(|fee| fee.try_into().ok()).ok_or(GenesisError::BaseFee)?;
    let header = Header {
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: genesis.coinbase,
        state_root: roots.state_root,
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        difficulty: genesis.difficulty,
        gas_limit: genesis.gas_limit,
        timestamp: genesis.timestamp,
        extra_data: genesis.extra_data.clone(),
        mix_hash: genesis.mix_hash,
        nonce: genesis.nonce.to_be_bytes().into(),
        base_fee_per_gas: Some(base_fee),
        withdrawals_root: Some(roots.message_passer_root),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    };
    let body = BlockBody { transactions: Vec::new(), ommers: Vec::new(), withdrawals: Some(Withdrawals::default()) };
    Ok(Block { header, body })
}

/// The allocation as changes to the empty state. Slots that are zero are left out, as everywhere.
pub fn state(genesis: &Genesis) -> StateChanges {
    let mut changes = StateChanges::default();
    for (address, alloc) in &genesis.alloc {
        let code = alloc.code.as_ref().filter(|code| !code.is_empty());
        let code_hash = code.map_or(KECCAK256_EMPTY, keccak256);
        changes.code.extend(code.map(|code| (code_hash, code.clone())));
        let slots = alloc.storage.iter().flatten().filter(|(_, value)| !value.is_zero());
        let change = AccountChange {
            account: Some(Account { nonce: alloc.nonce.unwrap_or_default(), balance: alloc.balance, code_hash }),
            storage_wiped: false,
            storage: slots.map(|(slot, value)| (*slot, U256::from_be_bytes(value.0))).collect(),
        };
        changes.accounts.insert(*address, change);
    }
    changes
}

/// The roots of a genesis state, from scratch.
pub fn roots(state: &StateChanges) -> StateRoots {
    let storage_root = |change: &AccountChange| storage_root_unhashed(change.storage.iter().map(|(k, v)| (*k, *v)));
    let accounts = state.accounts.iter().filter_map(|(address, change)| {
        let Account { nonce, balance, code_hash } = change.account?;
        Some((*address, TrieAccount { nonce, balance, storage_root: storage_root(change), code_hash }))
    });
    StateRoots {
        state_root: state_root_unhashed(accounts),
        message_passer_root: state.accounts.get(&L2_TO_L1_MESSAGE_PASSER).map_or(EMPTY_ROOT_HASH, storage_root),
    }
}
