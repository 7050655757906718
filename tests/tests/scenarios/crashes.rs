//! Each process is killed with SIGKILL while the devnet runs; the supervisor starts it again, and the loop goes on.

use alloy::{eips::BlockNumberOrTag, primitives::U256};
use openledger_attribution::contracts::IInferenceLedger;
use openledger_devnet::{Account, Client, until};
use openledger_e2e::{Devnet, Failure, Running, ensure};
use openledger_primitives::addresses::INFERENCE_LEDGER;
use rustix::process::{Signal, kill_process};
use std::{collections::BTreeSet, fs, path::Path};

/// Kills one process. Then a paid question is asked, answered, settled, posted and verified, and the blocks that were safe
/// before are still there.
pub(crate) async fn kill(devnet: &Devnet, running: &Running, process: &str) -> Result<(), Failure> {
    let safe = devnet.verifier().block(BlockNumberOrTag::Safe).await?.ok_or("no safe block")?;
    let pid = *running.children()?.get(process).ok_or(format!("no process {process} runs"))?;
    kill_process(pid, Signal::KILL)?;
    until(&format!("a new {process}"), 30, "the supervisor starts it again", async || {
        running.children().ok()?.get(process).filter(|now| **now != pid).copied()
    })
    .await?;
    answers(devnet, process).await?;

    let output = devnet.demo().await?;
    ensure(output.contains("has the same state root"), output)?;
    for chain in [devnet.l2(), devnet.verifier()] {
        let now = chain.block(BlockNumberOrTag::Number(safe.number)).await?;
        ensure(now == Some(safe), format!("block {} was safe as {safe:?} and is now {now:?}", safe.number))?;
    }
    Ok(())
}

/// Waits until the process that was started again serves.
async fn answers(devnet: &Devnet, process: &str) -> Result<(), Failure> {
    let ports = devnet.ports;
    let (port, path) = match process {
        "openlora" => (ports.inference, "/v1/models"),
        "verifier" => (ports.verifier, "/health"),
        "sequencer" => (ports.l2, "/health"),
        _ => (ports.l1, "/"),
    };
    let url = format!("http://127.0.0.1:{port}{path}");
    until(&format!("{process} at {url}"), 60, "see its log", async || reqwest::get(&url).await.ok()).await?;
    Ok(())
}

/// What left the payer's escrow is the sum of the fees of all settled receipts, each counted once.
pub(crate) async fn books(devnet: &Devnet) -> Result<(), Failure> {
    let (client, l2, payer) = (Client::new(&devnet.json()?), devnet.l2(), Account::role("payer"));
    let folder = devnet.dir().join("openlora");
    let mut spent = U256::ZERO;
    let mut settled = 0;
    for request in receipts(&folder)? {
        let receipt = client.get(&format!("/v1/receipts/{request}")).await?;
        ensure(
            receipt["settlement"]["status"] == "settled",
            format!("receipt {request} is {}", receipt["settlement"]),
        )?;
        spent += receipt["split"]["fee"]
            .as_str()
            .and_then(|fee| fee.parse::<U256>().ok())
            .ok_or("a receipt without a fee")?;
        settled += 1;
    }
    // Two starts, four kills, one each in the scenarios about replays and strangers.
    ensure(settled == 8, format!("{settled} receipts, 8 questions were paid"))?;
    let call = IInferenceLedger::spendableOfCall { payer: payer.address };
    let left = l2.call(INFERENCE_LEDGER, &call).await?;
    let escrowed = U256::from(20) * U256::from(10).pow(U256::from(18));
    ensure(left + spent == escrowed, format!("{left} wei are left of {escrowed}, the receipts' fees are {spent}"))
}

/// The ids of all requests that the server has receipts for.
fn receipts(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let mut ids = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                ids.extend(
                    path.file_stem()
                        .and_then(|stem| stem.to_str())
                        .filter(|stem| stem.starts_with("0x"))
                        .map(str::to_owned),
                );
            }
        }
    }
    Ok(ids)
}
