use alloy_consensus::{Header, Sealed};
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use alloy_rlp::{Decodable, Encodable};
use op_alloy_consensus::OpReceiptEnvelope;
use openledger_primitives::Receipt;
use openledger_trie::{EMPTY_ROOT_HASH, TrieAccount};

use crate::StorageError;

pub(crate) fn decode<T: Decodable>(what: &str, bytes: &[u8]) -> Result<T, StorageError> {
    alloy_rlp::decode_exact(bytes).map_err(|error| StorageError::Corrupted(format!("{what} does not decode: {error}")))
}

/// The item at `index` of an RLP list, without decoding those before it.
pub(crate) fn decode_nth<T: Decodable>(what: &str, list: &[u8], index: usize) -> Result<T, StorageError> {
    let bad = |error: alloy_rlp::Error| StorageError::Corrupted(format!("{what} does not decode: {error}"));
    let mut items = alloy_rlp::Header::decode_bytes(&mut &list[..], true).map_err(bad)?;
    for _ in 0..index {
        let item = alloy_rlp::Header::decode(&mut items).map_err(bad)?;
        items = &items[item.payload_length..];
    }
    T::decode(&mut items).map_err(bad)
}

pub(crate) fn encode_list<T: Encodable>(items: &[T]) -> Vec<u8> {
    let mut out = Vec::with_capacity(alloy_rlp::list_length::<T, T>(items));
    alloy_rlp::encode_list(items, &mut out);
    out
}

/// The receipts of a block as [`encode_list`] writes them, without blooms, or with them, as older versions did.
pub(crate) fn receipts(bytes: &[u8]) -> Result<Vec<Receipt>, StorageError> {
    alloy_rlp::decode_exact(bytes).or_else(|_| {
        let with_blooms: Vec<OpReceiptEnvelope> = decode("receipts", bytes)?;
        Ok(with_blooms.into_iter().map(Receipt::from).collect())
    })
}

/// An account as RLP `[nonce, balance, storage root, code hash]`, where nothing stands for the root of no storage and for the hash
/// of no code (geth calls it slim): most accounts have neither.
pub(crate) fn encode_account(account: &TrieAccount) -> Vec<u8> {
    let unless = |hash: B256, nothing: B256| if hash == nothing { Bytes::new() } else { hash.into() };
    let (root, code) = (unless(account.storage_root, EMPTY_ROOT_HASH), unless(account.code_hash, KECCAK256_EMPTY));
    let fields: [&dyn Encodable; 4] = [&account.nonce, &account.balance, &root, &code];
    let mut out = Vec::with_capacity(80);
    alloy_rlp::encode_list::<_, dyn Encodable>(&fields, &mut out);
    out
}

/// An account as [`encode_account`] writes it, or with all hashes written out, as older versions did.
pub(crate) fn account(bytes: &[u8]) -> Result<TrieAccount, StorageError> {
    let bad = |error: alloy_rlp::Error| StorageError::Corrupted(format!("an account does not decode: {error}"));
    let read = || {
        let mut rest = bytes;
        let mut fields = alloy_rlp::Header::decode_bytes(&mut rest, true)?;
        let (nonce, balance) = (u64::decode(&mut fields)?, U256::decode(&mut fields)?);
        let mut hash = |nothing| match alloy_rlp::Header::decode_bytes(&mut fields, false)? {
            [] => Ok(nothing),
            hash => B256::try_from(hash).map_err(|_| alloy_rlp::Error::UnexpectedLength),
        };
        let account =
            TrieAccount { nonce, balance, storage_root: hash(EMPTY_ROOT_HASH)?, code_hash: hash(KECCAK256_EMPTY)? };
        if rest.is_empty() && fields.is_empty() { Ok(account) } else { Err(alloy_rlp::Error::UnexpectedLength) }
    };
    read().map_err(bad)
}

pub(crate) fn header(bytes: &[u8], hash: B256) -> Result<Sealed<Header>, StorageError> {
    Ok(Sealed::new_unchecked(decode("a header", bytes)?, hash))
}

pub(crate) fn slot_value(bytes: &[u8]) -> Result<U256, StorageError> {
    U256::try_from_be_slice(bytes).ok_or_else(|| StorageError::corrupted("a slot is longer than 32 bytes"))
}

pub(crate) fn number(bytes: &[u8]) -> Result<u64, StorageError> {
    Ok(u64::from_be_bytes(bytes.try_into().map_err(|_| StorageError::corrupted("a number is not 8 bytes long"))?))
}

pub(crate) fn hash(bytes: &[u8]) -> Result<B256, StorageError> {
    B256::try_from(bytes).map_err(|_| StorageError::corrupted("a hash is not 32 bytes long"))
}

pub(crate) fn encode_id(id: BlockNumHash) -> [u8; 40] {
    let mut out = [0; 40];
    out[..8].copy_from_slice(&id.number.to_be_bytes());
    out[8..].copy_from_slice(id.hash.as_slice());
    out
}

pub(crate) fn decode_id(bytes: &[u8]) -> Result<BlockNumHash, StorageError> {
    match bytes.split_at_checked(8) {
        Some((n, h)) => Ok(BlockNumHash::new(number(n)?, hash(h)?)),
        None => Err(StorageError::corrupted("a block id is too short")),
    }
}

