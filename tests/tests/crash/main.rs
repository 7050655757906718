//! A sequencer under load is killed with SIGKILL at random moments and started again on what it left on the disk.

mod damage;
mod disk;
mod full;
mod load;
mod promises;

use damage::Remains;
use load::Load;
use openledger_devnet::until;
use openledger_e2e::{Failure, Node, Process, Rollup, Runner, ensure};
use promises::{Promises, number};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use std::{
    env,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Kills where `OPENLEDGER_CRASH_KILLS` says nothing (`make soak` does).
const KILLS: u64 = 20;
/// Transactions of each sender before a kill: checking all of them again and again is what takes the time.
const MOST: u64 = 400;
/// The whole database is checked after every so many kills: it takes longer the more there is.
const CHECK_EVERY: u64 = 10;
/// Time for one kill and what follows from it, far more than it takes.
const PATIENCE: u64 = 20;

#[tokio::main]
async fn main() -> ExitCode {
    let kills = setting("OPENLEDGER_CRASH_KILLS").unwrap_or(KILLS);
    let seed = setting("OPENLEDGER_CRASH_SEED").unwrap_or_else(rand::random);
    println!("{kills} kills; the same moments again: OPENLEDGER_CRASH_SEED={seed}");
    let mut runner = Runner::default();
    let limit = Duration::from_secs(120 + kills * PATIENCE);
    let mut rollup = Rollup::deploy().await.unwrap_or_else(|failure| panic!("{failure:?}"));
    let mut left = None;
    let survive = async {
        left = Some(survive(&mut rollup, kills, seed).await?);
        Ok(())
    };
    runner.scenario("nothing_acknowledged_is_lost_to_kill_9", limit, survive).await;
    // What the node kept is asked for again and again, and grows with the kills.
    let limit = Duration::from_secs(120 + kills * PATIENCE / 4);
    if let Some(remains) = left {
        let (rollup, remains) = (&rollup, &remains);
        let wrong_byte = "a_wrong_byte_in_the_log_is_said_and_not_started_on";
        runner.scenario(wrong_byte, limit, damage::wrong_byte_in_log(rollup, remains)).await;
        let wrong_byte = "a_wrong_byte_in_a_table_is_said_and_never_served";
        runner.scenario(wrong_byte, limit, damage::wrong_byte_in_table(rollup, remains)).await;
        runner
            .scenario("a_torn_journal_loses_only_its_last_record", limit, damage::torn_journal(rollup, remains))
            .await;
        runner.scenario("a_torn_log_loses_nothing_that_l1_has", limit, damage::torn_log(rollup, remains)).await;
    }
    runner.scenario("a_full_disk_stops_the_node_and_loses_nothing", limit, full::full_disk()).await;
    runner.finish()
}

async fn survive(rollup: &mut Rollup, kills: u64, seed: u64) -> Result<Remains, Failure> {
    let mut rng = StdRng::seed_from_u64(seed);
    let node = rollup.sequencer("sequencer")?;
    let mut load = Load::new(node.rpc.clone(), MOST);
    let mut promises = Promises::default();
    for kill in 0..kills {
        let killed = async {
            let mut process = node.spawn()?;
            // Some kills hit the start, which is where what the last one left is repaired.
            if rng.random_ratio(1, 5) {
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..500))).await;
                return process.kill();
            }
            node.answers(&mut process).await?;
            promises.new_ones_are_kept(&node.rpc).await?;
            let (made, killed) = tokio::join!(load.until_killed(), kill_after_a_block(&node, process, &mut rng));
            killed?;
            promises.add(made?);
            Ok(())
        };
        killed.await.map_err(|failure: Failure| failure.at(&format!("kill {} of {kills}, seed {seed}", kill + 1)))?;
        rollup.l1_runs()?;
        // Not after the first ones: they may hit the node before there is a database.
        if (kill + 1) % CHECK_EVERY == 0 {
            node.check_database().await?;
        }
    }
    node.check_database().await?;
    let mut process = node.start().await?;
    promises.all_are_kept(&node.rpc).await?;
    let last = promises.last_block();
    verify(rollup, &promises, last).await?;
    println!("     {kills} kills: {promises} kept; a verifier made the same {last} blocks from L1");
    // Something for the damage to hit. Nothing may open the database afterwards: that empties its log.
    let waiting = damage::wait_for_ever(&node).await?;
    a_new_block(&node).await?;
    process.runs()?;
    process.kill()?;
    Ok(Remains { datadir: node.datadir().to_owned(), promises, waiting })
}

/// Waits until the node has made a block, then kills it: at any time, or just when it makes and writes the next block.
async fn kill_after_a_block(node: &Node, mut process: Process, rng: &mut StdRng) -> Result<(), Failure> {
    a_new_block(node).await?;
    let wait = if rng.random_bool(0.5) {
        Duration::from_millis(rng.random_range(0..1000))
    } else {
        // Blocks are due at whole seconds.
        let since_block = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
        Duration::from_nanos(1_000_000_000 - u64::from(since_block))
            + Duration::from_micros(rng.random_range(0..200_000))
    };
    tokio::time::sleep(wait).await;
    process.runs()?;
    process.kill()
}

/// Waits until the node has made a block.
async fn a_new_block(node: &Node) -> Result<(), Failure> {
    let head = async || node.rpc.call("eth_blockNumber", json!([])).await.ok().map(|head| number(&head));
    let before = head().await.ok_or("the node stopped answering")?;
    until("a new block", PATIENCE, "the node made none after its restart", async || {
        head().await.filter(|now| *now > before)
    })
    .await?;
    Ok(())
}

/// A verifier that knows nothing but L1 executes every block again and comes to the same hashes, state roots included.
async fn verify(rollup: &Rollup, promises: &Promises, last: u64) -> Result<(), Failure> {
    let verifier = rollup.verifier("verifier")?;
    let mut process = verifier.start().await?;
    until("the verifier to follow", 60, "see its log", async || {
        let head = verifier.rpc.call("eth_blockNumber", json!([])).await.ok()?;
        (number(&head) >= last).then_some(())
    })
    .await?;
    process.runs()?;
    promises.blocks_are_those_of(&verifier.rpc).await?;
    let faults = verifier.rpc.call("openledger_faults", json!([])).await?;
    ensure(faults == json!([]), format!("the verifier found {faults}"))
}

fn setting(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is {value:?} and should be a number")))
}
