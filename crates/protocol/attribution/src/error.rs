/// Why a settlement batch is refused. The numbers are the codes of `SettleInvalidInput(uint8)` and of the
/// specification; checks happen in the order in which the bytes are read, fees last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
pub enum SettleError {
    /// The input ends before what its counts promise.
    #[error("the input is truncated")]
    Truncated = 1,
    /// The input goes on after the last receipt.
    #[error("bytes follow the last receipt")]
    TrailingBytes = 2,
    /// Only version 1 exists.
    #[error("the version is not 1")]
    Version = 3,
    /// A batch settles something.
    #[error("there are no receipts, or more than 65,535")]
    NoReceipts = 4,
    /// The contributors' table is a set, in order, of addresses that somebody can own.
    #[error("accounts are not strictly ascending, contain the zero address, or are more than 65,535")]
    Accounts = 5,
    /// β + γ + δ = 10,000.
    #[error("the shares of model, stakers and contributors do not sum to 10,000")]
    Shares = 6,
    /// Kind 0 is flat, kind 1 a share of at most 10,000.
    #[error("the platform fee has an unknown kind or a share above 10,000")]
    Platform = 7,
    /// An entry names no account of the table.
    #[error("an entry refers to an account outside the table, or a receipt has more than 65,535 entries")]
    AccountIndex = 8,
    /// The fee of one receipt must fit in 128 bits.
    #[error("a fee does not fit in 128 bits")]
    FeeOverflow = 9,
}

impl SettleError {
    /// The code of the specification.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// Why a signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// ECDSA signatures here are r (32), s (32), v (1).
    #[error("a signature has 65 bytes, this one has {0}")]
    Length(usize),
    /// The contracts refuse the other of the two valid signatures, so it is refused here as well.
    #[error("the signature is malleable (high s) or has an unknown recovery id")]
    Malleable,
    /// No key can have made it.
    #[error("no signer can be recovered from the signature")]
    Unrecoverable,
}
