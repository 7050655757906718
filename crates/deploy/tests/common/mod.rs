//! What the tests share.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use clap::Parser as _;
use openledger_deploy::{Artifacts, DeployArgs};

/// Keys of the phrase that anvil funds.
pub(crate) const DEPLOYER_KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
pub(crate) const BATCHER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
pub(crate) const PROPOSER: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
pub(crate) const OPERATOR_KEY: &str = "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6";
pub(crate) const OPERATOR: &str = "0x90F79bf6EB2c4f870365E785982E1f101E93b906";
pub(crate) const PAYER_KEY: &str = "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba";
pub(crate) const PAYER: &str = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc";

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts")
}

pub(crate) fn artifacts() -> Artifacts {
    Artifacts::new(contracts().join("out"))
}

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: DeployArgs,
}

/// Arguments as a user would give them.
pub(crate) fn args(l1_rpc: &str, out: &Path, more: &[&str]) -> DeployArgs {
    let key = out.parent().unwrap().join("deployer.key");
    std::fs::write(&key, DEPLOYER_KEY).unwrap();
    let artifacts = contracts().join("out");
    let paths = ["--deployer-key-file", key.to_str().unwrap(), "--artifacts", artifacts.to_str().unwrap()];
    let fixed = [
        "deploy",
        "--l1-rpc",
        l1_rpc,
        "--out",
        out.to_str().unwrap(),
        "--batcher",
        BATCHER,
        "--proposer",
        PROPOSER,
        "--operator",
        OPERATOR,
        "--fund",
        PAYER,
    ];
    Cli::try_parse_from(fixed.iter().chain(&paths).chain(more)).unwrap().args
}

/// An L1 that ends with the test.
pub(crate) struct Anvil {
    process: Child,
    pub(crate) url: String,
}

impl Anvil {
    /// Blocks come at once for each transaction. anvil comes from OPENLEDGER_ANVIL, `make setup`, or the PATH.
    pub(crate) fn start() -> Self {
        let packaged = contracts().join("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
        let program = match std::env::var_os("OPENLEDGER_ANVIL") {
            Some(program) => program.into(),
            None if packaged.exists() => packaged,
            None => "anvil".into(),
        };
        let mut process = Command::new(&program)
            .args(["--host", "127.0.0.1", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start ({error}); run `make setup`", program.display()));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.by_ref().map(|line| line.unwrap()).find(|line| line.starts_with("Listening on ")).unwrap();
        // Someone has to take what it prints.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url: format!("http://{}", line.trim_start_matches("Listening on ")) }
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
