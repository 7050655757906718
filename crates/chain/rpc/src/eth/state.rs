//! `eth_` methods that read state.

use std::collections::BTreeMap;

use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_rpc_types_eth::{EIP1186AccountProofResponse, EIP1186StorageProof};
use alloy_serde::JsonStorageKey;
use jsonrpsee::proc_macros::rpc;
use serde::Deserialize;

use crate::{RpcError, context::Context};

/// A storage slot: up to 32 bytes in hex.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Slot(JsonStorageKey);

impl TryFrom<String> for Slot {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let key = text.starts_with("0x").then(|| text.parse().ok()).flatten();
        key.map(Self).ok_or_else(|| "a storage key is 0x and at most 32 bytes in hex".to_owned())
    }
}

/// Accounts, storage and proofs.
#[rpc(server, namespace = "eth")]
pub trait EthState {
    /// Balance in wei of OPEN.
    #[method(name = "getBalance", blocking)]
    fn balance(&self, address: Address, block: Option<BlockId>) -> Result<U256, RpcError>;
    /// Next nonce; at `pending`, after the transactions that wait.
    #[method(name = "getTransactionCount", blocking)]
    fn nonce(&self, address: Address, block: Option<BlockId>) -> Result<U64, RpcError>;
    /// Code of a contract.
    #[method(name = "getCode", blocking)]
    fn code(&self, address: Address, block: Option<BlockId>) -> Result<Bytes, RpcError>;
    /// A storage slot as 32 bytes.
    #[method(name = "getStorageAt", blocking)]
    fn storage(&self, address: Address, slot: Slot, block: Option<BlockId>) -> Result<B256, RpcError>;
    /// Several slots of several accounts, 32 bytes each.
    #[method(name = "getStorageValues", blocking)]
    fn storage_values(
        &self,
        slots: BTreeMap<Address, Vec<Slot>>,
        block: Option<BlockId>,
    ) -> Result<BTreeMap<Address, Vec<B256>>, RpcError>;
    /// Merkle proof of an account and of some of its slots (EIP-1186).
    #[method(name = "getProof", blocking)]
    fn proof(
        &self,
        address: Address,
        slots: Vec<Slot>,
        block: Option<BlockId>,
    ) -> Result<EIP1186AccountProofResponse, RpcError>;
    /// Accounts whose keys this node holds: none, ever.
    #[method(name = "accounts")]
    fn accounts(&self) -> Result<Vec<Address>, RpcError>;
}

impl EthStateServer for Context {
    fn balance(&self, address: Address, block: Option<BlockId>) -> Result<U256, RpcError> {
        let state = self.chain.state_of(self.existing(block)?, &address)?;
        Ok(state.account(&address)?.map(|account| account.balance).unwrap_or_default())
    }

    fn nonce(&self, address: Address, block: Option<BlockId>) -> Result<U64, RpcError> {
        if block == Some(BlockId::Number(BlockNumberOrTag::Pending)) {
            return self.next_nonce(address).map(U64::from);
        }
        let state = self.chain.state_of(self.existing(block)?, &address)?;
        Ok(U64::from(state.account(&address)?.map(|account| account.nonce).unwrap_or_default()))
    }

    fn code(&self, address: Address, block: Option<BlockId>) -> Result<Bytes, RpcError> {
        let state = self.chain.state_of(self.existing(block)?, &address)?;
        match state.account(&address)? {
            Some(account) if account.code_hash != KECCAK_EMPTY => Ok(state.code(&account.code_hash)?),
            _ => Ok(Bytes::new()),
        }
    }

    fn storage(&self, address: Address, slot: Slot, block: Option<BlockId>) -> Result<B256, RpcError> {
        let state = self.chain.state_of(self.existing(block)?, &address)?;
        Ok(state.storage(&address, &slot.0.as_b256())?.into())
    }

    fn storage_values(
        &self,
        slots: BTreeMap<Address, Vec<Slot>>,
        block: Option<BlockId>,
    ) -> Result<BTreeMap<Address, Vec<B256>>, RpcError> {
        let count = slots.values().map(Vec::len).sum();
        if count == 0 {
            return Err(RpcError::InvalidParams("empty request: name at least one slot".to_owned()));
        }
        self.check_slots(count)?;
        let number = self.existing(block)?;
        let mut values = BTreeMap::new();
        for (address, slots) in slots {
            let state = self.chain.state_of(number, &address)?;
            let values: &mut Vec<B256> = values.entry(address).or_default();
            for slot in slots {
                values.push(state.storage(&address, &slot.0.as_b256())?.into());
            }
        }
        Ok(values)
    }

    fn proof(
        &self,
        address: Address,
        slots: Vec<Slot>,
        block: Option<BlockId>,
    ) -> Result<EIP1186AccountProofResponse, RpcError> {
        self.check_slots(slots.len())?;
        let number = self.existing(block)?;
        let keys: Vec<B256> = slots.iter().map(|slot| slot.0.as_b256()).collect();
        let proof = self.chain.proof(number, address, &keys)?;
        let storage_proof = slots
            .into_iter()
            .zip(proof.storage_proofs)
            .map(|(key, (_, value, proof))| EIP1186StorageProof::new(key.0, value, proof))
            .collect();
        Ok(EIP1186AccountProofResponse {
            address,
            balance: proof.balance,
            code_hash: proof.code_hash,
            nonce: proof.nonce,
            storage_hash: proof.storage_root,
            account_proof: proof.account_proof,
            storage_proof,
        })
    }

    fn accounts(&self) -> Result<Vec<Address>, RpcError> {
        Ok(Vec::new())
    }
}

impl Context {
    fn check_slots(&self, count: usize) -> Result<(), RpcError> {
        let limit = self.limits.max_proof_slots;
        if count > limit {
            return Err(RpcError::LimitExceeded(format!(
                "{count} slots were asked, at most {limit} are served at once: split the request"
            )));
        }
        Ok(())
    }
}
