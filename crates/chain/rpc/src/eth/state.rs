//! `eth_` methods that read state.

use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_rpc_types_eth::{EIP1186AccountProofResponse, EIP1186StorageProof};
use alloy_serde::JsonStorageKey;
use jsonrpsee::proc_macros::rpc;

use crate::{RpcError, context::Context};

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
    fn storage(&self, address: Address, slot: JsonStorageKey, block: Option<BlockId>) -> Result<B256, RpcError>;
    /// Merkle proof of an account and of some of its slots (EIP-1186).
    #[method(name = "getProof", blocking)]
    fn proof(
        &self,
        address: Address,
        slots: Vec<JsonStorageKey>,
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
        let state = self.chain.state_of(self.existing(block)?, &address)?;
        let mined = state.account(&address)?.map(|account| account.nonce).unwrap_or_default();
        if block == Some(BlockId::Number(BlockNumberOrTag::Pending)) {
            let pooled = self.chain.pooled_nonce(address).unwrap_or_default();
            return Ok(U64::from(mined.max(pooled)));
        }
        Ok(U64::from(mined))
    }

    fn code(&self, address: Address, block: Option<BlockId>) -> Result<Bytes, RpcError> {
        let state = self.chain.state_of(self.existing(block)?, &address)?;
        match state.account(&address)? {
            Some(account) if account.code_hash != KECCAK_EMPTY => Ok(state.code(&account.code_hash)?),
            _ => Ok(Bytes::new()),
        }
    }

    fn storage(&self, address: Address, slot: JsonStorageKey, block: Option<BlockId>) -> Result<B256, RpcError> {
        let state = self.chain.state_of(self.existing(block)?, &address)?;
        Ok(state.storage(&address, &slot.as_b256())?.into())
    }

    fn proof(
        &self,
        address: Address,
        slots: Vec<JsonStorageKey>,
        block: Option<BlockId>,
    ) -> Result<EIP1186AccountProofResponse, RpcError> {
        if slots.len() > self.limits.max_proof_slots {
            return Err(RpcError::LimitExceeded(format!(
                "{} slots were asked, at most {} are proven at once: split the request",
                slots.len(),
                self.limits.max_proof_slots
            )));
        }
        let number = self.existing(block)?;
        let keys: Vec<B256> = slots.iter().map(JsonStorageKey::as_b256).collect();
        let proof = self.chain.proof(number, address, &keys)?;
        let storage_proof = slots
            .into_iter()
            .zip(proof.storage_proofs)
            .map(|(key, (_, value, proof))| EIP1186StorageProof::new(key, value, proof))
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
