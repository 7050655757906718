//! Accounts that sign before anything is measured.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};

use crate::key::Key;

/// What is the same for all transactions of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The chain's id.
    pub(crate) chain_id: u64,
    /// Fee cap, in wei per gas: high enough for the base fee to rise while blocks are full.
    pub(crate) max_fee: u128,
}

/// What a transaction does.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) to: TxKind,
    pub(crate) value: U256,
    pub(crate) gas_limit: u64,
    pub(crate) input: Bytes,
}

impl Call {
    /// A transfer of native coin.
    pub(crate) fn transfer(to: Address, value: U256) -> Self {
        Self { to: to.into(), value, gas_limit: 21_000, input: Bytes::new() }
    }

    /// A call of a contract, without value.
    pub(crate) fn contract(to: Address, gas_limit: u64, input: Vec<u8>) -> Self {
        Self { to: to.into(), value: U256::ZERO, gas_limit, input: input.into() }
    }
}

/// A transaction that is ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) hash: B256,
    /// In its EIP-2718 form.
    pub(crate) raw: Bytes,
}

/// A key and the nonce of its next transaction.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) key: Key,
    pub(crate) nonce: u64,
}

impl Account {
    /// The sender with this index: the same in every run, so that what it was given once is not lost. Its key is public
    /// knowledge.
    pub(crate) fn sender(index: usize) -> Key {
        derived(&format!("openledger bench sender: {index}"))
    }

    /// Its address.
    pub(crate) fn address(&self) -> Address {
        self.key.address()
    }

    /// Signs the account's next transaction.
    pub(crate) fn sign(&mut self, terms: &Terms, call: Call) -> Signed {
        let Call { to, value, gas_limit, input } = call;
        let tx = TxEip1559 {
            chain_id: terms.chain_id,
            nonce: self.nonce,
            gas_limit,
            max_fee_per_gas: terms.max_fee,
            max_priority_fee_per_gas: 1,
            to,
            value,
            access_list: Default::default(),
            input,
        };
        self.nonce += 1;
        let signature = self.key.sign(&tx.signature_hash());
        let signed = TxEnvelope::from(tx.into_signed(signature));
        Signed { hash: *signed.tx_hash(), raw: signed.encoded_2718().into() }
    }
}

/// A key made from a text.
pub(crate) fn derived(text: &str) -> Key {
    Key::new(&keccak256(text)).expect("a hash is a valid key but with negligible probability")
}

/// The account with this index among those that receive and that a pre-filled state holds. Nobody has its key.
pub(crate) fn recipient(index: usize) -> Address {
    Address::from_word(keccak256(format!("openledger bench recipient: {index}")))
}
