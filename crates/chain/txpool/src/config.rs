use crate::RollupFees;

/// Limits of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConfig {
    /// The chain whose transactions are taken.
    pub chain_id: u64,
    /// Bytes of one transaction in its EIP-2718 form.
    pub max_transaction_bytes: usize,
    /// Transactions in the pool.
    pub max_transactions: usize,
    /// Bytes of all transactions.
    pub max_bytes: usize,
    /// Transactions that wait for a gap to close, of all senders.
    pub max_queued: usize,
    /// Transactions of one sender.
    pub max_per_sender: usize,
    /// Transactions of one sender that wait for a gap to close.
    pub max_queued_per_sender: usize,
    /// Seconds for which transactions wait for a gap to close, counted from when their sender was last active.
    pub queued_lifetime: u64,
    /// The least tip cap of a transaction from outside, in wei per gas.
    pub min_tip: u128,
    /// By how many percent a replacement has to raise both fees.
    pub price_bump: u8,
    /// Whether legacy transactions without a chain id (before EIP-155) are taken. They can be replayed on other chains.
    pub allow_unprotected: bool,
}

impl PoolConfig {
    /// Defaults for a chain.
    pub const fn new(chain_id: u64) -> Self {
        Self {
            chain_id,
            max_transaction_bytes: 128 << 10,
            max_transactions: 100_000,
            max_bytes: 256 << 20,
            max_queued: 20_000,
            max_per_sender: 10_000,
            max_queued_per_sender: 1024,
            queued_lifetime: 3 * 60 * 60,
            min_tip: 0,
            price_bump: 10,
            allow_unprotected: false,
        }
    }
}

/// What the pool has to know of the newest block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockContext {
    /// Time of the block, in seconds since the Unix epoch: the pool's only clock.
    pub timestamp: u64,
    /// Gas that the next block may use.
    pub gas_limit: u64,
    /// Base fee of the next block, in wei per gas.
    pub base_fee: u64,
    /// The base fee never falls below this (Jovian), so a lower fee cap can never be included.
    pub min_base_fee: u64,
    /// Fees besides gas, as the block fixed them.
    pub fees: RollupFees,
}
