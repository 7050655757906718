//! The suite's programs: each is ended with the suite, and is not started again when it dies.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use openledger_devnet::die_with_us;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::{BenchError, rpc::Rpc};

/// How long a node may take to start with a million accounts.
const STARTS_WITHIN: Duration = Duration::from_secs(180);
/// How long it may take to stop once asked.
const STOPS_WITHIN: Duration = Duration::from_secs(20);

/// A running program; the system ends it if this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    program: PathBuf,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts it; its output goes to `log`.
    pub(crate) fn start(name: &'static str, program: &Path, args: &[String], log: PathBuf) -> Result<Self, BenchError> {
        let file = File::create(&log).map_err(BenchError::file(&log))?;
        let errors = file.try_clone().map_err(BenchError::file(&log))?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(file).stderr(errors).process_group(0).kill_on_drop(true);
        die_with_us(&mut command);
        let child = command.spawn().map_err(|error| BenchError::Process {
            name,
            program: program.into(),
            reason: error.to_string(),
        })?;
        Ok(Self { name, program: program.into(), log, child })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it has a block with at least this number.
    pub(crate) async fn serves(&mut self, rpc: &Rpc, block: u64) -> Result<(), BenchError> {
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failed(&format!("it ended ({status})")));
            }
            if rpc.block_number().await.is_ok_and(|number| number >= block) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(self.failed(&format!("no block {block} after {} s", STARTS_WITHIN.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until it ends by itself, successfully.
    pub(crate) async fn finishes(&mut self) -> Result<(), BenchError> {
        match self.child.wait().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.failed(&format!("it failed ({status})"))),
            Err(error) => Err(self.failed(&error.to_string())),
        }
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(STOPS_WITHIN, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }

    fn failed(&self, reason: &str) -> BenchError {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(12)..].join("\n");
        BenchError::Process {
            name: self.name,
            program: self.program.clone(),
            reason: format!("{reason}; the end of its log:\n{tail}"),
        }
    }
}

/// Ports that were free a moment ago.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N], BenchError> {
    let failed = |error| BenchError::Options(format!("no free port on this machine: {error}"));
    let mut ports = [0; N];
    // Held until all are known, so that they differ.
    let mut listeners = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        *port = listener.local_addr().map_err(failed)?.port();
        listeners.push(listener);
    }
    Ok(ports)
}
