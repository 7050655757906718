//! What a transaction pays besides its gas: for its data on L1, and to the operator.

use alloy_consensus::Transaction as _;
use alloy_primitives::U256;
use openledger_batch::L1Info;

use crate::PoolTransaction;

/// The data fee is that of a million millionths of bytes, at scalars in millionths.
const DATA_FEE_SCALE: u64 = 1_000_000_000_000;
/// The operator's scalar is in hundreds of wei (Jovian).
const OPERATOR_SCALAR_UNIT: u64 = 100;

/// The fees of a block besides gas (Fjord, Isthmus, Jovian).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RollupFees {
    /// For a byte of estimated compressed size, in wei and twelve more decimal places.
    data: U256,
    /// For each gas of the limit, in wei.
    operator_scalar: U256,
    /// For each transaction, in wei.
    operator_constant: U256,
}

impl RollupFees {
    /// No fees, as after genesis.
    pub const NONE: Self = Self { data: U256::ZERO, operator_scalar: U256::ZERO, operator_constant: U256::ZERO };

    /// The most that a transaction pays for its data and to the operator, in wei: what its sender must have besides gas and value.
    pub(crate) fn of(&self, transaction: &PoolTransaction) -> U256 {
        let size = if self.data.is_zero() { 0 } else { transaction.data_size() };
        let data = U256::from(size).saturating_mul(self.data) / U256::from(DATA_FEE_SCALE);
        let gas = U256::from(transaction.transaction().gas_limit());
        data.saturating_add(gas.saturating_mul(self.operator_scalar)).saturating_add(self.operator_constant)
    }
}

impl From<&L1Info> for RollupFees {
    fn from(info: &L1Info) -> Self {
        let weighted = |fee: u128, scalar: u32| U256::from(fee).saturating_mul(U256::from(scalar));
        let calldata = weighted(info.base_fee.into(), info.base_fee_scalar).saturating_mul(U256::from(16));
        Self {
            data: calldata.saturating_add(weighted(info.blob_base_fee, info.blob_base_fee_scalar)),
            operator_scalar: U256::from(info.operator_fee_scalar) * U256::from(OPERATOR_SCALAR_UNIT),
            operator_constant: U256::from(info.operator_fee_constant),
        }
    }
}
