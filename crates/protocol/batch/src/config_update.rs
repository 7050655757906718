use crate::{DecodeError, deposit::abi_bytes};
use alloy_primitives::{Address, B256, Log, U256, b256};
use openledger_primitives::SystemConfig;

/// `keccak256("ConfigUpdate(uint256,uint8,bytes)")`.
pub const CONFIG_UPDATE_TOPIC: B256 = b256!("1d2b0bda21d56b8bd12d4f94ebacffdfb35f5e226f84b461103bb8beab6353be");

/// A change of the [`SystemConfig`] announced by its contract on L1 (`UpdateType` 0 to 7 of system-config.md and its
/// Holocene, Isthmus and Jovian extensions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigUpdate {
    /// 0: from whom batches are accepted.
    Batcher(Address),
    /// 1: the fee scalars, in the Ecotone encoding.
    FeeScalars(B256),
    /// 2: gas limit of L2 blocks.
    GasLimit(u64),
    /// 3: who signs unsafe blocks. Not part of the derivation.
    UnsafeBlockSigner(Address),
    /// 4: EIP-1559 parameters.
    Eip1559 {
        /// Base fee change denominator.
        denominator: u32,
        /// Gas limit over gas target.
        elasticity: u32,
    },
    /// 5: operator fee.
    OperatorFee {
        /// Per gas, in hundreds of wei.
        scalar: u32,
        /// Per transaction, in wei.
        constant: u64,
    },
    /// 6: floor of the base fee, in wei.
    MinBaseFee(u64),
    /// 7: weight of data in a block; zero means the default.
    DaFootprintGasScalar(u16),
}

impl ConfigUpdate {
    /// Reads a `ConfigUpdate` event.
    pub fn decode(log: &Log) -> Result<Self, DecodeError> {
        let malformed = |what| DecodeError::MalformedLog { address: log.address, what };
        let &[CONFIG_UPDATE_TOPIC, B256::ZERO, kind] = log.topics() else {
            return Err(DecodeError::UnexpectedTopics(log.address));
        };
        let content = abi_bytes(&log.data.data).ok_or(malformed("not the ABI encoding of bytes"))?;
        let kind = u8::try_from(U256::from_be_bytes(kind.0)).map_err(|_| DecodeError::UnknownConfigUpdate(kind))?;
        if kind == 1 {
            // Two words: the overhead, unused since Ecotone, and the scalar.
            return match content.len() {
                64 => Ok(Self::FeeScalars(B256::from_slice(&content[32..]))),
                _ => Err(malformed("fee scalars are two words")),
            };
        }
        let word = U256::from_be_bytes(<[u8; 32]>::try_from(content).map_err(|_| malformed("not one word"))?);
        let out_of_range = || malformed("value out of range");
        let to_u64 = |value: U256| u64::try_from(value).map_err(|_| out_of_range());
        let to_address = |value: U256| {
            // Only on some targets can a `U256` stand in a pattern.
            if value >> 160 == U256::ZERO { Ok(Address::from_word(value.into())) } else { Err(out_of_range()) }
        };
        Ok(match kind {
            0 => Self::Batcher(to_address(word)?),
            2 => Self::GasLimit(to_u64(word)?),
            3 => Self::UnsafeBlockSigner(to_address(word)?),
            4 => {
                let packed = to_u64(word)?;
                Self::Eip1559 { denominator: (packed >> 32) as u32, elasticity: packed as u32 }
            }
            5 => {
                let scalar = u32::try_from(word >> 64).map_err(|_| out_of_range())?;
                Self::OperatorFee { scalar, constant: word.as_limbs()[0] }
            }
            6 => Self::MinBaseFee(to_u64(word)?),
            7 => Self::DaFootprintGasScalar(u16::try_from(word).map_err(|_| out_of_range())?),
            _ => return Err(DecodeError::UnknownConfigUpdate(B256::with_last_byte(kind))),
        })
    }

