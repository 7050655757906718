//! What a caller wants changed in the state before anything runs.

use std::collections::{BTreeMap, BTreeSet};

use alloy_evm::{
    overrides::{StateOverrideError, apply_state_overrides},
    precompiles::PrecompilesMap,
};
use alloy_primitives::Address;
use alloy_rpc_types_eth::state::StateOverride;
use revm::{Database, DatabaseCommit};

use crate::{RpcError, SimulationRule};

/// Changes accounts in `db`, and moves or replaces precompiles.
pub(crate) fn apply<DB>(overrides: StateOverride, db: &mut DB, precompiles: &mut PrecompilesMap) -> Result<(), RpcError>
where
    DB: Database + DatabaseCommit,
    RpcError: From<DB::Error>,
{
    change_precompiles(&overrides, precompiles)?;
    for (address, account) in &overrides {
        for slot in account.state_diff.iter().flat_map(|diff| diff.keys()) {
            // A database knows what it changes only of slots that it has read.
            db.storage(*address, (*slot).into())?;
        }
    }
    apply_state_overrides(overrides, db).map_err(|error| match error {
        StateOverrideError::Database(error) => error.into(),
        error => RpcError::InvalidParams(error.to_string()),
    })
}

/// Moves precompiles where the caller wants them; where code takes the place of one, it is gone.
fn change_precompiles(overrides: &StateOverride, precompiles: &mut PrecompilesMap) -> Result<(), RpcError> {
    let moves: BTreeMap<Address, Address> =
        overrides.iter().filter_map(|(address, account)| Some((*address, account.move_precompile_to?))).collect();
    let mut targets = BTreeSet::new();
    for (from, to) in &moves {
        if precompiles.get(from).is_none() {
            return Err(RpcError::Execution(format!("account {from} is not a precompile")));
        }
        if from == to {
            let message = format!("movePrecompileToAddress of {from} names the account itself");
            return Err(RpcError::Simulation { rule: SimulationRule::MoveToItself, message });
        }
        if overrides.contains_key(to) {
            return Err(RpcError::Execution(format!("account {to} is already overridden")));
        }
        if !targets.insert(to) {
            let message = format!("movePrecompileToAddress names {to} more than once");
            return Err(RpcError::Simulation { rule: SimulationRule::MoveToSame, message });
        }
    }
    precompiles.move_precompiles(moves).map_err(|error| RpcError::InvalidParams(error.to_string()))?;
    for address in overrides.iter().filter_map(|(address, account)| account.code.is_some().then_some(address)) {
        precompiles.apply_precompile(address, |_| None);
    }
    Ok(())
}
