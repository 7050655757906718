//! What a receipt says about L1 and operator fees: the first transaction of its block fixes them.

use alloy_eips::Encodable2718;
use alloy_primitives::U256;
use op_alloy_rpc_types::L1BlockInfo as ReceiptFields;
use op_revm::{L1BlockInfo, OpSpecId};
use openledger_batch::L1Info;
use openledger_primitives::{Block, Transaction};

/// The fee parameters of a block; `None` for genesis, which has no L1 attributes.
pub(crate) fn l1_info(block: &Block) -> Option<L1Info> {
    L1Info::of_block(block).ok()
}

/// The fields of a receipt, with the L1 data fee that this transaction paid.
pub(crate) fn receipt_fields(info: &L1Info, tx: &Transaction) -> ReceiptFields {
    let (gas_used, fee) = if tx.is_deposit() { (U256::ZERO, U256::ZERO) } else { data_fee(info, &tx.encoded_2718()) };
    ReceiptFields {
        l1_gas_price: Some(info.base_fee.into()),
        l1_gas_used: Some(gas_used.saturating_to()),
        l1_fee: Some(fee.saturating_to()),
        l1_fee_scalar: None,
        l1_base_fee_scalar: Some(info.base_fee_scalar.into()),
        l1_blob_base_fee: Some(info.blob_base_fee),
        l1_blob_base_fee_scalar: Some(info.blob_base_fee_scalar.into()),
        operator_fee_scalar: Some(info.operator_fee_scalar.into()),
        operator_fee_constant: Some(info.operator_fee_constant.into()),
        da_footprint_gas_scalar: Some(info.da_footprint_gas_scalar),
    }
}

/// L1 gas and fee in wei of an encoded transaction, by the function that execution charges with.
fn data_fee(info: &L1Info, encoded: &[u8]) -> (U256, U256) {
    let mut info = L1BlockInfo {
        l1_base_fee: U256::from(info.base_fee),
        l1_base_fee_scalar: U256::from(info.base_fee_scalar),
        l1_blob_base_fee: Some(U256::from(info.blob_base_fee)),
        l1_blob_base_fee_scalar: Some(U256::from(info.blob_base_fee_scalar)),
        ..Default::default()
    };
    (info.data_gas(encoded, OpSpecId::JOVIAN), info.calculate_tx_l1_cost(encoded, OpSpecId::JOVIAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_of_zero_cost_nothing_on_l1() {
        let info = L1Info { base_fee: 1_000_000_000, blob_base_fee: 1, ..Default::default() };
        let (gas, fee) = data_fee(&info, &[2; 120]);
        assert!(gas > U256::ZERO);
        assert_eq!(fee, U256::ZERO);
    }

    #[test]
    fn fee_of_the_smallest_transaction_follows_the_fjord_formula() {
        // At least 100 bytes are assumed: 100e6 · (16 · scalar · base fee + blob scalar · blob base fee) / 1e12.
        let info = L1Info {
            base_fee: 1_000_000,
            base_fee_scalar: 1000,
            blob_base_fee: 7,
            blob_base_fee_scalar: 1_000_000,
            ..Default::default()
        };
        let expected = 100_000_000u128 * (16 * 1000 * 1_000_000 + 1_000_000 * 7) / 1_000_000_000_000;
        assert_eq!(data_fee(&info, &[2; 1]).1, U256::from(expected));
    }
}
