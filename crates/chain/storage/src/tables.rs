use alloy_primitives::{Address, B256};
use openledger_trie::Nibbles;

/// A column family. The README's table tells keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Meta,
    Headers,
    Hashes,
    Numbers,
    Bodies,
    Senders,
    Receipts,
    Transactions,
    Codes,
    Accounts,
    Slots,
    AccountNodes,
    StorageNodes,
    History,
    Changesets,
    Notes,
}

impl Table {
    pub(crate) const ALL: [Self; 16] = [
        Self::Meta,
        Self::Headers,
        Self::Hashes,
        Self::Numbers,
        Self::Bodies,
        Self::Senders,
        Self::Receipts,
        Self::Transactions,
        Self::Codes,
        Self::Accounts,
        Self::Slots,
        Self::AccountNodes,
        Self::StorageNodes,
        Self::History,
        Self::Changesets,
        Self::Notes,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Headers => "headers",
            Self::Hashes => "hashes",
            Self::Numbers => "numbers",
            Self::Bodies => "bodies",
            Self::Senders => "senders",
            Self::Receipts => "receipts",
            Self::Transactions => "transactions",
            Self::Codes => "codes",
            Self::Accounts => "accounts",
            Self::Slots => "slots",
            Self::AccountNodes => "account_nodes",
            Self::StorageNodes => "storage_nodes",
            Self::History => "history",
            Self::Changesets => "changesets",
            Self::Notes => "notes",
        }
    }

    /// Whether values are hashes for the most part, which do not compress.
    pub(crate) const fn is_incompressible(self) -> bool {
        matches!(
            self,
            Self::Hashes | Self::Numbers | Self::Senders | Self::Transactions | Self::AccountNodes | Self::StorageNodes
        )
    }
}

/// A table whose past is kept. The discriminant is the first byte of its keys in `history` and `changesets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Versioned {
    Accounts = 1,
    Slots = 2,
    AccountNodes = 3,
    StorageNodes = 4,
}

impl Versioned {
    pub(crate) const fn table(self) -> Table {
        match self {
            Self::Accounts => Table::Accounts,
            Self::Slots => Table::Slots,
            Self::AccountNodes => Table::AccountNodes,
            Self::StorageNodes => Table::StorageNodes,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Accounts),
            2 => Some(Self::Slots),
            3 => Some(Self::AccountNodes),
            4 => Some(Self::StorageNodes),
            _ => None,
        }
    }
}

/// Keys of the `meta` table.
pub(crate) mod meta {
    /// Version of the layout, `u64`.
    pub(crate) const SCHEMA: &[u8] = b"schema";
    /// Number and hash of the first block.
    pub(crate) const GENESIS: &[u8] = b"genesis";
    /// Number and hash of the newest block.
    pub(crate) const UNSAFE: &[u8] = b"unsafe";
    /// Number and hash of the newest block derived from L1.
    pub(crate) const SAFE: &[u8] = b"safe";
    /// Number and hash of the newest block derived from finalized L1 blocks.
    pub(crate) const FINALIZED: &[u8] = b"finalized";
    /// The oldest block whose state is known, `u64`.
    pub(crate) const HISTORY_FROM: &[u8] = b"history_from";
    /// The oldest block at which the `L2ToL1MessagePasser` is known, `u64`; the genesis where it is absent.
    pub(crate) const WITHDRAWALS_FROM: &[u8] = b"withdrawals_from";
    /// Whatever derivation needs to go on after a restart; opaque here.
    pub(crate) const CURSOR: &[u8] = b"cursor";
}

/// A key of a versioned table, on the stack: at most a hash, a length and a path.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    bytes: [u8; 65],
    len: u8,
}

impl Key {
    fn new() -> Self {
        Self { bytes: [0; 65], len: 0 }
    }

    fn push(mut self, bytes: &[u8]) -> Self {
        let len = usize::from(self.len);
        self.bytes[len..len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
        self
    }

    pub(crate) fn account(address: &Address) -> Self {
        Self::new().push(address.as_slice())
    }

    pub(crate) fn slot(address: &Address, slot: &B256) -> Self {
        Self::new().push(address.as_slice()).push(slot.as_slice())
    }

    /// No key of one trie is a prefix of another, as the length comes first; so is none in `history`.
    pub(crate) fn node(owner: Option<&B256>, path: &Nibbles) -> Self {
        let mut packed = [0; 32];
        path.pack_to(&mut packed);
        let key = owner.map_or_else(Self::new, |owner| Self::new().push(owner.as_slice()));
        key.push(&[path.len() as u8]).push(&packed[..path.byte_len()])
    }
}

impl std::ops::Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
