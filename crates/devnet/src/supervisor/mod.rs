//! Child processes that stay up: each has its own log, is started again when it dies, and is ended with us.

mod process;
mod signal;
mod task;

pub use process::die_with_us;
pub(crate) use process::{Process, ProcessError, ProcessSpec};
pub use signal::shutdown;
pub(crate) use task::run_to_end;

use crate::console::Console;
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc;

/// All processes of a devnet.
#[derive(Debug)]
pub(crate) struct Supervisor {
    console: Console,
    processes: Mutex<Vec<Process>>,
    failures: mpsc::UnboundedSender<ProcessError>,
}

impl Supervisor {
    /// Nothing runs yet. The receiver gets the reason when a process cannot be kept running.
    pub(crate) fn new(console: Console) -> (Self, mpsc::UnboundedReceiver<ProcessError>) {
        let (failures, failed) = mpsc::unbounded_channel();
        (Self { console, processes: Mutex::default(), failures }, failed)
    }

    /// Starts a process and keeps it running.
    pub(crate) fn start(&self, spec: ProcessSpec) {
        let process = Process::start(spec, self.console, self.failures.clone());
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).push(process);
    }

    /// Stops what was started last first: each finds the ones it depends on still there while it stops.
    pub(crate) async fn stop(self) {
        let processes = self.processes.into_inner().unwrap_or_else(PoisonError::into_inner);
        for process in processes.into_iter().rev() {
            process.stop().await;
        }
    }
}
