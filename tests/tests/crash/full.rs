//! A disk that is full: the node says so and stops; with space it goes on, and nothing that it had taken is lost.

use crate::{disk::SmallDisk, load::Load, promises::Promises};
use openledger_e2e::{Failure, Process, Rollup, ensure};
use std::{process::Command, time::Duration};

/// Size in KiB of the disk, and beyond which no file can grow where there is no such disk.
const FULL: u64 = 8 << 10;
const FULL_FILE: u64 = 3 << 10;
/// Size of the disk after room was made, in KiB.
const ROOM: u64 = 256 << 10;
/// Transactions of each sender, more than fit on it.
const MOST: u64 = 10_000;
/// Time to stop or to fail to start, far more than it takes.
const END: Duration = Duration::from_secs(30);

/// Fills the disk under a node that is sent more than fits, and makes room.
pub(crate) async fn full_disk() -> Result<(), Failure> {
    // Another L1 than that of the scenarios before: what they sent would come back from it.
    let rollup = Rollup::deploy().await?;
    let node = rollup.sequencer("full")?;
    let log = node.datadir().with_extension("log");
    let disk = SmallDisk::under(&node, FULL).await;
    let command = match &disk {
        Ok(disk) => disk.inside(node.command()),
        Err(failure) => {
            println!("     no disk of its own here, so that only the size of files is limited: {failure:?}");
            limited(&node.command())
        }
    };
    let mut process = Process::start(command, &log)?;
    node.answers(&mut process).await?;
    let mut promises = Promises::default();
    let mut load = Load::new(node.rpc.clone(), MOST);
    let (made, refusals) = load.until_gone().await?;
    promises.add(made);
    stops_for_space(&mut process).await?;
    for refusal in &refusals {
        ensure(refusal.contains("written to disk"), format!("a transaction was refused with {refusal}"))?;
    }
    let mut process = match &disk {
        Ok(disk) => {
            // Without a byte left it does not even start, which must not make anything worse.
            disk.fill().await?;
            let log = node.datadir().with_extension("start.log");
            stops_for_space(&mut Process::start(disk.inside(node.command()), &log)?).await?;
            disk.grow(ROOM).await?;
            Process::start(disk.inside(node.command()), &log)?
        }
        Err(_) => node.spawn()?,
    };
    node.answers(&mut process).await?;
    promises.all_are_kept(&node.rpc).await?;
    println!("     {promises} kept on a full disk; {} transactions refused", refusals.len());
    process.kill()
}

/// `command` with a limit for the size of files. Without the trap the system would kill the process instead of failing its
/// writes.
fn limited(command: &Command) -> Command {
    let mut limited = Command::new("bash");
    limited.args(["-c", &format!("trap '' XFSZ; ulimit -f {FULL_FILE}; exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    limited
}

/// Ends by itself, and its last words are what to do.
async fn stops_for_space(process: &mut Process) -> Result<(), Failure> {
    let status = process.ends(END).await?;
    ensure(!status.success(), "the node stopped as if all were well")?;
    let end = process.tail();
    ensure(end.contains("no space left") && end.contains("free some space"), format!("the end is not clear: {end}"))
}
