//! Blocks, transactions, receipts and logs are found again, and gone after an unwind.

mod support;

use alloy_primitives::keccak256;
use openledger_storage::{Database, LogFilter, StorageError};
use support::*;

fn chain() -> (tempfile::TempDir, Database, Vec<openledger_stf::ExecutedBlock>) {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let first = changes(&[(0, changed(account(1, 100), &[]))]);
    db.init_genesis(&genesis(&first), &first).unwrap();
    let blocks = (2..8)
        .map(|nonce| {
            let block = block(&db, changes(&[(0, changed(account(nonce, 100), &[]))]));
            db.commit_block(&block).unwrap();
            block
        })
        .collect();
    (folder, db, blocks)
}

#[test]
fn by_number_and_by_hash() {
    let (_folder, db, blocks) = chain();
    for executed in &blocks {
        let number = executed.block.header.number;
        let found = db.block(number).unwrap().unwrap();
        assert_eq!(found.header.hash(), executed.hash);
        assert_eq!(found.senders, executed.senders);
        assert_eq!(db.block_by_hash(&executed.hash).unwrap().unwrap(), found);
        assert_eq!(db.receipts(number).unwrap().unwrap(), executed.receipts);
        assert_eq!(found.into_block(), executed.block);

        for (index, transaction) in (0u32..).zip(&executed.block.body.transactions) {
            let entry = db.transaction(&transaction.tx_hash()).unwrap().unwrap();
            assert_eq!((&entry.transaction, entry.index, entry.header.hash()), (transaction, index, executed.hash));
            assert_eq!(entry.sender, executed.senders[index as usize]);
        }
        let receipt = db.receipt(&executed.block.body.transactions[1].tx_hash()).unwrap().unwrap();
        assert_eq!((receipt.gas_used, receipt.first_log_index), (21_000, 0));
        assert_eq!(receipt.receipt, executed.receipts[1]);
    }
    assert_eq!(db.block(99).unwrap(), None);
    assert_eq!(db.transaction(&slot(1)).unwrap(), None);
    assert!(db.state_at(99).unwrap_err().to_string().contains("not known"));

    let last = blocks.last().unwrap();
    db.unwind_to(4).unwrap();
    assert_eq!(db.header_by_hash(&last.hash).unwrap(), None);
    assert_eq!(db.receipt(&last.block.body.transactions[1].tx_hash()).unwrap(), None);
}

#[test]
fn logs_by_address_topic_and_range() {
    let (_folder, db, _) = chain();
    let find = |filter: &LogFilter| -> Vec<(u64, u64)> {
        let logs = db.logs(0..=100, filter, 100).unwrap();
        logs.iter().map(|entry| (entry.block_number, entry.log_index)).collect()
    };
    assert_eq!(find(&LogFilter::default()).len(), 12);
    let by_address = LogFilter { addresses: vec![address(51)], ..LogFilter::default() };
    assert_eq!(find(&by_address), (1..=6).map(|number| (number, 1)).collect::<Vec<_>>());
    let mut even = LogFilter::default();
    even.topics[0] = vec![keccak256([0])];
    even.topics[1] = vec![slot(0), slot(9)];
    assert_eq!(find(&even), [(2, 0), (4, 0), (6, 0)]);
    even.topics[2] = vec![slot(0)];
    assert!(find(&even).is_empty());
    assert_eq!(db.logs(2..=3, &by_address, 100).unwrap().len(), 2);
    assert!(matches!(db.logs(0..=6, &by_address, 5).unwrap_err(), StorageError::TooManyLogs { limit: 5 }));
    let entry = &db.logs(2..=2, &by_address, 1).unwrap()[0];
    assert_eq!(entry.log, log(2, 1));
    assert_eq!(entry.transaction_index, 1);
}
