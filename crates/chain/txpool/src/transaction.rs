use std::sync::OnceLock;

use alloy_consensus::{Transaction as _, transaction::SignerRecoverable};
use alloy_eips::{Typed2718, eip2718::Decodable2718};
use alloy_primitives::{Address, B256, Bytes, U256};
use op_revm::estimate_tx_compressed_size;
use openledger_primitives::Transaction;

use crate::{PoolConfig, PoolError, floor_gas, intrinsic_gas};

/// Bytes of init code that EIP-3860 allows.
const MAX_INIT_CODE: usize = 49_152;
/// EIP-2718 type of blob transactions.
const BLOB: u8 = 3;

/// A transaction that is well formed, signed for this chain, and could be valid in some state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolTransaction {
    transaction: Transaction,
    raw: Bytes,
    hash: B256,
    sender: Address,
    authorities: Vec<Address>,
    cost: U256,
    /// Where nobody pays for it, nobody needs it.
    data_size: OnceLock<u64>,
}

impl PoolTransaction {
    /// Checks everything about a raw transaction that needs no state. The signature is recovered here: call it where
    /// there are cores to spare.
    pub fn decode(raw: Bytes, config: &PoolConfig) -> Result<Self, PoolError> {
        match raw.first() {
            None => return Err(PoolError::Decode("it is empty".into())),
            // A legacy transaction begins as a list; any other first byte is a type.
            Some(1 | 2 | 4 | 0xc0..) => {}
            Some(&other) if other == BLOB || other <= 0x7f => return Err(PoolError::TypeNotSupported(other)),
            Some(other) => return Err(PoolError::Decode(format!("unexpected first byte {other:#04x}"))),
        }
        let limit = config.max_transaction_bytes;
        if raw.len() > limit {
            return Err(PoolError::Oversized { size: raw.len(), limit });
        }
        let transaction = Transaction::decode_2718_exact(&raw).map_err(|error| PoolError::Decode(error.to_string()))?;
        Self::check(&transaction, config)?;
        let sender = transaction.recover_signer().map_err(|_| PoolError::InvalidSignature)?;
        let gas = U256::from(transaction.gas_limit()) * U256::from(transaction.max_fee_per_gas());
        Ok(Self {
            hash: transaction.tx_hash(),
            sender,
            authorities: authorities(&transaction),
            cost: gas.saturating_add(transaction.value()),
            data_size: OnceLock::new(),
            raw,
            transaction,
        })
    }

    /// In the order of geth, so that the same transaction is refused for the same reason; but for the signature, which costs most.
    fn check(transaction: &Transaction, config: &PoolConfig) -> Result<(), PoolError> {
        match transaction.chain_id() {
            Some(have) if have != config.chain_id => {
                return Err(PoolError::WrongChain { have, want: config.chain_id });
            }
            None if !config.allow_unprotected => return Err(PoolError::Unprotected),
            _ => {}
        }
        let size = transaction.input().len();
        if transaction.is_create() && size > MAX_INIT_CODE {
            return Err(PoolError::InitCode { size, limit: MAX_INIT_CODE });
        }
        let (fee, tip) = (transaction.max_fee_per_gas(), transaction.priority_fee_or_price());
        if tip > fee {
            return Err(PoolError::TipAboveFee { tip, fee });
        }
        if transaction.nonce() == u64::MAX {
            return Err(PoolError::NonceMax);
        }
        let (have, want, floor) = (transaction.gas_limit(), intrinsic_gas(transaction), floor_gas(transaction));
        if have < want {
            return Err(PoolError::IntrinsicGas { have, want });
        }
        if have < floor {
            return Err(PoolError::FloorGas { have, want: floor });
        }
        if transaction.authorization_list().is_some_and(|list| list.is_empty()) {
            return Err(PoolError::EmptyAuthorizations);
        }
        Ok(())
    }

    /// The transaction.
    pub const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Its EIP-2718 bytes, as they came in.
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Its hash.
    pub const fn hash(&self) -> B256 {
        self.hash
    }

    /// Who signed it.
    pub const fn sender(&self) -> Address {
        self.sender
    }

    /// The accounts that it delegates (EIP-7702), each once: those whose signatures are valid.
    pub fn authorities(&self) -> &[Address] {
        &self.authorities
    }

    /// Its nonce.
    pub fn nonce(&self) -> u64 {
        self.transaction.nonce()
    }

    /// The most that it can take from the sender before fees of L1 and of the operator: gas at the fee cap, and the value, in wei.
    pub const fn cost(&self) -> U256 {
        self.cost
    }

    /// Its estimated size after compression, in millionths of bytes.
    pub(crate) fn data_size(&self) -> u64 {
        *self.data_size.get_or_init(|| estimate_tx_compressed_size(&self.raw))
    }

    /// EIP-2718 type.
    pub fn kind(&self) -> u8 {
        self.transaction.ty()
    }

    /// Fee cap, in wei per gas.
    pub fn max_fee(&self) -> u128 {
        self.transaction.max_fee_per_gas()
    }

    /// Tip cap, in wei per gas: the whole price of a transaction without one.
    pub fn max_tip(&self) -> u128 {
        self.transaction.priority_fee_or_price()
    }

    /// What the sequencer gets for each gas at this base fee, or `None` if the fee cap is below it.
    pub fn effective_tip(&self, base_fee: u64) -> Option<u128> {
        self.transaction.effective_tip_per_gas(base_fee)
    }
}

/// Who signed the authorisations. Those without a valid signature have no effect and no authority.
fn authorities(transaction: &Transaction) -> Vec<Address> {
    let list = transaction.authorization_list().unwrap_or_default();
    let mut found: Vec<Address> = list.iter().filter_map(|signed| signed.recover_authority().ok()).collect();
    found.sort_unstable();
    found.dedup();
    found
}
