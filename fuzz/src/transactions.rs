use alloy_eips::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::Bytes;
use openledger_primitives::Transaction;
use openledger_stf::decode_transaction;
use openledger_txpool::{
    PoolConfig, PoolTransaction,
    journal::{self, Record},
};

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
        assert_eq!(Record::from(&pooled), Record::from(pooled.raw().clone()), "the journal would not read it back");
    }
    // With something behind it, as in a stream.
    let _ = Transaction::decode_2718(&mut &bytes[..]);

    let journal = journal::decode(bytes);
    let mut again = Vec::new();
    journal.transactions.into_iter().for_each(|raw| journal::encode(&raw.into(), &mut again));
    assert_eq!(again, bytes[..journal.valid_bytes], "another journal");
}
