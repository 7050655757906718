use crate::DecodeError;
use alloc::vec::Vec;
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256, b256};
use op_alloy_consensus::{TxDeposit, UserDepositSource};

/// `keccak256("TransactionDeposited(address,address,uint256,bytes)")`.
pub const TRANSACTION_DEPOSITED_TOPIC: B256 = b256!("b3813568d9991fc951961fcb4c784893574240a28925604d09fc577c55bb7c32");

/// Bytes of version 0 opaque data before the calldata: mint, value, gas limit, creation flag.
const OPAQUE_HEADER_LEN: usize = 32 + 32 + 8 + 1;

/// Turns a `TransactionDeposited` event of the portal into the deposit transaction that it stands for (deposits.md).
///
/// `log_index` counts the logs of the whole L1 block; together with the block hash it makes the deposit unique. The sender is
/// taken from the log as it is: the portal has already aliased contracts.
pub fn decode_deposit(l1_block_hash: B256, log_index: u64, log: &Log) -> Result<TxDeposit, DecodeError> {
    let malformed = |what| DecodeError::MalformedLog { address: log.address, what };
    let &[TRANSACTION_DEPOSITED_TOPIC, from, to, B256::ZERO] = log.topics() else {
        return Err(DecodeError::UnexpectedTopics(log.address));
    };
    let from = address_of(from).ok_or(malformed("the sender is not an address"))?;
    let to = address_of(to).ok_or(malformed("the recipient is not an address"))?;
    let opaque = abi_bytes(&log.data.data).ok_or(malformed("not the ABI encoding of bytes"))?;
    let Some((header, input)) = opaque.split_first_chunk::<OPAQUE_HEADER_LEN>() else {
        return Err(malformed("opaque data too short"));
    };
    let mint = U256::from_be_slice(&header[..32]);
    Ok(TxDeposit {
        source_hash: UserDepositSource::new(l1_block_hash, log_index).source_hash(),
        from,
        to: if header[72] == 0 { TxKind::Call(to) } else { TxKind::Create },
        mint: mint.try_into().map_err(|_| malformed("mint of 2^128 wei or more"))?,
        value: U256::from_be_slice(&header[32..64]),
        gas_limit: u64::from_be_bytes(header[64..72].try_into().expect("8 bytes")),
        is_system_transaction: false,
        input: Bytes::copy_from_slice(input),
    })
}

/// The opaque data of a deposit as the portal packs it: `mint u256 ‖ value u256 ‖ gas limit u64 ‖ creation u8 ‖ calldata`.
pub fn encode_opaque_data(mint: U256, value: U256, gas_limit: u64, is_creation: bool, input: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(OPAQUE_HEADER_LEN + input.len());
    out.extend_from_slice(&mint.to_be_bytes::<32>());
    out.extend_from_slice(&value.to_be_bytes::<32>());
    out.extend_from_slice(&gas_limit.to_be_bytes());
    out.push(u8::from(is_creation));
    out.extend_from_slice(input);
    out.into()
}

fn address_of(word: B256) -> Option<Address> {
    word[..12].iter().all(|byte| *byte == 0).then(|| Address::from_word(word))
}

/// Reads `abi.encode(bytes)`: offset 32, length, content, padding of zeros, and nothing else.
pub(crate) fn abi_bytes(data: &[u8]) -> Option<&[u8]> {
    let (head, tail) = data.split_at_checked(64)?;
    if U256::from_be_slice(&head[..32]) != U256::from(32) || !tail.len().is_multiple_of(32) {
        return None;
    }
    let len = usize::try_from(U256::from_be_slice(&head[32..])).ok()?;
    let (content, padding) = tail.split_at_checked(len)?;
    (padding.len() < 32 && padding.iter().all(|byte| *byte == 0)).then_some(content)
}

