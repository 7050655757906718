//! Faults: where the sequencer's claims differ from what L1 and the rules give.

use openledger_rpc::{Fault, FaultKind};

use crate::{Chain, NodeError};

impl Chain {
    /// Keeps a fault for ever and tells the operator, once.
    pub fn report(&self, fault: &Fault) -> Result<(), NodeError> {
        if !self.records().add_fault(fault)? {
            return Ok(());
        }
        let claimed = match fault.kind {
            FaultKind::ParentMismatch => "the sequencer posted another block in its place",
            FaultKind::OutputMismatch => "another output root was proposed for it",
        };
        tracing::error!(
            first_differing_block = fault.block_number,
            derived = %fault.derived,
            claimed = %fault.claimed,
            l1_block = fault.l1_block.number,
            "FAULT: the sequencer's claims on L1 are wrong: {claimed}"
        );
        Ok(())
    }

    /// Everything found so far, oldest first.
    pub fn faults(&self) -> Result<Vec<Fault>, NodeError> {
        Ok(self.records().faults()?)
    }
}
