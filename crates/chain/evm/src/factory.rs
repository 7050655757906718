use crate::precompiles;
use alloy_evm::{Database, Evm, EvmEnv, EvmFactory, precompiles::PrecompilesMap};
use alloy_op_evm::{OpEvm, OpEvmContext, OpEvmFactory, OpTx, OpTxError};
use op_revm::{OpHaltReason, OpSpecId};
use revm::{
    Inspector,
    context::{BlockEnv, result::EVMError},
    inspector::NoOpInspector,
};

/// Makes EVMs of this chain, with or without an inspector.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenLedgerEvmFactory;

impl EvmFactory for OpenLedgerEvmFactory {
    type Evm<DB: Database, I: Inspector<OpEvmContext<DB>>> = OpEvm<DB, I, PrecompilesMap>;
    type Context<DB: Database> = OpEvmContext<DB>;
    type Tx = OpTx;
    type Error<E: core::error::Error + Send + Sync + 'static> = EVMError<E, OpTxError>;
    type HaltReason = OpHaltReason;
    type Spec = OpSpecId;
    type BlockEnv = BlockEnv;
    type Precompiles = PrecompilesMap;

    fn create_evm<DB: Database>(&self, db: DB, env: EvmEnv<OpSpecId>) -> Self::Evm<DB, NoOpInspector> {
        let spec = env.cfg_env.spec;
        with_precompiles(OpEvmFactory::default().create_evm(db, env), spec)
    }

    fn create_evm_with_inspector<DB: Database, I: Inspector<Self::Context<DB>>>(
        &self,
        db: DB,
        env: EvmEnv<OpSpecId>,
        inspector: I,
    ) -> Self::Evm<DB, I> {
        let spec = env.cfg_env.spec;
        with_precompiles(OpEvmFactory::default().create_evm_with_inspector(db, env, inspector), spec)
    }
}

fn with_precompiles<DB: Database, I: Inspector<OpEvmContext<DB>>>(
    mut evm: OpEvm<DB, I, PrecompilesMap>,
    spec: OpSpecId,
) -> OpEvm<DB, I, PrecompilesMap> {
    *evm.precompiles_mut() = precompiles(spec);
    evm
}
