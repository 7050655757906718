//! Transfers of OPEN as logs.

use alloy_primitives::{Address, B256, Log, LogData, U256};
use revm::{
    Inspector,
    interpreter::{CallInputs, CallOutcome, CreateInputs, CreateOutcome},
};
use revm_inspectors::transfer::{TRANSFER_EVENT_TOPIC, TRANSFER_LOG_EMITTER};

/// Collects what contracts log, in order, and between them a log like that of an ERC-20 for each transfer of OPEN. What
/// reverts leaves no log, as in the EVM.
#[derive(Debug, Default)]
pub(super) struct TransferLogs {
    logs: Vec<Log>,
    /// For each frame that runs, how many logs there were before it.
    frames: Vec<usize>,
}

impl TransferLogs {
    /// The logs of what ran since the last time.
    pub(super) fn take(&mut self) -> Vec<Log> {
        self.frames.clear();
        std::mem::take(&mut self.logs)
    }

    /// Ends a frame, and returns where its logs begin.
    fn end(&mut self, kept: bool) -> usize {
        let start = self.frames.pop().unwrap_or_default();
        if !kept {
            self.logs.truncate(start);
        }
        start
    }
}

fn transfer(from: Address, to: Address, value: U256) -> Log {
    let topics = vec![TRANSFER_EVENT_TOPIC, from.into_word(), to.into_word()];
    Log { address: TRANSFER_LOG_EMITTER, data: LogData::new_unchecked(topics, B256::from(value).into()) }
}

impl<CTX> Inspector<CTX> for TransferLogs {
    fn log(&mut self, _context: &mut CTX, log: Log) {
        self.logs.push(log);
    }

    fn call(&mut self, _context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.frames.push(self.logs.len());
        if let Some(value) = inputs.transfer_value().filter(|value| !value.is_zero()) {
            self.logs.push(transfer(inputs.transfer_from(), inputs.transfer_to(), value));
        }
        None
    }

    fn call_end(&mut self, _context: &mut CTX, _inputs: &CallInputs, outcome: &mut CallOutcome) {
        self.end(outcome.result.is_ok());
    }

    fn create(&mut self, _context: &mut CTX, _inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.frames.push(self.logs.len());
        None
    }

    fn create_end(&mut self, _context: &mut CTX, inputs: &CreateInputs, outcome: &mut CreateOutcome) {
        let start = self.end(outcome.result.is_ok());
        // Only now the address is known.
        if let Some(address) = outcome.address.filter(|_| outcome.result.is_ok() && !inputs.value().is_zero()) {
            self.logs.insert(start, transfer(inputs.caller(), address, inputs.value()));
        }
    }

    fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        if !value.is_zero() && contract != target {
            self.logs.push(transfer(contract, target, value));
        }
    }
}
