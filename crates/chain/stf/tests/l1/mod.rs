//! L1's numbers, and a stand-in for the contract that tells them to the chain.

use crate::common::{deposit, deposited};
use alloy_consensus::transaction::Recovered;
use alloy_primitives::{Bytes, TxKind, U256, bytes};
use op_alloy_consensus::TxDeposit;
use openledger_primitives::{Transaction, addresses};
use serde::Deserialize;

/// What L1 says, in the numbers that fees are made of.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct L1 {
    pub(crate) base_fee: u64,
    pub(crate) blob_base_fee: u64,
    pub(crate) base_fee_scalar: u32,
    pub(crate) blob_base_fee_scalar: u32,
    pub(crate) operator_fee_scalar: u32,
    pub(crate) operator_fee_constant: u64,
    pub(crate) da_footprint_gas_scalar: u16,
}

impl L1 {
    /// Sets slots 1, 3, 7 and 8 of a contract to the four words that follow the selector: code of ours in the place of
    /// `L1Block`, whose layout it fills as the contract does.
    pub(crate) const CODE: Bytes = bytes!("600435 600155 602435 600355 604435 600755 606435 600855 00");

    /// The deposit that tells the chain, the first of its block.
    pub(crate) fn attributes(&self) -> Recovered<Transaction> {
        let mut scalars = [0; 32];
        scalars[16..20].copy_from_slice(&self.base_fee_scalar.to_be_bytes());
        scalars[20..24].copy_from_slice(&self.blob_base_fee_scalar.to_be_bytes());
        let mut operator = [0; 32];
        operator[18..20].copy_from_slice(&self.da_footprint_gas_scalar.to_be_bytes());
        operator[20..24].copy_from_slice(&self.operator_fee_scalar.to_be_bytes());
        operator[24..32].copy_from_slice(&self.operator_fee_constant.to_be_bytes());
        let word = |value| U256::from(value).to_be_bytes::<32>();
        let input = [&[0; 4][..], &word(self.base_fee), &scalars, &word(self.blob_base_fee), &operator].concat();
        deposited(TxDeposit {
            from: addresses::L1_ATTRIBUTES_DEPOSITOR,
            to: TxKind::Call(addresses::L1_BLOCK),
            input: input.into(),
            ..deposit(0, 0, 1_000_000)
        })
    }

    /// Jovian: operatorFee = gas · operatorFeeScalar · 100 + operatorFeeConstant.
    pub(crate) fn operator_fee(&self, gas: u64) -> U256 {
        U256::from(gas) * U256::from(self.operator_fee_scalar) * U256::from(100)
            + U256::from(self.operator_fee_constant)
    }
}
