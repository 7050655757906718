use alloc::collections::BTreeMap;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};

/// An account without its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Number of transactions sent, or of contracts created by a contract.
    pub nonce: u64,
    /// Balance in wei of OPEN.
    pub balance: U256,
    /// Keccak-256 of the code; [`KECCAK256_EMPTY`] where there is none.
    pub code_hash: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY }
    }
}

impl Account {
    /// Whether EIP-161 forbids the account to exist.
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code_hash == KECCAK256_EMPTY
    }
}

/// What a block did to one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The account after the block; `None` when it no longer exists.
    pub account: Option<Account>,
    /// Whether all slots from before the block are gone. `storage` then holds every slot that is not zero.
    pub storage_wiped: bool,
    /// Slots whose value after the block differs from the one before it; zero removes the slot.
    pub storage: BTreeMap<B256, U256>,
}

/// What a block did to the state: only accounts, slots and code that differ from before the block, in sorted order, so
/// that everybody who executes the block has the same value here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateChanges {
    /// Accounts whose own fields or whose storage changed.
    pub accounts: BTreeMap<Address, AccountChange>,
    /// Code that appeared in the block, by its hash. It may have existed before under another account.
    pub code: BTreeMap<B256, Bytes>,
}

/// The commitments to the state that a header carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateRoots {
    /// Root of the account trie.
    pub state_root: B256,
    /// Storage root of the `L2ToL1MessagePasser`: the header's withdrawals root (Isthmus).
    pub message_passer_root: B256,
}
