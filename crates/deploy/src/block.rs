use alloy::primitives::{B64, B256, KECCAK256_EMPTY, U256, b256, keccak256};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header};
use alloy_genesis::Genesis;
use openledger_primitives::addresses::L2_TO_L1_MESSAGE_PASSER;
use openledger_stf::{Account, AccountChange, StateChanges};
use openledger_trie::{EmptyStore, state_root};

use crate::DeployError;

/// Hash of no requests at all (EIP-7685).
const EMPTY_REQUESTS_HASH: B256 = b256!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

/// The header of the genesis block, at Jovian: the withdrawals root is the message passer's storage root, and the blob
/// gas is the data footprint of no transactions.
pub fn genesis_header(genesis: &Genesis) -> Result<Header, DeployError> {
    let update = state_root(&EmptyStore, EMPTY_ROOT_HASH, &state(genesis))
        .map_err(|error| DeployError::Genesis(error.to_string()))?;
    let message_passer_root =
        update.storages.get(&L2_TO_L1_MESSAGE_PASSER).map_or(EMPTY_ROOT_HASH, |storage| storage.root);
    let base_fee = genesis.base_fee_per_gas.unwrap_or_default();
    Ok(Header {
        parent_hash: B256::ZERO,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: genesis.coinbase,
        state_root: update.root,
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        difficulty: genesis.difficulty,
        gas_limit: genesis.gas_limit,
        timestamp: genesis.timestamp,
        extra_data: genesis.extra_data.clone(),
        mix_hash: genesis.mix_hash,
        nonce: B64::from(genesis.nonce),
        base_fee_per_gas: Some(
            base_fee
                .try_into()
                .map_err(|_| DeployError::Genesis(format!("a base fee of {base_fee} wei is too large")))?,
        ),
        withdrawals_root: Some(message_passer_root),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    })
}

/// The genesis state as changes to the empty one.
fn state(genesis: &Genesis) -> StateChanges {
    let mut changes = StateChanges::default();
    for (address, account) in &genesis.alloc {
        let code_hash = account.code.as_ref().map_or(KECCAK256_EMPTY, keccak256);
        if let Some(code) = &account.code {
            changes.code.insert(code_hash, code.clone());
        }
        let slots = account.storage.iter().flatten();
        let change = AccountChange {
            account: Some(Account { nonce: account.nonce.unwrap_or_default(), balance: account.balance, code_hash }),
            storage_wiped: false,
            storage: slots.map(|(slot, value)| (*slot, U256::from_be_bytes(value.0))).collect(),
        };
        changes.accounts.insert(*address, change);
    }
    changes
}
