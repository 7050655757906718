use alloy_consensus::Transaction as _;
use openledger_primitives::Transaction;

/// Gas of any transaction.
const TRANSACTION: u64 = 21_000;
/// Gas of a creation on top (EIP-2), and of each word of init code (EIP-3860).
const CREATE: u64 = 32_000;
const INIT_CODE_WORD: u64 = 2;
/// Gas of a token of calldata: a zero byte is one token, any other byte four (EIP-2028, EIP-7623).
const TOKEN: u64 = 4;
const FLOOR_TOKEN: u64 = 10;
/// Gas of the access list (EIP-2930) and of an authorisation (EIP-7702).
const ACCESS_ADDRESS: u64 = 2_400;
const ACCESS_SLOT: u64 = 1_900;
const AUTHORIZATION: u64 = 25_000;

fn tokens(transaction: &Transaction) -> u64 {
    transaction.input().iter().map(|byte| if *byte == 0 { 1 } else { 4 }).sum()
}

/// Gas that a transaction uses before anything runs (Prague rules). Sizes are bounded by the pool, so nothing overflows.
pub fn intrinsic_gas(transaction: &Transaction) -> u64 {
    let mut gas = TRANSACTION + TOKEN * tokens(transaction);
    if transaction.is_create() {
        gas += CREATE + INIT_CODE_WORD * transaction.input().len().div_ceil(32) as u64;
    }
    if let Some(list) = transaction.access_list() {
        let slots: u64 = list.0.iter().map(|item| item.storage_keys.len() as u64).sum();
        gas += ACCESS_ADDRESS * list.0.len() as u64 + ACCESS_SLOT * slots;
    }
    gas + AUTHORIZATION * transaction.authorization_list().map_or(0, |list| list.len() as u64)
}

/// Gas that a transaction pays at least, for its calldata (EIP-7623).
pub fn floor_gas(transaction: &Transaction) -> u64 {
    TRANSACTION + FLOOR_TOKEN * tokens(transaction)
}
