use crate::{Failure, Process, Rpc, programs::openledger};
use openledger_devnet::{Account, Chain, roles};
use openledger_testing::{anvil_program, free_port, workspace};
use serde_json::json;
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// Chain id of the L1.
const L1_CHAIN: u64 = 900;
/// How long a node may take until it answers.
const START: Duration = Duration::from_secs(60);

/// An L1 with the contracts on it, and what nodes of the rollup need to be started, killed and started again by hand.
/// There is no inference server; that is [`crate::Devnet`].
#[derive(Debug)]
pub struct Rollup {
    folder: tempfile::TempDir,
    l1: Process,
    l1_port: u16,
}

impl Rollup {
    /// Starts the L1 and deploys; every account with a role has OPEN.
    pub async fn deploy() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let l1_port = free_port();
        let mut command = Command::new(anvil_program());
        command.args(["--silent", "--block-time", "1", "--slots-in-an-epoch", "1"]);
        command.args(["--port", &l1_port.to_string(), "--chain-id", &L1_CHAIN.to_string()]);
        let l1 = Process::start(command, &folder.path().join("l1.log"))?;
        let rollup = Self { folder, l1, l1_port };
        for role in ["deployer", "batcher", "proposer"] {
            fs::write(rollup.path(role), Account::role(role).private_key.to_string())?;
        }
        Chain::local("L1", l1_port).ready(L1_CHAIN, "nothing: it does not start").await?;

        let address = |role| Account::role(role).address.to_string();
        let mut command = openledger();
        command.arg("deploy").arg("--out").arg(rollup.path("chain")).args(["--l1-rpc", &rollup.l1_url()]);
        command.arg("--artifacts").arg(workspace().join("contracts/out"));
        command.arg("--deployer-key-file").arg(rollup.path("deployer"));
        command.args(["--batcher", &address("batcher"), "--proposer", &address("proposer")]);
        for account in roles() {
            command.args(["--fund", &account.address.to_string()]);
        }
        let mut deployment = Process::start(command, &rollup.path("deploy.log"))?;
        let status = deployment.ends(Duration::from_secs(120)).await?;
        if status.success() { Ok(rollup) } else { Err(format!("openledger deploy: {}", deployment.tail()).into()) }
    }

    /// A sequencer with its data in the folder `name`.
    pub fn sequencer(&self, name: &str) -> Result<Node, Failure> {
        let key = self.path("batcher");
        self.node("sequencer", name, &["--batcher-key-file".as_ref(), key.as_os_str()])
    }

    /// A verifier with its data in the folder `name`.
    pub fn verifier(&self, name: &str) -> Result<Node, Failure> {
        self.node("verifier", name, &[])
    }

    /// A replica, with its data in the folder `name`, that has another node for unsafe blocks and to forward to.
    pub fn replica(&self, name: &str, source: &Node) -> Result<Node, Failure> {
        let url = format!("http://127.0.0.1:{}", source.port);
        self.node("node", name, &["--unsafe-rpc".as_ref(), url.as_ref(), "--sequencer-http".as_ref(), url.as_ref()])
    }

    fn node(&self, role: &str, name: &str, flags: &[&OsStr]) -> Result<Node, Failure> {
        let (chain, port) = (self.path("chain"), free_port());
        let mut arguments = vec![role.into(), "--datadir".into(), self.path(name).into_os_string()];
        arguments.extend(["--genesis".into(), chain.join("genesis.json").into_os_string()]);
        arguments.extend(["--rollup-config".into(), chain.join("rollup.json").into_os_string()]);
        arguments.extend(["--l1-rpc".into(), self.l1_url().into(), "--http-port".into(), port.to_string().into()]);
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let log = self.path(name).with_extension("log");
        Ok(Node { arguments, datadir: self.path(name), log, port, rpc: Rpc::local(port) })
    }

    /// Fails if the L1 has ended.
    pub fn l1_runs(&mut self) -> Result<(), Failure> {
        self.l1.runs()
    }

    /// A client of the L1.
    pub fn l1(&self) -> Rpc {
        Rpc::local(self.l1_port)
    }

    /// Where the L1's JSON-RPC is.
    pub fn l1_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.l1_port)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A node that can be started any number of times on the same data.
#[derive(Debug)]
pub struct Node {
    arguments: Vec<std::ffi::OsString>,
    datadir: PathBuf,
    log: PathBuf,
    /// Its JSON-RPC's port.
    pub port: u16,
    /// Its JSON-RPC.
    pub rpc: Rpc,
}

impl Node {
    /// The same node with more flags.
    pub fn with(mut self, flags: &[&str]) -> Self {
        self.arguments.extend(flags.iter().map(Into::into));
        self
    }

    /// Where it logs.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its metric with this name (and labels), if it answers.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let text = reqwest::get(format!("http://127.0.0.1:{}/metrics", self.port)).await.ok()?.text().await.ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Number and hash of the block with a tag, if it answers.
    pub async fn block(&self, tag: &str) -> Option<(u64, String)> {
        let block = self.rpc.call("eth_getBlockByNumber", json!([tag, false])).await.ok()?;
        let number = u64::from_str_radix(block["number"].as_str()?.trim_start_matches("0x"), 16).ok()?;
        Some((number, block["hash"].as_str()?.to_owned()))
    }

    /// How it is started.
    pub fn command(&self) -> Command {
        let mut command = openledger();
        command.args(&self.arguments);
        command
    }

    /// Where its data is.
    pub fn datadir(&self) -> &Path {
        &self.datadir
    }

    /// Starts it, and does not wait.
    pub fn spawn(&self) -> Result<Process, Failure> {
        Process::start(self.command(), &self.log)
    }

    /// Starts it and waits until it answers.
    pub async fn start(&self) -> Result<Process, Failure> {
        let mut process = self.spawn()?;
        self.answers(&mut process).await?;
        Ok(process)
    }

    /// `openledger db check`, while it does not run: what every header commits to, and the newest state's root from scratch.
    pub async fn check_database(&self) -> Result<(), Failure> {
        let mut command = openledger();
        command.args(["db", "check", "--datadir"]).arg(&self.datadir);
        let mut check = Process::start(command, &self.datadir.with_extension("check.log"))?;
        let status = check.ends(START).await?;
        if status.success() { Ok(()) } else { Err(format!("openledger db check: {}", check.tail()).into()) }
    }

    /// Waits until it answers.
    pub async fn answers(&self, process: &mut Process) -> Result<(), Failure> {
        let deadline = Instant::now() + START;
        while self.rpc.call("eth_chainId", json!([])).await.is_err() {
            process.runs()?;
            if Instant::now() > deadline {
                return Err(format!("no answer after {} s:\n{}", START.as_secs(), process.tail()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}
