use std::ops::RangeInclusive;

use alloy_consensus::TxReceipt as _;
use alloy_primitives::{Address, B256, Bloom, BloomInput, Log};

use crate::{Database, StorageError};

/// Which logs are wanted. An empty list stands for "any".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Contracts that emitted the log.
    pub addresses: Vec<Address>,
    /// For each of the four topics, the values accepted.
    pub topics: [Vec<B256>; 4],
}

impl LogFilter {
    /// Whether a block with this bloom may hold such logs.
    pub fn may_match(&self, bloom: &Bloom) -> bool {
        let has = |raw: &[u8]| bloom.contains_input(BloomInput::Raw(raw));
        let any =
            |mut options: std::slice::Iter<'_, B256>| options.len() == 0 || options.any(|topic| has(topic.as_slice()));
        (self.addresses.is_empty() || self.addresses.iter().any(|address| has(address.as_slice())))
            && self.topics.iter().all(|options| any(options.iter()))
    }

    /// Whether this log is wanted.
    pub fn matches(&self, log: &Log) -> bool {
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && self.topics.iter().enumerate().all(|(position, options)| {
                options.is_empty() || log.topics().get(position).is_some_and(|topic| options.contains(topic))
            })
    }
}

/// A log with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The log.
    pub log: Log,
    /// Height of the block.
    pub block_number: u64,
    /// Hash of the block.
    pub block_hash: B256,
    /// Seconds since the Unix epoch.
    pub block_timestamp: u64,
    /// The transaction that emitted it.
    pub transaction_hash: B256,
    /// The transaction's position in the block.
    pub transaction_index: u32,
    /// The log's position in the block.
    pub log_index: u64,
}

impl Database {
    /// Logs of canonical blocks that the filter accepts, in order. Blocks above the head are not an error; more than `limit`
    /// matches are.
    pub fn logs(
        &self,
        blocks: RangeInclusive<u64>,
        filter: &LogFilter,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StorageError> {
        let mut found = Vec::new();
        let newest = self.head()?.number;
        for number in *blocks.start()..=newest.min(*blocks.end()) {
            let Some(header) = self.header(number)? else { continue };
            if !filter.may_match(&header.logs_bloom) {
                continue;
            }
            let (Some(block), Some(receipts)) = (self.block(number)?, self.receipts(number)?) else { continue };
            let transactions = block.transactions.iter().map(|transaction| transaction.tx_hash());
            let mut log_index = 0;
            for (transaction_index, (transaction_hash, receipt)) in (0..).zip(transactions.zip(&receipts)) {
                for log in receipt.logs() {
                    if filter.matches(log) {
                        if found.len() == limit {
                            return Err(StorageError::TooManyLogs { limit });
                        }
                        found.push(LogEntry {
                            log: log.clone(),
                            block_number: number,
                            block_hash: block.header.hash(),
                            block_timestamp: block.header.timestamp,
                            transaction_hash,
                            transaction_index,
                            log_index,
                        });
                    }
                    log_index += 1;
                }
            }
        }
        Ok(found)
    }
}