/// `abi.encode(bytes)`, for tests.
#[cfg(test)]
pub(crate) fn abi_encode(content: &[u8]) -> Bytes {
    let mut out = Vec::new();
    out.extend(U256::from(32).to_be_bytes::<32>());
    out.extend(U256::from(content.len()).to_be_bytes::<32>());
    out.extend(content);
    out.resize(out.len().next_multiple_of(32), 0);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::keccak256;
    use proptest::prelude::*;

    const PORTAL: Address = Address::repeat_byte(9);

    fn log(from: B256, version: B256, data: Bytes) -> Log {
        let topics = [TRANSACTION_DEPOSITED_TOPIC, from, Address::repeat_byte(2).into_word(), version];
        Log::new_unchecked(PORTAL, topics.into(), data)
    }

    #[test]
    fn topic_is_the_hash_of_the_signature() {
        assert_eq!(TRANSACTION_DEPOSITED_TOPIC, keccak256("TransactionDeposited(address,address,uint256,bytes)"));
    }

    #[test]
    fn malformed_events_are_errors() {
        let from = Address::repeat_byte(1).into_word();
        let opaque = encode_opaque_data(U256::from(5), U256::from(4), 100_000, false, &[1, 2, 3]);
        let good = abi_encode(&opaque);
        assert!(decode_deposit(B256::ZERO, 0, &log(from, B256::ZERO, good.clone())).is_ok());

        let unexpected = Err(DecodeError::UnexpectedTopics(PORTAL));
        assert_eq!(decode_deposit(B256::ZERO, 0, &log(from, B256::with_last_byte(1), good.clone())), unexpected);
        let what = |result: Result<TxDeposit, DecodeError>| match result {
            Err(DecodeError::MalformedLog { what, .. }) => what,
            other => panic!("{other:?}"),
        };
        let decode = |from, data| what(decode_deposit(B256::ZERO, 0, &log(from, B256::ZERO, data)));
        assert_eq!(decode(B256::repeat_byte(1), good.clone()), "the sender is not an address");
        assert_eq!(decode(from, good.slice(..good.len() - 32)), "not the ABI encoding of bytes");
        let mut dirty = good.to_vec();
        *dirty.last_mut().unwrap() = 1;
        assert_eq!(decode(from, dirty.into()), "not the ABI encoding of bytes");
        assert_eq!(decode(from, abi_encode(&opaque[..72])), "opaque data too short");
        let mint = encode_opaque_data(U256::ONE << 128, U256::ZERO, 0, false, &[]);
        assert_eq!(decode(from, abi_encode(&mint)), "mint of 2^128 wei or more");
    }

    proptest! {
        #[test]
        fn deposits_survive_the_round_trip(
            mint: u128, value in any::<[u8; 32]>(), gas_limit: u64, creation: bool,
            input in proptest::collection::vec(any::<u8>(), 0..100), from in any::<[u8; 20]>(), index: u64,
        ) {
            let value = U256::from_be_bytes(value);
            let opaque = encode_opaque_data(U256::from(mint), value, gas_limit, creation, &input);
            let from = Address::new(from);
            let hash = B256::repeat_byte(7);
            let deposit = decode_deposit(hash, index, &log(from.into_word(), B256::ZERO, abi_encode(&opaque))).unwrap();
            let to = if creation { TxKind::Create } else { TxKind::Call(Address::repeat_byte(2)) };
            prop_assert_eq!(deposit, TxDeposit {
                source_hash: UserDepositSource::new(hash, index).source_hash(),
                from, to, mint, value, gas_limit, is_system_transaction: false, input: input.into(),
            });
        }

        #[test]
        fn arbitrary_data_never_panics(data in proptest::collection::vec(any::<u8>(), 0..300), len: u64) {
            let mut data = data;
            let _ = decode_deposit(B256::ZERO, 0, &log(B256::ZERO, B256::ZERO, data.clone().into()));
            if data.len() >= 64 {
                data[..64].fill(0);
                data[31] = 32;
                data[56..64].copy_from_slice(&len.to_be_bytes());
                let _ = decode_deposit(B256::ZERO, 0, &log(B256::ZERO, B256::ZERO, data.into()));
            }
        }
    }
}
