use crate::settle;
use alloy_evm::precompiles::{DynPrecompile, PrecompileInput, PrecompilesMap};
use op_revm::{OpSpecId, precompiles::OpPrecompiles};
use openledger_primitives::addresses;
use revm::precompile::PrecompileId;

/// The one set of precompiles of this chain: those of the OP Stack at `spec`, and `SETTLE`.
///
/// Sequencer, verifier, RPC and fault-proof program all take it from here, through [`crate::OpenLedgerEvmFactory`].
pub fn precompiles(spec: OpSpecId) -> PrecompilesMap {
    let run = |mut input: PrecompileInput<'_>| settle::run(&mut input);
    let settle = DynPrecompile::new_stateful(PrecompileId::custom("SETTLE"), run);
    PrecompilesMap::from_static(OpPrecompiles::new_with_spec(spec).precompiles())
        .with_applied_precompile(&addresses::SETTLE, |_| Some(settle))
}
