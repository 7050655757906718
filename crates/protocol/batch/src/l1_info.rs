use crate::{DecodeError, L1_INFO_GAS_LIMIT};
use alloc::vec::Vec;
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use op_alloy_consensus::{L1InfoDepositSource, TxDeposit};
use openledger_primitives::{SystemConfig, addresses};

/// Selector of `setL1BlockValuesJovian()`.
pub const L1_INFO_SELECTOR: [u8; 4] = [0x3d, 0xb6, 0xbe, 0x2b];
/// Length of its packed calldata.
pub const L1_INFO_CALLDATA_LEN: usize = 178;

/// The L1 attributes: what the first transaction of each L2 block tells the `L1Block` contract (jovian/l1-attributes.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1Info {
    /// Height of the L1 origin.
    pub number: u64,
    /// Its timestamp.
    pub timestamp: u64,
    /// Its base fee, in wei.
    pub base_fee: u64,
    /// Its blob base fee, in wei.
    pub blob_base_fee: u128,
    /// Its hash.
    pub hash: B256,
    /// Position of the L2 block within the epoch.
    pub sequence_number: u64,
    /// From whom batches are accepted.
    pub batcher_address: Address,
    /// Weight of the base fee in the L1 data fee, in millionths.
    pub base_fee_scalar: u32,
    /// Weight of the blob base fee in the L1 data fee, in millionths.
    pub blob_base_fee_scalar: u32,
    /// Operator fee per gas, in hundreds of wei.
    pub operator_fee_scalar: u32,
    /// Operator fee per transaction, in wei.
    pub operator_fee_constant: u64,
    /// Weight of data in a block, never zero.
    pub da_footprint_gas_scalar: u16,
}

impl L1Info {
    /// The block that is described.
    pub const fn origin(&self) -> BlockNumHash {
        BlockNumHash { number: self.number, hash: self.hash }
    }

    /// Fills in what comes from the configuration.
    pub fn with_config(mut self, config: &SystemConfig) -> Self {
        self.batcher_address = config.batcher_address;
        self.base_fee_scalar = config.base_fee_scalar();
        self.blob_base_fee_scalar = config.blob_base_fee_scalar();
        self.operator_fee_scalar = config.operator_fee_scalar();
        self.operator_fee_constant = config.operator_fee_constant();
        self.da_footprint_gas_scalar = config.effective_da_footprint_gas_scalar();
        self
    }

    /// The packed calldata.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(L1_INFO_CALLDATA_LEN);
        out.extend(L1_INFO_SELECTOR);
        out.extend(self.base_fee_scalar.to_be_bytes());
        out.extend(self.blob_base_fee_scalar.to_be_bytes());
        out.extend(self.sequence_number.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.number.to_be_bytes());
        out.extend(U256::from(self.base_fee).to_be_bytes::<32>());
        out.extend(U256::from(self.blob_base_fee).to_be_bytes::<32>());
        out.extend(self.hash);
        out.extend(self.batcher_address.into_word());
        out.extend(self.operator_fee_scalar.to_be_bytes());
        out.extend(self.operator_fee_constant.to_be_bytes());
        out.extend(self.da_footprint_gas_scalar.to_be_bytes());
        out.into()
    }

    /// Reads the packed calldata.
    pub fn decode(calldata: &[u8]) -> Result<Self, DecodeError> {
        let calldata: &[u8; L1_INFO_CALLDATA_LEN] =
            calldata.try_into().map_err(|_| DecodeError::NotL1Info("it is not 178 bytes long"))?;
        let mut fields = Fields(calldata);
        if fields.take::<4>() != L1_INFO_SELECTOR {
            return Err(DecodeError::NotL1Info("the selector differs"));
        }
        let base_fee_scalar = u32::from_be_bytes(fields.take());
        let blob_base_fee_scalar = u32::from_be_bytes(fields.take());
        let sequence_number = u64::from_be_bytes(fields.take());
        let timestamp = u64::from_be_bytes(fields.take());
        let number = u64::from_be_bytes(fields.take());
        let base_fee = U256::from_be_bytes(fields.take::<32>());
        let base_fee = base_fee.try_into().map_err(|_| DecodeError::NotL1Info("the base fee is out of range"))?;
        let blob_base_fee = U256::from_be_bytes(fields.take::<32>());
        let blob_base_fee =
            blob_base_fee.try_into().map_err(|_| DecodeError::NotL1Info("the blob base fee is out of range"))?;
        let hash = B256::new(fields.take());
        let padding: [u8; 12] = fields.take();
        if padding != [0; 12] {
            return Err(DecodeError::NotL1Info("the batcher is not an address"));
        }
        Ok(Self {
            number,
            timestamp,
            base_fee,
            blob_base_fee,
            hash,
            sequence_number,
            batcher_address: Address::new(fields.take()),
            base_fee_scalar,
            blob_base_fee_scalar,
            operator_fee_scalar: u32::from_be_bytes(fields.take()),
            operator_fee_constant: u64::from_be_bytes(fields.take()),
            da_footprint_gas_scalar: u16::from_be_bytes(fields.take()),
        })
    }

    /// The deposit that carries the attributes.
    pub fn to_deposit(&self) -> TxDeposit {
        TxDeposit {
            source_hash: L1InfoDepositSource::new(self.hash, self.sequence_number).source_hash(),
            from: addresses::L1_ATTRIBUTES_DEPOSITOR,
            to: TxKind::Call(addresses::L1_BLOCK),
            mint: 0,
            value: U256::ZERO,
            gas_limit: L1_INFO_GAS_LIMIT,
            is_system_transaction: false,
            input: self.encode(),
        }
    }
}

