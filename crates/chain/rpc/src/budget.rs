//! Bounds on what a trace may cost: memory while it is recorded, and time.

use alloy_primitives::Log;
use alloy_rpc_types_trace::geth::GethDebugTracingOptions;
use revm::{
    Inspector,
    bytecode::opcode,
    context_interface::ContextTr,
    interpreter::{
        CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter,
        interpreter_types::{Jumps, MemoryTr as _},
    },
};

use crate::{RpcError, context::Deadline};

/// Bytes that are counted for each step, call or log besides what it carries.
const RECORD: usize = 256;
/// Bytes of one slot in the list of a contract's slots, which a struct log repeats at every access.
const SLOT: usize = 64;
/// Steps between two looks at the clock.
const CLOCK_STEPS: u64 = 1024;

/// What a struct log repeats at every step, and therefore costs memory.
#[derive(Debug, Clone, Copy)]
struct PerStep {
    stack: bool,
    memory: bool,
    storage: bool,
    return_data: bool,
}

/// Looks on beside a tracer, and stops the execution once the tracer has recorded too much or takes too long. It comes after
/// the tracer in the pair, because a tracer expects to see a step that can still run.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_left: usize,
    deadline: Deadline,
    steps: u64,
    slots: usize,
    per_step: Option<PerStep>,
    exceeded: Option<RpcError>,
}

impl Budget {
    /// A budget for these options.
    pub(crate) fn new(options: &GethDebugTracingOptions, bytes: usize, deadline: Deadline) -> Self {
        let config = &options.config;
        let per_step = options.tracer.is_none().then(|| PerStep {
            stack: config.is_stack_enabled(),
            memory: config.is_memory_enabled(),
            storage: config.is_storage_enabled(),
            return_data: config.is_return_data_enabled(),
        });
        Self { bytes_left: bytes, deadline, steps: 0, slots: 0, per_step, exceeded: None }
    }

    /// Whether all of the trace was recorded.
    pub(crate) fn check(&self) -> Result<(), RpcError> {
        self.exceeded.clone().map_or(Ok(()), Err)
    }

    fn charge(&mut self, bytes: usize) {
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => self.bytes_left = left,
            None => self
                .exceed("is larger than this node serves: ask for less (disableStack, onlyTopCall, one transaction)"),
        }
    }

    fn exceed(&mut self, why: &str) {
        if self.exceeded.is_none() {
            self.exceeded = Some(RpcError::LimitExceeded(format!("the trace {why}")));
        }
    }

    fn charge_step(&mut self, kept: PerStep, interpreter: &Interpreter) {
        let mut bytes = RECORD;
        if kept.stack {
            bytes += interpreter.stack.len() * 32;
        }
        if kept.memory {
            // In hex, and once more as bytes.
            bytes += interpreter.memory.size() * 3;
        }
        if kept.return_data {
            bytes += interpreter.return_data.0.len();
        }
        if kept.storage && matches!(interpreter.bytecode.opcode(), opcode::SLOAD | opcode::SSTORE) {
            self.slots += 1;
            bytes += self.slots * SLOT;
        }
        self.charge(bytes);
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Budget {
    fn step(&mut self, interpreter: &mut Interpreter, _context: &mut CTX) {
        if let Some(kept) = self.per_step {
            self.charge_step(kept, interpreter);
        }
        self.steps += 1;
        if self.steps.is_multiple_of(CLOCK_STEPS) && self.deadline.is_over() {
            self.exceed("takes longer than this node allows");
        }
        if self.exceeded.is_some() {
            interpreter.halt_oog();
        }
    }

    fn log(&mut self, _context: &mut CTX, log: Log) {
        self.charge(RECORD + log.data.data.len());
    }

    fn call(&mut self, _context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.charge(RECORD + inputs.input.len());
        None
    }

    fn call_end(&mut self, _context: &mut CTX, _inputs: &CallInputs, outcome: &mut CallOutcome) {
        self.charge(outcome.result.output.len());
    }

    fn create(&mut self, _context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.charge(RECORD + inputs.init_code().len());
        None
    }

    fn create_end(&mut self, _context: &mut CTX, _inputs: &CreateInputs, outcome: &mut CreateOutcome) {
        self.charge(outcome.result.output.len());
    }
}
