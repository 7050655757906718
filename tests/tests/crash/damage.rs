//! What becomes of a data directory that was damaged: copies of one that a killed sequencer left.

use crate::{load::transfer, promises::Promises};
use openledger_devnet::Account;
use openledger_e2e::{Failure, Node, Process, Rollup, ensure};
use serde_json::{Value, json};
use std::{
    cmp::Reverse,
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// Files that get a wrong byte, the largest ones: each is a start of the node, and every block asked for.
const TABLES: usize = 16;
/// Transactions that wait for an earlier nonce, and so stay in the pool for ever.
const WAITING: u64 = 5;

/// What a killed sequencer left, and what it had said.
pub(crate) struct Remains {
    pub(crate) datadir: PathBuf,
    pub(crate) promises: Promises,
    /// Hashes of transactions that wait, the oldest first.
    pub(crate) waiting: Vec<Value>,
}

impl Remains {
    /// A node on a copy of them.
    fn copy(&self, rollup: &Rollup, name: &str) -> Result<Node, Failure> {
        let node = rollup.sequencer(name)?;
        let (from, to) = (self.datadir.join("db"), node.datadir().join("db"));
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(&from)?.flatten() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        fs::copy(journal(&self.datadir), journal(node.datadir()))?;
        Ok(node)
    }
}

/// Takes transactions into the pool that no block can hold yet.
pub(crate) async fn wait_for_ever(node: &Node) -> Result<Vec<Value>, Failure> {
    let mut waiting = Vec::new();
    for nonce in 1..=WAITING {
        let raw = transfer(&Account::role("payer").signer(), nonce)?;
        waiting.push(node.rpc.call("eth_sendRawTransaction", json!([raw])).await?);
    }
    Ok(waiting)
}

/// A log of the database that ends in the middle of a record, as a disk leaves it that lied about what it had written: everything
/// before is there, and what L1 has comes back from L1.
pub(crate) async fn torn_log(rollup: &Rollup, remains: &Remains) -> Result<(), Failure> {
    let node = remains.copy(rollup, "torn-log")?;
    cut(&newest(&node, "log")?, 30)?;
    let _process = node.start().await?;
    remains.promises.kept_again(&node.rpc).await?;
    still_wait(&node, &remains.waiting).await
}

/// A journal of the pool that ends in the middle of a record: that one was not acknowledged, those before were.
pub(crate) async fn torn_journal(rollup: &Rollup, remains: &Remains) -> Result<(), Failure> {
    let node = remains.copy(rollup, "torn-journal")?;
    cut(&journal(node.datadir()), 3)?;
    let process = node.start().await?;
    let (torn, whole) = remains.waiting.split_last().ok_or("nothing waits")?;
    still_wait(&node, whole).await?;
    let last = node.rpc.call("eth_getTransactionByHash", json!([torn])).await?;
    ensure(last.is_null(), format!("half a transaction came back as {last}"))?;
    ensure(process.log().contains("torn record"), "the log does not say that a record was torn")?;
    remains.promises.kept_again(&node.rpc).await
}

/// A wrong byte in the middle of the log: the node says so and does not start on what is left.
pub(crate) async fn wrong_byte_in_log(rollup: &Rollup, remains: &Remains) -> Result<(), Failure> {
    let node = remains.copy(rollup, "wrong-log")?;
    flip_middle(&largest(&node, "log")?)?;
    let mut process = node.spawn()?;
    let status = process.ends(Duration::from_secs(30)).await?;
    ensure(!status.success(), "the node started on a damaged log")?;
    says_what_to_do(&process)
}

/// A wrong byte in each of the largest files of the database in turn: whatever the node answers is right, or an error that says
/// where the damage is and what to do.
pub(crate) async fn wrong_byte_in_table(rollup: &Rollup, remains: &Remains) -> Result<(), Failure> {
    let node = remains.copy(rollup, "wrong-table")?;
    // The first start moves what is in the log into files.
    node.start().await?.kill()?;
    let mut said = 0;
    let mut tables = files(&node, "sst")?;
    tables.sort_by_key(|(number, bytes, _)| (Reverse(*bytes), *number));
    tables.truncate(TABLES);
    for (number, _, file) in &tables {
        // A start may have merged it into another one.
        let Ok(whole) = fs::read(file) else { continue };
        flip_middle(file)?;
        let mut process = Process::start(node.command(), &node.datadir().with_extension(format!("{number}.log")))?;
        let is_wrong = match node.answers(&mut process).await {
            Ok(()) => remains.promises.are_answered_with_errors(&node.rpc).await?,
            Err(_) => true,
        };
        process.kill()?;
        if is_wrong {
            said += 1;
            // What failed inside is for the operator, so the log has it. Where the damage is in what describes a file, RocksDB
            // names the list of files instead.
            let folder = node.datadir().join("db").display().to_string();
            let log = process.log();
            let is_clear = ["corrupted", &folder, "Restore a copy"].iter().all(|part| log.contains(part));
            ensure(is_clear, format!("this does not say what is wrong with {}: {log}", file.display()))?;
        }
        if file.exists() {
            fs::write(file, whole)?;
        }
    }
    ensure(said > 0, format!("a wrong byte in any of {} files went unnoticed", tables.len()))?;
    println!("     {said} of {} wrong bytes were met and said; the others were not read", tables.len());
    Ok(())
}

async fn still_wait(node: &Node, waiting: &[Value]) -> Result<(), Failure> {
    for hash in waiting {
        let found = node.rpc.call("eth_getTransactionByHash", json!([hash])).await?;
        ensure(found["hash"] == *hash, format!("{hash} was acknowledged and does not wait any more"))?;
    }
    Ok(())
}

fn says_what_to_do(process: &Process) -> Result<(), Failure> {
    let log = process.log();
    let said = log.contains("corrupted") && log.contains("Restore a copy of the data directory");
    ensure(said, format!("the log does not say what to do: {}", process.tail()))
}

fn journal(datadir: &Path) -> PathBuf {
    datadir.join("transactions.journal")
}

/// Files of the database with this extension, with their numbers and sizes.
fn files(node: &Node, extension: &str) -> Result<Vec<(u64, u64, PathBuf)>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(node.datadir().join("db"))?.flatten() {
        let path = entry.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|found| found == extension)) {
            files.push((number, entry.metadata()?.len(), path));
        }
    }
    Ok(files)
}

/// The newest file that holds something.
fn newest(node: &Node, extension: &str) -> Result<PathBuf, Failure> {
    let newest = files(node, extension)?.into_iter().filter(|(_, bytes, _)| *bytes > 0).max();
    Ok(newest.ok_or(format!("no .{extension} file"))?.2)
}

fn largest(node: &Node, extension: &str) -> Result<PathBuf, Failure> {
    let largest = files(node, extension)?.into_iter().max_by_key(|(_, bytes, _)| *bytes);
    Ok(largest.ok_or(format!("no .{extension} file"))?.2)
}

fn cut(file: &Path, bytes: u64) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).open(file)?;
    Ok(file.set_len(file.metadata()?.len() - bytes)?)
}

fn flip_middle(file: &Path) -> Result<(), Failure> {
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    let middle = file.metadata()?.len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle)?;
    Ok(file.write_all_at(&[!byte[0]], middle)?)
}