/// Takes fixed-size fields off a buffer whose length was checked as a whole.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("the fields add up to the checked length");
        self.0 = rest;
        *field
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{hex, keccak256};
    use proptest::prelude::*;

    #[test]
    fn selector_and_layout_are_those_of_the_specification() {
        assert_eq!(keccak256("setL1BlockValuesJovian()")[..4], L1_INFO_SELECTOR);
        let info = L1Info {
            number: 0x11,
            timestamp: 0x22,
            base_fee: 0x33,
            blob_base_fee: 0x44,
            hash: B256::repeat_byte(0x55),
            sequence_number: 0x66,
            batcher_address: Address::repeat_byte(0x77),
            base_fee_scalar: 0x88,
            blob_base_fee_scalar: 0x99,
            operator_fee_scalar: 0xaa,
            operator_fee_constant: 0xbb,
            da_footprint_gas_scalar: 0x190,
        };
        let expected = hex!(
            "3db6be2b" "00000088" "00000099" "0000000000000066" "0000000000000022" "0000000000000011"
            "0000000000000000000000000000000000000000000000000000000000000033"
            "0000000000000000000000000000000000000000000000000000000000000044"
            "5555555555555555555555555555555555555555555555555555555555555555"
            "0000000000000000000000007777777777777777777777777777777777777777"
            "000000aa" "00000000000000bb" "0190"
        );
        assert_eq!(info.encode()[..], expected);
        assert_eq!(L1Info::decode(&expected).unwrap(), info);
        let deposit = info.to_deposit();
        assert_eq!((deposit.gas_limit, deposit.mint, deposit.is_system_transaction), (1_000_000, 0, false));
    }

    #[test]
    fn other_calldata_is_refused() {
        let good = L1Info::default().encode();
        assert!(L1Info::decode(&good[..177]).is_err());
        for position in [0, 40, 70, 135] {
            let mut bad = good.to_vec();
            bad[position] ^= 1;
            assert!(L1Info::decode(&bad).is_err(), "byte {position}");
        }
    }

    proptest! {
        #[test]
        fn decoding_is_the_inverse_of_encoding(bytes in proptest::collection::vec(any::<u8>(), L1_INFO_CALLDATA_LEN)) {
            let mut bytes = bytes;
            bytes[..4].copy_from_slice(&L1_INFO_SELECTOR);
            bytes[36..60].fill(0);
            bytes[68..84].fill(0);
            bytes[132..144].fill(0);
            prop_assert_eq!(&L1Info::decode(&bytes).unwrap().encode()[..], &bytes[..]);
        }
    }
}
