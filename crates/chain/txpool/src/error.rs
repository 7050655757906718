use alloy_primitives::{Address, U256};

/// Why a transaction was not taken. Messages begin with geth's words, which wallets and tools look for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The bytes are no transaction.
    #[error("invalid transaction encoding: {0}")]
    Decode(String),
    /// A type that does not come through the pool: blobs, deposits, or an unknown one.
    #[error("transaction type not supported: {0:#04x} (legacy, EIP-2930, EIP-1559 and EIP-7702 transactions are)")]
    TypeNotSupported(u8),
    /// Larger than a transaction may be.
    #[error("oversized data: transaction size {size}, limit {limit}")]
    Oversized {
        /// Bytes of the transaction.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Signed for another chain.
    #[error("invalid sender: invalid chain id for signer: have {have} want {want}")]
    WrongChain {
        /// The transaction's chain.
        have: u64,
        /// This chain.
        want: u64,
    },
    /// A legacy transaction that names no chain.
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    Unprotected,
    /// The signature is malformed, not in its lower half, or nobody's.
    #[error("invalid sender: invalid transaction v, r, s values")]
    InvalidSignature,
    /// The tip cap is above the fee cap.
    #[error("max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {tip}, maxFeePerGas: {fee}")]
    TipAboveFee {
        /// Tip cap, wei per gas.
        tip: u128,
        /// Fee cap, wei per gas.
        fee: u128,
    },
    /// Too little gas for what the transaction costs before it runs.
    #[error("intrinsic gas too low: gas {have}, minimum needed {want}")]
    IntrinsicGas {
        /// Gas limit.
        have: u64,
        /// Gas needed.
        want: u64,
    },
    /// Too little gas for the calldata floor (EIP-7623).
    #[error("insufficient gas for floor data gas cost: gas {have}, minimum needed {want}")]
    FloorGas {
        /// Gas limit.
        have: u64,
        /// Gas needed.
        want: u64,
    },
    /// More init code than EIP-3860 allows.
    #[error("max initcode size exceeded: code size {size}, limit {limit}")]
    InitCode {
        /// Bytes of init code.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// An EIP-7702 transaction without authorisations.
    #[error("set code tx must have at least one authorization tuple")]
    EmptyAuthorizations,
    /// More gas than a block has.
    #[error("exceeds block gas limit: gas {gas}, limit {limit}")]
    BlockGasLimit {
        /// Gas limit of the transaction.
        gas: u64,
        /// Gas limit of a block.
        limit: u64,
    },
    /// The nonce was used.
    #[error("nonce too low: next nonce {next}, tx nonce {nonce}")]
    NonceTooLow {
        /// The account's next nonce.
        next: u64,
        /// The transaction's.
        nonce: u64,
    },
    /// No account can get past this nonce.
    #[error("nonce has max value")]
    NonceMax,
    /// The balance does not cover this transaction alone.
    #[error("insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {}", cost.saturating_sub(*balance))]
    InsufficientFunds {
        /// Balance, wei.
        balance: U256,
        /// Most that the transaction can cost, wei.
        cost: U256,
    },
    /// The balance does not cover this transaction after those that come before it.
    #[error(
        "insufficient funds for gas * price + value: balance {balance}, queued cost {queued}, tx cost {cost}, overshot {}",
        queued.saturating_add(*cost).saturating_sub(*balance)
    )]
    Overdraft {
        /// Balance, wei.
        balance: U256,
        /// Cost of the sender's pending transactions, wei.
        queued: U256,
        /// Most that the transaction can cost, wei.
        cost: U256,
    },
    /// Fees too low to be taken.
    #[error("transaction underpriced: {what} {have}, minimum needed {want}")]
    Underpriced {
        /// Which fee.
        what: &'static str,
        /// What was offered, wei per gas.
        have: u128,
        /// What is needed, wei per gas.
        want: u128,
    },
    /// The pool is full of transactions that pay more.
    #[error("transaction underpriced: the pool is full, raise the priority fee or try again later")]
    PoolUnderpriced,
    /// A transaction of that nonce waits already, and the new one does not pay 10 % more.
    #[error("replacement transaction underpriced: new fee cap {fee} and tip cap {tip}, needed {min_fee} and {min_tip}")]
    ReplacementUnderpriced {
        /// Fee cap offered, wei per gas.
        fee: u128,
        /// Tip cap offered, wei per gas.
        tip: u128,
        /// Fee cap needed, wei per gas.
        min_fee: U256,
        /// Tip cap needed, wei per gas.
        min_tip: U256,
    },
    /// The very transaction is in the pool.
    #[error("already known")]
    AlreadyKnown,
    /// No room for transactions that wait for a gap.
    #[error("txpool is full: too many transactions wait for a missing nonce; send that one first")]
    QueueFull,
    /// The sender has too many transactions in the pool.
    #[error("account limit exceeded: {sender} has {limit} transactions in the pool; wait until some are included")]
    SenderFull {
        /// Who sends.
        sender: Address,
        /// How many are allowed.
        limit: usize,
    },
    /// A contract cannot send transactions (EIP-3607).
    #[error("sender not an eoa: address {0}")]
    SenderIsContract(Address),
    /// A full pool does not give up what can be included for what cannot yet.
    #[error("future transaction tries to replace pending: the pool is full; send the missing nonce first")]
    FutureReplacePending,
    /// A delegated account (EIP-7702), or one whose delegation waits in the pool, may have one pending transaction, as others
    /// can spend its balance.
    #[error("in-flight transaction limit reached for delegated accounts")]
    DelegatedInFlight,
    /// A delegated account cannot leave a gap before its transaction.
    #[error("gapped-nonce tx from delegated accounts")]
    DelegatedGap,
    /// The transaction would delegate (EIP-7702) an account that has more than one transaction in the pool.
    #[error("authority already reserved: {0} has more than one transaction in the pool; wait until they are included")]
    AuthorityReserved(Address),
    /// The state could not be read. The transaction may be good.
    #[error("the state could not be read: {0}; try again")]
    State(String),
}
