//! What the tests share.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};

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
    openledger_testing::workspace().join("contracts")
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
