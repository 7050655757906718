use crate::{Failure, programs::openledger};
use openledger_devnet::{Chain, DevnetJson, Layout};
use openledger_testing::free_port;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Where a devnet listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The L1.
    pub l1: u16,
    /// The sequencer.
    pub l2: u16,
    /// The verifier.
    pub verifier: u16,
    /// The inference server.
    pub inference: u16,
}

impl Ports {
    /// Four that are free.
    pub fn free() -> Self {
        Self { l1: free_port(), l2: free_port(), verifier: free_port(), inference: free_port() }
    }
}

/// A devnet's folder, ports and output, whether it runs or not.
#[derive(Debug)]
pub struct Devnet {
    folder: tempfile::TempDir,
    /// Where it serves.
    pub ports: Ports,
}

impl Devnet {
    /// A folder and ports; nothing runs.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self { folder: tempfile::tempdir()?, ports: Ports::free() })
    }

    /// The devnet's folder.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("devnet")
    }

    /// What the devnet says about itself.
    pub fn json(&self) -> Result<DevnetJson, Failure> {
        Ok(DevnetJson::read(&Layout::open(&self.dir())?)?)
    }

    /// `openledger devnet` with these flags, small enough for a test.
    pub fn command(&self, flags: &[&str]) -> Command {
        let Ports { l1, l2, verifier, inference } = self.ports;
        let mut command = openledger();
        command.arg("devnet").arg("--dir").arg(self.dir());
        let ports =
            [("--l1-port", l1), ("--l2-port", l2), ("--verifier-port", verifier), ("--inference-port", inference)];
        for (flag, port) in ports {
            command.arg(flag).arg(port.to_string());
        }
        command.args(["--data-limit", "16", "--epochs", "2", "--max-tokens", "24"]).args(flags);
        command
    }

    /// Starts it; its output goes to a file in the folder.
    pub fn start(&self, flags: &[&str]) -> Result<Running, Failure> {
        let output = self.folder.path().join("output.txt");
        let file = File::create(&output)?;
        let errors = file.try_clone()?;
        let child = self.command(flags).stdin(Stdio::null()).stdout(file).stderr(errors).spawn()?;
        Ok(Running { child, output })
    }

    /// One more paid question, as `openledger demo` asks it; its output.
    pub async fn demo(&self) -> Result<String, Failure> {
        let mut command = openledger();
        command.arg("demo").arg("--dir").arg(self.dir()).args(["--max-tokens", "16"]);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() {
            Ok(text)
        } else {
            Err(Failure::from(format!("openledger demo: {}\n{text}", output.status)))
        }
    }

    /// The sequencer's chain.
    pub fn l2(&self) -> Chain {
        Chain::local("sequencer", self.ports.l2)
    }

    /// The verifier's chain.
    pub fn verifier(&self) -> Chain {
        Chain::local("verifier", self.ports.verifier)
    }
}

/// A devnet that runs; dropping it stops it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: PathBuf,
}

impl Running {
    /// What it has printed so far.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Waits until it prints `text`.
    pub async fn prints(&mut self, text: &str, within: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + within;
        while !self.output().contains(text) {
            if let Some(status) = self.child.try_wait()? {
                return Err(Failure::from(format!("the devnet ended ({status}):\n{}", self.output())));
            }
            if Instant::now() > deadline {
                return Err(Failure::from(format!(
                    "{text:?} was not printed within {} s:\n{}",
                    within.as_secs(),
                    self.output()
                )));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Waits until it ends by itself.
    pub async fn ends(&mut self, within: Duration) -> Result<ExitStatus, Failure> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(Failure::from(format!("still running after {} s:\n{}", within.as_secs(), self.output())));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Asks it to stop, as Ctrl-C does, and waits.
    pub async fn stop(&mut self) -> Result<ExitStatus, Failure> {
        kill_process(self.pid(), Signal::INT)?;
        self.ends(Duration::from_secs(60)).await
    }

    /// Kills the supervisor without a word, as an out-of-memory killer would.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Its child processes by role.
    pub fn children(&self) -> Result<BTreeMap<&'static str, Pid>, Failure> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
            else {
                continue;
            };
            let Some(role) = role(&entry.path(), self.child.id()) else { continue };
            found.insert(role, pid);
        }
        Ok(found)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed()).expect("a child has a process id")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _ = kill_process(self.pid(), Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(60);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What a process does for the devnet with this process id, if it is its child.
fn role(process: &Path, parent: u32) -> Option<&'static str> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let is_child = status.lines().any(|line| line.split_whitespace().eq(["PPid:", &parent.to_string()]));
    let command = fs::read(process.join("cmdline")).ok().filter(|_| is_child)?;
    let words: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
    match words.get(1).copied() {
        Some(b"sequencer") => Some("sequencer"),
        Some(b"verifier") => Some("verifier"),
        Some(b"serve") => Some("openlora"),
        Some(b"--state") => Some("l1"),
        _ => None,
    }
}
