//! Executing a block's transactions once more, to see what they did.

use std::sync::Arc;

use alloy_eips::Encodable2718 as _;
use alloy_evm::{Evm as _, EvmEnv, EvmFactory as _, FromTxWithEncoded as _};
use openledger_evm::{OpEvmContext, OpHaltReason, OpSpecId, OpTx, OpenLedgerEvmFactory, block_env};
use openledger_stf::begin_block;
use revm::{
    DatabaseCommit as _, Inspector,
    context::{BlockEnv, TxEnv, result::ResultAndState},
    database::State,
    inspector::NoOpInspector,
};

use crate::{BlockInfo, RpcError, context::Context, database::StateDatabase};

/// The state that transactions and calls run on.
pub(crate) type Database = State<StateDatabase>;

/// An inspector of EVMs on a [`Database`].
pub(crate) trait Observer: for<'a> Inspector<OpEvmContext<&'a mut Database>> {}

impl<T: for<'a> Inspector<OpEvmContext<&'a mut Database>>> Observer for T {}

/// What was run, and what came of it.
pub(crate) struct Inspected {
    pub(crate) tx: TxEnv,
    pub(crate) block: BlockEnv,
    pub(crate) outcome: ResultAndState<OpHaltReason>,
}

/// A block in the middle of its second execution.
pub(crate) struct Replay {
    info: Arc<BlockInfo>,
    env: EvmEnv<OpSpecId>,
    db: Database,
    next: usize,
}

impl Replay {
    /// The block before its first transaction. It needs the state after its parent.
    pub(crate) fn new(context: &Context, info: Arc<BlockInfo>) -> Result<Self, RpcError> {
        let header = &info.block.header;
        let Some(parent) = header.number.checked_sub(1) else {
            return Err(RpcError::Execution("genesis is not traceable".to_owned()));
        };
        let env = block_env(&context.chain.rollup_config().chain_spec(), header);
        let mut db = State::builder().with_database(StateDatabase(context.chain.state_at(parent)?)).build();
        let beacon_root = header.parent_beacon_block_root.unwrap_or_default();
        let mut evm = OpenLedgerEvmFactory.create_evm(&mut db, env.clone());
        begin_block(&mut evm, header.parent_hash, beacon_root).map_err(RpcError::internal)?;
        drop(evm);
        Ok(Self { info, env, db, next: 0 })
    }

    /// The block as it is before the transaction at `index`, which must be in range.
    pub(crate) fn before(context: &Context, info: Arc<BlockInfo>, index: usize) -> Result<Self, RpcError> {
        let mut replay = Self::new(context, info)?;
        while replay.next < index {
            let inspected = replay.run(&mut NoOpInspector)?;
            replay.commit(inspected);
        }
        Ok(replay)
    }

    /// Runs the next transaction, which must be there, and lets an inspector look on. The state stays as it was before it.
    pub(crate) fn run(&mut self, inspector: &mut impl Observer) -> Result<Inspected, RpcError> {
        let (transaction, sender) = (&self.info.block.body.transactions[self.next], self.info.senders[self.next]);
        let tx = OpTx::from_encoded_tx(transaction, sender, transaction.encoded_2718().into());
        let base = tx.0.base.clone();
        let mut evm = OpenLedgerEvmFactory.create_evm_with_inspector(&mut self.db, self.env.clone(), inspector);
        let outcome = evm.transact_raw(tx).map_err(RpcError::internal)?;
        Ok(Inspected { tx: base, block: self.env.block_env.clone(), outcome })
    }

    /// The state before the next transaction.
    pub(crate) const fn db(&mut self) -> &mut Database {
        &mut self.db
    }

    /// Takes what the transaction did into the state, and goes on to the one after it.
    pub(crate) fn commit(&mut self, inspected: Inspected) {
        self.db.commit(inspected.outcome.state);
        self.next += 1;
    }
}
