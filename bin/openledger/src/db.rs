//! `openledger init` and `openledger db`: what is done to a data directory while no node runs on it.

use std::time::{Duration, Instant};

use anyhow::Result;
use openledger_node::{init as init_datadir, open_database};
use openledger_storage::{Database, Progress, Retention, Stats};

use crate::{
    args::{DbArgs, DbCommand, InitArgs},
    commands::read_json,
};

/// How often long work says how far it is.
const INTERVAL: Duration = Duration::from_secs(2);

pub(crate) fn init(args: &InitArgs) -> Result<()> {
    let genesis = read_json(&args.genesis, "genesis")?;
    let rollup = args.rollup_config.as_deref().map(|path| read_json(path, "rollup configuration")).transpose()?;
    let made = init_datadir(&args.datadir, &genesis, rollup.as_ref())?;
    println!("genesis    {}", made.hash);
    println!("state root {}", made.state_root);
    let verb = if made.is_new { "written to" } else { "already in" };
    println!("{} accounts, {verb} {}", made.accounts, args.datadir.display());
    Ok(())
}

pub(crate) fn run(args: &DbArgs) -> Result<()> {
    let database = open_database(&args.datadir)?;
    match &args.command {
        DbCommand::Stats => print!("{}", table(&database.stats()?)),
        DbCommand::Check => {
            let mut reporter = Reporter::new();
            let checked = database.check(|progress| reporter.report(progress))?;
            println!(
                "{} blocks with {} transactions: hashes, parents, roots, receipts and senders are right",
                checked.blocks, checked.transactions
            );
            println!(
                "{} accounts with {} slots are the leaves of {} trie nodes under the newest block's state root {}",
                checked.accounts, checked.slots, checked.nodes, checked.state_root
            );
        }
        DbCommand::Prune { keep_blocks, keep_withdrawal_blocks } => {
            let keep = Retention { state: *keep_blocks, withdrawals: *keep_withdrawal_blocks };
            let pruned = prune(&database, &keep)?;
            let oldest = database.oldest_state();
            println!("forgot the history of {pruned} blocks; the oldest state kept is that of block {oldest}");
        }
    }
    Ok(())
}

/// Forgets batch by batch; returns how many blocks' states were forgotten.
fn prune(database: &Database, keep: &Retention) -> Result<u64> {
    let (from, heads) = (database.oldest_state(), database.heads()?);
    let total = heads.unsafe_head.number.saturating_sub(keep.state).min(heads.finalized.number).saturating_sub(from);
    let mut reporter = Reporter::new();
    while database.prune_history(keep)? > 0 {
        reporter.report(Progress { what: "blocks", done: database.oldest_state() - from, total });
    }
    Ok(database.oldest_state() - from)
}

/// Says how far it is on standard error, at a pace that people can read.
struct Reporter {
    last: Instant,
}

impl Reporter {
    fn new() -> Self {
        Self { last: Instant::now() }
    }

    fn report(&mut self, progress: Progress) {
        if self.last.elapsed() >= INTERVAL {
            self.last = Instant::now();
            let Progress { what, done, total } = progress;
            eprintln!("{done} of {total} {what} ({} %)", done * 100 / total.max(1));
        }
    }
}

fn table(stats: &Stats) -> String {
    let heads = &stats.heads;
    let mut text = format!("genesis    {} {}\n", stats.genesis.number, stats.genesis.hash);
    for (name, head) in [("latest", heads.unsafe_head), ("safe", heads.safe), ("finalized", heads.finalized)] {
        text += &format!("{name:<10} {} {}\n", head.number, head.hash);
    }
    let newest = heads.unsafe_head.number;
    text += &format!("states of blocks {} to {newest} can be read\n", stats.history_from);
    text += &format!("withdrawals of blocks {} to {newest} can be proven\n\n", stats.withdrawals_from);
    text += &format!("{:<14} {:>14} {:>16} {:>16}\n", "table", "keys (about)", "bytes on disk", "bytes in memory");
    for table in &stats.tables {
        text += &format!("{:<14} {:>14} {:>16} {:>16}\n", table.name, table.keys, table.disk_bytes, table.memory_bytes);
    }
    let sum = |bytes: fn(&openledger_storage::TableStats) -> u64| stats.tables.iter().map(bytes).sum::<u64>();
    text += &format!(
        "{:<14} {:>14} {:>16} {:>16}\n",
        "all",
        sum(|t| t.keys),
        sum(|t| t.disk_bytes),
        sum(|t| t.memory_bytes)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A genesis with one funded account, as a file.
    fn genesis(folder: &std::path::Path, balance: &str) -> PathBuf {
        let path = folder.join(format!("genesis-{}.json", balance.len()));
        let text = format!(
            r#"{{"config": {{"chainId": 20300}}, "timestamp": "0x1", "gasLimit": "0x1c9c380", "difficulty": "0x0",
                "baseFeePerGas": "0x3b9aca00", "extraData": "0x01000000fa00000006000000003b9aca00",
                "alloc": {{"0x00000000000000000000000000000000000000aa": {{"balance": "{balance}"}}}}}}"#
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_data_directory_is_made_once_checked_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let datadir = folder.path().join("node");
        let command = |command| DbArgs { datadir: datadir.clone(), command };
        assert!(run(&command(DbCommand::Stats)).unwrap_err().to_string().contains("there is no database"));

        let args = |genesis| InitArgs { genesis, datadir: datadir.clone(), rollup_config: None };
        let first = genesis(folder.path(), "0x10");
        init(&args(first.clone())).unwrap();
        init(&args(first)).unwrap();
        let other = init(&args(genesis(folder.path(), "0x1000"))).unwrap_err().to_string();
        assert!(other.contains("belongs to the chain with genesis"), "{other}");

        let stats = table(&open_database(&datadir).unwrap().stats().unwrap());
        assert!(stats.contains("states of blocks 0 to 0 can be read"), "{stats}");
        assert!(stats.contains("account_nodes"), "{stats}");
        run(&command(DbCommand::Check)).unwrap();
        run(&command(DbCommand::Prune { keep_blocks: 1, keep_withdrawal_blocks: 1 })).unwrap();

        let held = open_database(&datadir).unwrap();
        let refused = run(&command(DbCommand::Check)).unwrap_err().to_string();
        assert!(refused.contains("in use by another process: stop that process"), "{refused}");
        drop(held);
    }

    #[test]
    fn a_genesis_that_cannot_be_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let datadir = folder.path().join("node");
        let path = genesis(folder.path(), "0x10");
        let text = std::fs::read_to_string(&path).unwrap();
        let broken = |from: &str, to: &str| {
            std::fs::write(&path, text.replace(from, to)).unwrap();
            init(&InitArgs { genesis: path.clone(), datadir: datadir.clone(), rollup_config: None })
                .unwrap_err()
                .to_string()
        };
        assert!(broken("0x01000000fa00000006000000003b9aca00", "0x").contains("extraData must be 17 bytes"));
        assert!(broken("0x1c9c380", "0x0").contains("gasLimit is zero"));
        let most = format!("0x{}", "f".repeat(64));
        let two = format!(r#"{most}"}}, "0x00000000000000000000000000000000000000bb": {{"balance": "0x1"#);
        assert!(broken(r#""balance": "0x10"#, &format!(r#""balance": "{two}"#)).contains("more than 2^256 - 1"));
        assert!(broken("\"alloc\"", "\"alloc").contains("is not valid"));
        assert!(!datadir.exists());
    }
}
