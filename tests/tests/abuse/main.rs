//! What strangers may send to a node's port. Whatever it is, the node goes on answering others, in bounded memory.

mod garbage;
mod sockets;
mod stubborn;

use openledger_e2e::{Failure, Node, Process, Rollup, Runner, ensure};
use serde_json::json;
use std::{env, fs, process::ExitCode, time::Duration};

/// How long an ordinary request may wait while the node is being abused.
const PATIENCE: Duration = Duration::from_secs(10);
/// Memory that the node may take at most, in MiB: its caches, and the bounds of the RPC (256 MiB of bodies).
const MEMORY: u64 = 1024;

#[tokio::main]
async fn main() -> ExitCode {
    let seed = env::var("OPENLEDGER_ABUSE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("the same bytes again: OPENLEDGER_ABUSE_SEED={seed}");
    let mut runner = Runner::default();
    let started = async {
        let rollup = Rollup::deploy().await?;
        let node = rollup.sequencer("sequencer")?;
        let process = node.start().await?;
        Ok::<_, Failure>((rollup, node, process))
    };
    let (_rollup, node, process) = match started.await {
        Ok(started) => started,
        Err(failure) => panic!("{failure:?}"),
    };
    let mut target = Target { node, process };
    let limit = Duration::from_secs(120);
    runner.scenario("arbitrary_bytes_are_answered", limit, garbage::bytes(&mut target, seed)).await;
    runner.scenario("mutilated_requests_are_answered", limit, garbage::mutilated(&mut target, seed)).await;
    runner.scenario("deep_json_is_refused", limit, garbage::deep(&mut target)).await;
    runner.scenario("huge_batches_and_bodies_are_refused", limit, garbage::huge(&mut target)).await;
    runner.scenario("slow_clients_take_no_place", limit, sockets::slow(&mut target)).await;
    runner.scenario("idle_sockets_take_no_place", limit, sockets::idle(&mut target)).await;
    runner.scenario("half_open_connections_take_no_place", limit, sockets::half_open(&mut target)).await;
    runner.scenario("websockets_leave_room_for_others", limit, stubborn::crowd(&mut target)).await;
    runner.scenario("a_client_that_does_not_read_costs_little", limit, stubborn::deaf(&mut target)).await;
    runner.scenario("a_client_that_waits_keeps_little", limit, stubborn::waiting(&mut target)).await;
    runner.scenario("calls_that_compute_leave_room_for_others", limit, stubborn::busy(&mut target)).await;
    runner.scenario("large_bodies_share_bounded_memory", limit, stubborn::large(&mut target)).await;
    runner.finish()
}

/// The node that is abused.
pub(crate) struct Target {
    pub(crate) node: Node,
    process: Process,
}

impl Target {
    /// The node runs, answers a stranger, makes blocks, and has not taken more memory than it may.
    pub(crate) async fn is_well(&mut self) -> Result<(), Failure> {
        self.process.runs()?;
        let asked = tokio::time::timeout(PATIENCE, self.node.rpc.once("eth_chainId", json!([]))).await;
        let answer = asked.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))??;
        ensure(answer == json!("0x4f4c"), format!("eth_chainId is {answer}"))?;
        let memory = self.memory()?;
        ensure(memory <= MEMORY, format!("the node took {memory} MiB of memory, {MEMORY} are its bound"))
    }

    /// The most memory that the node has taken, in MiB.
    fn memory(&self) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        Ok(most.ok_or("no VmHWM in the process's status")?.trim().parse::<u64>()? / 1024)
    }
}