/// Block number and index: where a transaction is.
pub(crate) fn encode_place(number: u64, index: u32) -> [u8; 12] {
    let mut out = [0; 12];
    out[..8].copy_from_slice(&number.to_be_bytes());
    out[8..].copy_from_slice(&index.to_be_bytes());
    out
}

pub(crate) fn decode_place(bytes: &[u8]) -> Result<(u64, u32), StorageError> {
    let place: [u8; 12] =
        bytes.try_into().map_err(|_| StorageError::corrupted("a transaction's place is not 12 bytes long"))?;
    let [number @ .., _, _, _, _] = place;
    let [_, _, _, _, _, _, _, _, index @ ..] = place;
    Ok((u64::from_be_bytes(number), u32::from_be_bytes(index)))
}

pub(crate) fn encode_senders(senders: &[Address]) -> Vec<u8> {
    senders.iter().flat_map(|sender| sender.0.0).collect()
}

pub(crate) fn decode_senders(bytes: &[u8]) -> Result<Vec<Address>, StorageError> {
    let (senders, rest) = bytes.as_chunks::<20>();
    if !rest.is_empty() {
        return Err(StorageError::corrupted("senders are not 20 bytes each"));
    }
    Ok(senders.iter().map(|sender| Address::from(*sender)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::{Receipt as EthReceipt, TxReceipt as _};
    use alloy_primitives::Log;
    use op_alloy_consensus::OpDepositReceipt;
    use proptest::{collection::vec, prelude::*};

    fn hash(nothing: B256) -> impl Strategy<Value = B256> {
        prop_oneof![Just(nothing), any::<[u8; 32]>().prop_map(B256::from)]
    }

    proptest! {
        #[test]
        fn accounts_survive_encoding(
            nonce: u64,
            balance: [u64; 4],
            storage_root in hash(EMPTY_ROOT_HASH),
            code_hash in hash(KECCAK256_EMPTY),
            garbage in vec(any::<u8>(), 0..100),
        ) {
            let written = TrieAccount { nonce, balance: U256::from_limbs(balance), storage_root, code_hash };
            let slim = encode_account(&written);
            prop_assert_eq!(account(&slim).unwrap(), written);
            // As older versions wrote it.
            prop_assert_eq!(account(&alloy_rlp::encode(written)).unwrap(), written);
            prop_assert!(account(&slim[..slim.len() - 1]).is_err());
            prop_assert!(account(&[&slim[..], &[0]].concat()).is_err());
            let _ = account(&garbage);
        }

        /// What a damaged disk may hold: an error, never a panic; and what is read was written so.
        #[test]
        fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..120), nth in 0..4_usize) {
            let _ = (account(&bytes), header(&bytes, B256::ZERO), decode_nth::<U256>("", &bytes, nth), slot_value(&bytes));
            if let Ok(id) = decode_id(&bytes) {
                prop_assert_eq!(&encode_id(id)[..], &bytes[..]);
            }
            if let Ok((number, index)) = decode_place(&bytes) {
                prop_assert_eq!(&encode_place(number, index)[..], &bytes[..]);
            }
            if let Ok(senders) = decode_senders(&bytes) {
                prop_assert_eq!(encode_senders(&senders), bytes);
            }
        }

        #[test]
        fn items_of_a_list_are_found(numbers in vec(any::<u64>(), 1..20), nth in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
            let list = encode_list(&numbers);
            let nth = nth.index(numbers.len());
            prop_assert_eq!(decode_nth::<u64>("a list", &list, nth).unwrap(), numbers[nth]);
            prop_assert!(decode_nth::<u64>("a list", &list, numbers.len()).is_err());
            prop_assert!(decode_nth::<u64>("a list", &list[..cut.index(list.len())], nth).is_err());
        }
    }

    #[test]
    fn receipts_are_read_with_and_without_blooms() {
        let log = Log::new_unchecked(Address::repeat_byte(1), vec![B256::repeat_byte(2)], Bytes::from_static(b"data"));
        let receipt = |logs| EthReceipt { status: true.into(), cumulative_gas_used: 21_000, logs };
        let inner = receipt(vec![log.clone()]);
        let written = vec![
            Receipt::Deposit(OpDepositReceipt { inner, deposit_nonce: Some(3), deposit_receipt_version: Some(1) }),
            Receipt::Legacy(receipt(vec![])),
            Receipt::Eip1559(receipt(vec![log.clone(), log])),
        ];
        let short = encode_list(&written);
        assert_eq!(receipts(&short).unwrap(), written);
        // As older versions wrote them.
        let with_blooms: Vec<_> = written.iter().map(|receipt| receipt.clone().into_with_bloom()).collect();
        let long = encode_list(&with_blooms);
        assert_eq!(receipts(&long).unwrap(), written);
        assert!(long.len() > short.len() + 3 * 256);
        assert!(receipts(&short[..short.len() - 1]).is_err() && receipts(&long[..long.len() - 1]).is_err());
    }

    #[test]
    fn an_account_without_code_and_storage_is_short() {
        let plain = TrieAccount { nonce: 1, balance: U256::from(1), ..TrieAccount::default() };
        assert_eq!(encode_account(&plain), [0xc4, 1, 1, 0x80, 0x80]);
    }
}
