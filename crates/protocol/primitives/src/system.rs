use alloy_primitives::{Address, B64, B256};
use serde::{Deserialize, Serialize};

/// What a DA footprint scalar of zero stands for (Jovian).
pub const DEFAULT_DA_FOOTPRINT_GAS_SCALAR: u16 = 400;

/// First byte of [`SystemConfig::scalar`] since Ecotone.
const ECOTONE_SCALAR_VERSION: u8 = 1;

/// The parameters that the `SystemConfig` contract on L1 can change while the chain runs, in op-node's encodings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SystemConfig {
    /// Sender from whom batches are accepted.
    #[serde(rename = "batcherAddr")]
    pub batcher_address: Address,
    /// Unused since Ecotone, kept because the L1 contract and `rollup.json` still carry it.
    #[serde(default)]
    pub overhead: B256,
    /// Version 1, zeros, blob base fee scalar (u32), base fee scalar (u32), big-endian (Ecotone).
    #[serde(default)]
    pub scalar: B256,
    /// Gas limit of L2 blocks.
    #[serde(rename = "gasLimit")]
    pub gas_limit: u64,
    /// Denominator (u32) and elasticity (u32), big-endian; zero means the chain's constants (Holocene).
    #[serde(rename = "eip1559Params", default)]
    pub eip_1559_params: B64,
    /// Zeros, operator fee scalar (u32), operator fee constant (u64), big-endian (Isthmus).
    #[serde(rename = "operatorFeeParams", default)]
    pub operator_fee_params: B256,
    /// Floor of the base fee, in wei (Jovian).
    #[serde(rename = "minBaseFee", default)]
    pub min_base_fee: u64,
    /// Gas per estimated compressed byte that counts towards the DA footprint; zero means 400 (Jovian).
    #[serde(rename = "daFootprintGasScalar", default)]
    pub da_footprint_gas_scalar: u16,
}

impl SystemConfig {
    /// Sets the L1 fee scalars.
    pub fn with_scalars(mut self, base_fee_scalar: u32, blob_base_fee_scalar: u32) -> Self {
        self.scalar = B256::ZERO;
        self.scalar.0[0] = ECOTONE_SCALAR_VERSION;
        self.scalar.0[24..28].copy_from_slice(&blob_base_fee_scalar.to_be_bytes());
        self.scalar.0[28..].copy_from_slice(&base_fee_scalar.to_be_bytes());
        self
    }

    /// Sets the operator fee: `gas · scalar · 100 + constant` wei (Jovian).
    pub fn with_operator_fee(mut self, scalar: u32, constant: u64) -> Self {
        self.operator_fee_params = B256::ZERO;
        self.operator_fee_params.0[20..24].copy_from_slice(&scalar.to_be_bytes());
        self.operator_fee_params.0[24..].copy_from_slice(&constant.to_be_bytes());
        self
    }

    /// Sets the EIP-1559 parameters.
    pub fn with_eip_1559(mut self, denominator: u32, elasticity: u32) -> Self {
        self.eip_1559_params.0[..4].copy_from_slice(&denominator.to_be_bytes());
        self.eip_1559_params.0[4..].copy_from_slice(&elasticity.to_be_bytes());
        self
    }

    /// Weight of the L1 base fee in the L1 data fee, in millionths.
    pub fn base_fee_scalar(&self) -> u32 {
        be_u32(&self.scalar.0[28..])
    }

    /// Weight of the L1 blob base fee in the L1 data fee, in millionths. A version 0 scalar has none.
    pub fn blob_base_fee_scalar(&self) -> u32 {
        if self.scalar.0[0] == ECOTONE_SCALAR_VERSION { be_u32(&self.scalar.0[24..28]) } else { 0 }
    }

    /// Operator fee per gas, in hundreds of wei.
    pub fn operator_fee_scalar(&self) -> u32 {
        be_u32(&self.operator_fee_params.0[20..24])
    }

    /// Operator fee per transaction, in wei.
    pub fn operator_fee_constant(&self) -> u64 {
        u64::from_be_bytes(self.operator_fee_params.0[24..].try_into().expect("8 bytes"))
    }

    /// The DA footprint scalar in force: 400 where none is set.
    pub const fn effective_da_footprint_gas_scalar(&self) -> u16 {
        if self.da_footprint_gas_scalar == 0 { DEFAULT_DA_FOOTPRINT_GAS_SCALAR } else { self.da_footprint_gas_scalar }
    }
}

fn be_u32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().expect("4 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{b256, fixed_bytes};

    #[test]
    fn encodings_are_those_of_op_node() {
        let config = SystemConfig::default().with_scalars(5, 6).with_operator_fee(7, 8).with_eip_1559(250, 6);
        assert_eq!(config.scalar, b256!("0100000000000000000000000000000000000000000000000000000600000005"));
        assert_eq!(
            config.operator_fee_params,
            b256!("0000000000000000000000000000000000000000000000070000000000000008")
        );
        assert_eq!(config.eip_1559_params, fixed_bytes!("000000fa00000006"));
        assert_eq!((config.base_fee_scalar(), config.blob_base_fee_scalar()), (5, 6));
        assert_eq!((config.operator_fee_scalar(), config.operator_fee_constant()), (7, 8));
        assert_eq!(config.effective_da_footprint_gas_scalar(), 400);
    }
}
