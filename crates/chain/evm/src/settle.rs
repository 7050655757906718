//! `SETTLE`: a batch of receipts becomes rewards. Specified in docs/spec/settlement.md.
//!
//! Work is paid for before it is done, in four steps: reading (by the length of the input), arithmetic (by receipts and
//! entries), the known part of writing (by paid accounts) and, account by account, the creation of those that do not
//! exist. So no amount of gas buys more work than it pays for, whatever the input.
//!
//! The prices follow from what `tests/settle_cost.rs` measures (figures in the README): per unit of gas none of them buys
//! more time than `ECRECOVER` does, and what reaches the state is priced like the same change made by other means.

use alloc::{format, vec::Vec};
use alloy_evm::{EvmInternals, EvmInternalsError, precompiles::PrecompileInput};
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolError;
use openledger_attribution::{Batch, SettleError, Split, contracts::ISettle};
use revm::{
    context_interface::journaled_state::account::JournaledAccountTr,
    precompile::{PrecompileError, PrecompileHalt, PrecompileOutput, PrecompileResult},
};

/// Gas for a call, whatever it asks for: it covers dispatch and the answer.
pub const BASE_GAS: u64 = 3_000;
/// Gas for each begun word of 32 bytes of input, as `SHA256` takes for reading every byte once: the input is copied, checked
/// and held in memory before anything else is known about it.
pub const WORD_GAS: u64 = 12;
/// Gas for a receipt: seven 256-bit multiplications and divisions at most, for usage, platform and shares, and six words of
/// output.
pub const RECEIPT_GAS: u64 = 400;
/// Gas for an entry: at most one 256-bit multiplication and division, where no other entry is of its account.
pub const ENTRY_GAS: u64 = 40;
/// Gas for an account that is paid: a cold account access (2600, EIP-2929) and the rewriting of a value that exists, as
/// `SSTORE` is charged for it (2900). Flat, because an access list would make the price of a batch depend on its
/// surroundings; a `CALL` with value costs 9300 for the same effect.
pub const ACCOUNT_GAS: u64 = 5_500;
/// Gas on top for an account that does not exist yet, as `CALL` charges for the growth of the state.
pub const NEW_ACCOUNT_GAS: u64 = 25_000;

/// Why a call ends without success.
enum Failure {
    /// The caller's mistake, ABI-encoded: the rest of the gas is returned.
    Revert(Vec<u8>),
    /// All gas is gone.
    OutOfGas,
    /// The state could not be read. Not the caller's doing: execution as a whole stops.
    State(EvmInternalsError),
}

impl<E: SolError> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Revert(error.abi_encode())
    }
}

/// Runs the precompile.
pub fn run(input: &mut PrecompileInput<'_>) -> PrecompileResult {
    let mut gas = Gas { limit: input.gas, used: 0 };
    let reservoir = input.reservoir;
    match settle(input, &mut gas) {
        Ok(output) => Ok(PrecompileOutput::new(gas.used, output, reservoir)),
        Err(Failure::Revert(data)) => Ok(PrecompileOutput::revert(gas.used, data.into(), reservoir)),
        Err(Failure::OutOfGas) => Ok(PrecompileOutput::halt(PrecompileHalt::OutOfGas, reservoir)),
        Err(Failure::State(error)) => Err(PrecompileError::Fatal(format!("SETTLE cannot read the state: {error}"))),
    }
}

fn settle(input: &mut PrecompileInput<'_>, gas: &mut Gas) -> Result<Bytes, Failure> {
    gas.charge(BASE_GAS, 1)?;
    if !input.is_direct_call() {
        return Err(ISettle::SettleDelegateCall {}.into());
    }
    if input.is_static_call() {
        return Err(ISettle::SettleStaticCall {}.into());
    }
    if !input.value.is_zero() {
        return Err(ISettle::SettleValueSent {}.into());
    }
    gas.charge(WORD_GAS, input.data.len().div_ceil(32))?;
    let batch = Batch::decode(input.data).map_err(invalid)?;
    gas.charge(RECEIPT_GAS, batch.charges().len())?;
    gas.charge(ENTRY_GAS, batch.entry_count())?;
    let mut split = batch.split().map_err(invalid)?;
    // What the caller earns stays where it is.
    split.rewards.remove(&input.caller);
    gas.charge(ACCOUNT_GAS, split.rewards.len())?;
    pay(&mut input.internals, input.caller, &split, gas)?;
    Ok(output(&split))
}

/// Moves the rewards: one write for the caller, one for each account, in ascending order of address. All of it is in the
/// journal, and undone with the call if this one fails or any call around it does.
fn pay(state: &mut EvmInternals<'_>, caller: Address, split: &Split, gas: &mut Gas) -> Result<(), Failure> {
    // Each reward is at most 2¹⁴⁴, and there are at most 2¹⁶.
    let needed = split.rewards.values().fold(U256::ZERO, |sum, reward| sum + reward);
    let balance = state.load_account(caller).map_err(Failure::State)?.data.info.balance;
    let Some(rest) = balance.checked_sub(needed) else {
        return Err(ISettle::SettleInsufficientBalance { balance, needed }.into());
    };
    if needed.is_zero() {
        return Ok(());
    }
    state.set_balance(caller, rest).map_err(Failure::State)?;
    for (address, reward) in &split.rewards {
        let mut account = state.load_account_mut(*address).map_err(Failure::State)?.data;
        if account.account().is_empty() {
            gas.charge(NEW_ACCOUNT_GAS, 1)?;
        }
        if !account.incr_balance(*reward) {
            // Beyond 2²⁵⁶ wei in one account: no supply allows it.
            return Err(invalid(SettleError::FeeOverflow));
        }
    }
    Ok(())
}

/// Totals first, then each receipt, six words each.
fn output(split: &Split) -> Bytes {
    let groups = core::iter::once(&split.totals).chain(&split.receipts);
    groups.flat_map(|parts| parts.words()).flat_map(|word| word.to_be_bytes::<32>()).collect::<Vec<u8>>().into()
}

fn invalid(error: SettleError) -> Failure {
    ISettle::SettleInvalidInput { code: error.code() }.into()
}

/// The gas of one call.
struct Gas {
    limit: u64,
    used: u64,
}

impl Gas {
    fn charge(&mut self, price: u64, count: usize) -> Result<(), Failure> {
        // Counts come from inputs that fit in memory, so the product fits.
        let used = self.used.saturating_add(price.saturating_mul(count as u64));
        if used > self.limit {
            return Err(Failure::OutOfGas);
        }
        self.used = used;
        Ok(())
    }
}
