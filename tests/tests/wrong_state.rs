//! A sequencer that posts a wrong state is found out by a verifier that knows L1 only.

use openledger_devnet::until;
use openledger_e2e::{Devnet, Failure, Runner, ensure};
use serde_json::{Value, json};
use std::{process::ExitCode, time::Duration};

/// The first block whose state is wrong.
const WRONG: u64 = 6;

#[tokio::main]
async fn main() -> ExitCode {
    let mut runner = Runner::default();
    runner.scenario("a_wrong_state_is_reported_with_its_first_block", Duration::from_secs(240), wrong_state()).await;
    runner.finish()
}

async fn wrong_state() -> Result<(), Failure> {
    let devnet = Devnet::new()?;
    let _running = devnet.start(&["--no-demo", "--unsafe-corrupt-state-at", &WRONG.to_string()])?;
    let verifier = devnet.verifier();
    let faults: Vec<Value> = until("a fault", 200, "see the verifier's log", async || {
        verifier.request::<Vec<Value>>("openledger_faults", json!([])).await.ok().filter(|faults| !faults.is_empty())
    })
    .await?;
    let first = &faults[0];
    ensure(first["blockNumber"] == WRONG, format!("the first differing block is {WRONG}, reported was {first}"))?;
    ensure(first["derived"] != first["claimed"], format!("both hashes are the same in {first}"))?;

    let health = reqwest::get(format!("http://127.0.0.1:{}/health", devnet.ports.verifier)).await?;
    ensure(health.status() == 503, format!("the verifier's health is {}", health.status()))?;

    // The verifier keeps the chain that follows from L1 and the rules.
    let derived: Value = verifier.request("eth_getBlockByNumber", json!([format!("{WRONG:#x}"), false])).await?;
    ensure(derived.is_null() || derived["hash"] != first["claimed"], "the verifier took the wrong block over")?;
    Ok(())
}
