use alloy_eips::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::Bytes;
use openledger_primitives::Transaction;
use openledger_stf::decode_transaction;
use openledger_txpool::{PoolConfig, PoolTransaction, journal};

/// Chain id of the seeds.
const CHAIN: u64 = 20300;

/// The bytes of `eth_sendRawTransaction`, of a batch's transaction, and of the pool's journal. Whatever the pool takes, a block can
/// hold, from the same sender; whatever is decoded has one encoding.
pub fn transactions(bytes: &[u8]) {
    let executed = decode_transaction(bytes);
    if let Ok(transaction) = &executed {
        assert_eq!(transaction.inner().encoded_2718(), bytes, "another encoding");
    }
    if let Ok(pooled) = PoolTransaction::decode(Bytes::copy_from_slice(bytes), &PoolConfig::new(CHAIN)) {
        assert_eq!(pooled.sender(), executed.expect("what the pool takes, a block can hold").signer());
    }
    // With something behind it, as in a stream.
    let _ = Transaction::decode_2718(&mut &bytes[..]);

    let journal = journal::decode(bytes);
    let mut again = Vec::new();
    journal.transactions.iter().for_each(|raw| journal::encode(raw, &mut again));
    assert_eq!(again, bytes[..journal.valid_bytes], "another journal");
}
