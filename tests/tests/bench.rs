//! The load generator against a sequencer and against anvil, and the suite in small.

use openledger_e2e::{Failure, Rollup, Rpc, Runner, ensure, openledger};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, process::ExitCode, time::Duration};

/// Transfers that are sent.
const TRANSFERS: usize = 300;
/// A hundredth as many are sent one by one.
const LIGHT: usize = TRANSFERS / 100;

#[tokio::main]
async fn main() -> ExitCode {
    let mut runner = Runner::default();
    runner.scenario("a_load_of_every_kind_is_included_once", Duration::from_secs(240), load()).await;
    runner.scenario("the_suite_measures_all_nodes_and_writes_its_page", Duration::from_secs(300), suite()).await;
    runner.finish()
}

/// The generator says that everything is included; the transfers are counted here once more.
async fn load() -> Result<(), Failure> {
    let rollup = Rollup::deploy().await?;
    let node = rollup.sequencer("sequencer")?;
    let mut process = node.start().await?;
    let (url, transfers) = (format!("http://127.0.0.1:{}", node.port), TRANSFERS.to_string());
    let flags = ["--transactions", &transfers, "--senders", "10", "--wait", "60"];
    let text = bench(["--rpc", &url, "--rpc", &rollup.l1_url()].into_iter().chain(flags)).await?;
    process.runs()?;

    // A twentieth as many creations, a hundredth as many settlements; the L1 has no InferenceLedger.
    let rows = [
        ("native transfers", TRANSFERS, 2),
        ("scattered transfers", TRANSFERS, 2),
        ("light transfers", LIGHT, 2),
        ("ERC-20 transfers", TRANSFERS, 2),
        ("contract creation", TRANSFERS / 20, 2),
        ("SETTLE", TRANSFERS / 100, 1),
    ];
    for (scenario, count, nodes) in rows {
        let row = |line: &&str| line.starts_with(&format!("| {scenario}")) && line.contains(&format!("| {count} |"));
        ensure(
            text.lines().filter(row).count() == nodes,
            format!("{scenario}: not {count} on {nodes} nodes:\n{text}"),
        )?;
    }
    let counted = transfers_of_one_wei(&node.rpc).await?;
    let sent = 2 * TRANSFERS + LIGHT;
    ensure(counted == sent, format!("{counted} transfers of 1 wei instead of {sent}"))
}

/// Counts transfers with value 1, and checks that each succeeded and is in one block.
async fn transfers_of_one_wei(rpc: &Rpc) -> Result<usize, Failure> {
    let head = rpc.call("eth_blockNumber", json!([])).await?;
    let head = u64::from_str_radix(head.as_str().unwrap_or_default().trim_start_matches("0x"), 16)?;
    let mut hashes = BTreeSet::new();
    for number in 1..=head {
        let block = rpc.call("eth_getBlockByNumber", json!([format!("{number:#x}"), true])).await?;
        let receipts = rpc.call("eth_getBlockReceipts", json!([format!("{number:#x}")])).await?;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for (transaction, receipt) in list(&block["transactions"]).iter().zip(&list(&receipts)) {
            let hash = transaction["hash"].as_str().ok_or("a transaction without a hash")?;
            if transaction["value"] == "0x1" {
                ensure(receipt["transactionHash"] == hash && receipt["status"] == "0x1", format!("{receipt}"))?;
                ensure(hashes.insert(hash.to_owned()), format!("{hash} is in two blocks"))?;
            }
        }
    }
    Ok(hashes.len())
}

async fn suite() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let page = folder.path().join("page.md");
    fs::write(&page, "# Title\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nrest\n")?;
    let page_name = page.display().to_string();
    let small = ["--accounts", "50", "--transactions", "40", "--senders", "4", "--scenario", "transfer"];
    let text = bench(["suite", "--write", &page_name].into_iter().chain(small)).await?;
    let written = fs::read_to_string(&page)?;
    ensure(written.starts_with("# Title\n") && written.ends_with("-->\nrest\n"), &written)?;
    ensure(!written.contains("old"), &written)?;
    for node in ["openledger", "anvil, interval", "anvil, automine"] {
        for state in ["empty", "50 accounts"] {
            let row = format!("| native transfers | {state} | {node} | ");
            ensure(written.lines().any(|line| line.starts_with(&row)), format!("no {row}:\n{text}"))?;
        }
    }
    // Execution in process comes to an end on both states too.
    ensure(written.lines().filter(|line| line.starts_with("| native transfers | ")).count() >= 8, written)
}

async fn bench(flags: impl Iterator<Item = &str>) -> Result<String, Failure> {
    let mut command = openledger();
    command.arg("bench").args(flags);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(text) } else { Err(format!("openledger bench: {}\n{text}", output.status).into()) }
}