    /// Changes the configuration. Fee scalars that no version of the encoding allows leave it as it is, as the specification
    /// demands.
    pub fn apply(&self, config: &mut SystemConfig) {
        match *self {
            Self::Batcher(address) => config.batcher_address = address,
            Self::FeeScalars(scalar) if is_valid_scalar(scalar) => config.scalar = scalar,
            Self::FeeScalars(_) | Self::UnsafeBlockSigner(_) => {}
            Self::GasLimit(gas_limit) => config.gas_limit = gas_limit,
            Self::Eip1559 { denominator, elasticity } => *config = config.with_eip_1559(denominator, elasticity),
            Self::OperatorFee { scalar, constant } => *config = config.with_operator_fee(scalar, constant),
            Self::MinBaseFee(fee) => config.min_base_fee = fee,
            Self::DaFootprintGasScalar(scalar) => config.da_footprint_gas_scalar = scalar,
        }
    }
}

/// Version 0: a u32 base fee scalar; version 1: that and a u32 blob base fee scalar. The bytes between are zero.
fn is_valid_scalar(scalar: B256) -> bool {
    let zeros = match scalar[0] {
        0 => 1..28,
        1 => 1..24,
        _ => return false,
    };
    scalar[zeros].iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deposit::abi_encode;
    use alloy_primitives::{Bytes, keccak256};
    use proptest::prelude::*;

    fn log(kind: u8, data: Bytes) -> Log {
        let topics = [CONFIG_UPDATE_TOPIC, B256::ZERO, B256::with_last_byte(kind)];
        Log::new_unchecked(Address::repeat_byte(5), topics.into(), data)
    }

    fn decode(kind: u8, word: U256) -> Result<ConfigUpdate, DecodeError> {
        ConfigUpdate::decode(&log(kind, abi_encode(&word.to_be_bytes::<32>())))
    }

    #[test]
    fn every_kind_reaches_the_configuration() {
        assert_eq!(CONFIG_UPDATE_TOPIC, keccak256("ConfigUpdate(uint256,uint8,bytes)"));
        let batcher = Address::repeat_byte(0xbb);
        let mut config = SystemConfig::default();
        let scalar = SystemConfig::default().with_scalars(3, 4).scalar;
        let words = [B256::ZERO, scalar].concat();
        let updates = [
            decode(0, batcher.into_word().into()),
            ConfigUpdate::decode(&log(1, abi_encode(&words))),
            decode(2, U256::from(60_000_000)),
            decode(3, batcher.into_word().into()),
            decode(4, U256::from((250u64 << 32) | 6)),
            decode(5, (U256::from(7) << 64) | U256::from(8)),
            decode(6, U256::from(1_000_000)),
            decode(7, U256::from(300)),
        ];
        for update in updates {
            update.unwrap().apply(&mut config);
        }
        let expected = SystemConfig {
            batcher_address: batcher,
            gas_limit: 60_000_000,
            min_base_fee: 1_000_000,
            da_footprint_gas_scalar: 300,
            ..Default::default()
        };
        assert_eq!(config, expected.with_scalars(3, 4).with_eip_1559(250, 6).with_operator_fee(7, 8));
    }

    #[test]
    fn invalid_updates_are_errors_and_invalid_scalars_are_ignored() {
        assert!(matches!(decode(8, U256::ZERO), Err(DecodeError::UnknownConfigUpdate(_))));
        assert!(matches!(decode(2, U256::ONE << 64), Err(DecodeError::MalformedLog { .. })));
        assert!(matches!(decode(7, U256::from(65_536)), Err(DecodeError::MalformedLog { .. })));
        assert!(matches!(decode(0, U256::MAX), Err(DecodeError::MalformedLog { .. })));
        assert!(matches!(ConfigUpdate::decode(&log(6, Bytes::new())), Err(DecodeError::MalformedLog { .. })));
        let before = SystemConfig::default().with_scalars(1, 2);
        let mut config = before;
        let mut scalar = B256::ZERO;
        scalar.0[5] = 1;
        ConfigUpdate::FeeScalars(scalar).apply(&mut config);
        ConfigUpdate::FeeScalars(B256::repeat_byte(2)).apply(&mut config);
        assert_eq!(config, before);
    }

    proptest! {
        #[test]
        fn arbitrary_updates_never_panic(kind: u8, data in proptest::collection::vec(any::<u8>(), 0..150), wrap: bool) {
            let data = if wrap { abi_encode(&data) } else { Bytes::from(data) };
            if let Ok(update) = ConfigUpdate::decode(&log(kind, data)) {
                update.apply(&mut SystemConfig::default());
            }
        }
    }
}
