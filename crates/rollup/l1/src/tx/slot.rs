use std::time::Instant;

use alloy::{
    consensus::{SignableTransaction as _, TxEip1559, TxEnvelope},
    eips::Encodable2718 as _,
    signers::{SignerSync as _, local::PrivateKeySigner},
};
use alloy_primitives::{B256, Bytes, TxKind};

use crate::tx::{
    fees::Fees,
    manager::{Reply, TxRequest},
};

/// A transaction with a nonce, in all the versions in which it was sent.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) nonce: u64,
    pub(super) request: TxRequest,
    pub(super) reply: Reply,
    pub(super) gas_limit: u64,
    pub(super) fees: Fees,
    /// Hash and encoding, oldest first. Any of them may be included.
    pub(super) versions: Vec<(B256, Bytes)>,
    /// When it is to be offered to L1 again.
    pub(super) due: Instant,
    /// How often the nonce was found used up without any version being on L1.
    pub(super) missing: u32,
}

impl Slot {
    /// Signs a version at the current price and nonce.
    pub(super) fn sign(&mut self, chain_id: u64, signer: &PrivateKeySigner) -> Result<(), alloy::signers::Error> {
        let transaction = TxEip1559 {
            chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_per_gas: self.fees.max_fee,
            max_priority_fee_per_gas: self.fees.tip,
            to: TxKind::Call(self.request.to),
            value: self.request.value,
            access_list: Default::default(),
            input: self.request.data.clone(),
        };
        let signature = signer.sign_hash_sync(&transaction.signature_hash())?;
        let envelope = TxEnvelope::from(transaction.into_signed(signature));
        self.versions.push((*envelope.tx_hash(), envelope.encoded_2718().into()));
        Ok(())
    }

    /// The newest version.
    pub(super) fn newest(&self) -> Bytes {
        self.versions.last().map(|(_, raw)| raw.clone()).unwrap_or_default()
    }
}
