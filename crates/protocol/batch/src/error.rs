use alloy_primitives::{Address, B256};

/// Why bytes from L1, or a block of our own, could not be read. Bytes posted by the batcher that give an error are ignored,
/// as the specification demands; an error in the logs of our own L1 contracts is critical, because skipping them would lose a
/// deposit or a parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A batcher transaction has no data, or no frame after its version byte.
    #[error("the batcher transaction holds no frame")]
    NoFrames,
    /// The first byte of a batcher transaction is not a version that we know.
    #[error("unknown batcher transaction version {0}")]
    UnknownVersion(u8),
    /// A frame ends after the data does.
    #[error("truncated frame: {needed} bytes needed, {available} available")]
    TruncatedFrame {
        /// Bytes that the frame needs by its header.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// A frame is longer than the specification allows.
    #[error("frame data of {0} bytes is longer than allowed")]
    FrameTooLong(usize),
    /// The last byte of a frame is neither 0 nor 1.
    #[error("a frame's last flag is {0}, not 0 or 1")]
    InvalidLastFlag(u8),
    /// A channel without a byte.
    #[error("the channel is empty")]
    EmptyChannel,
    /// The first byte of a channel names no compression that we know.
    #[error("unknown channel compression {0:#04x}")]
    UnknownCompression(u8),
    /// Not the RLP of a batch.
    #[error("malformed batch: {0}")]
    MalformedBatch(alloy_rlp::Error),
    /// A batch type that does not exist.
    #[error("unknown batch type {0}")]
    UnknownBatchType(u8),
    /// Span batches are part of the format, but this node does not read them yet.
    #[error("span batches are not supported yet: the batcher must post singular batches (type 0)")]
    SpanBatchUnsupported,
    /// A batch lists more transactions than are allowed.
    #[error("a batch lists more than {0} transactions")]
    TooManyTransactions(usize),
    /// A log with another event, another number of topics, or another version than expected.
    #[error("unexpected topics in a log of {0}")]
    UnexpectedTopics(Address),
    /// The data of a log is not what its event encodes.
    #[error("malformed data in a log of {address}: {what}")]
    MalformedLog {
        /// Emitter of the log.
        address: Address,
        /// What is wrong.
        what: &'static str,
    },
    /// A `ConfigUpdate` of a kind that this version does not know.
    #[error("unknown kind of configuration update: {0}")]
    UnknownConfigUpdate(B256),
    /// The L1 attributes transaction has another length or selector.
    #[error("the calldata is not that of setL1BlockValuesJovian(): {0}")]
    NotL1Info(&'static str),
    /// An L2 block without an L1 attributes deposit as its first transaction.
    #[error("block {0} does not begin with an L1 attributes deposit")]
    NoL1Info(u64),
    /// The extra data of a header is not that of Jovian.
    #[error("the extra data of block {0} is not that of Jovian")]
    InvalidExtraData(u64),
    /// A block at genesis height that is not the genesis block.
    #[error("block {found} stands at genesis height, but the genesis block of the rollup configuration is {expected}")]
    WrongGenesis {
        /// Hash in the rollup configuration.
        expected: B256,
        /// Hash of the block.
        found: B256,
    },
}

impl From<alloy_rlp::Error> for DecodeError {
    fn from(error: alloy_rlp::Error) -> Self {
        Self::MalformedBatch(error)
    }
}
