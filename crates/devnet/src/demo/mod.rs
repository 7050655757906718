//! One paid inference from the question to the proof on L1, each step checked.

mod client;
mod escrow;
mod settlement;

pub use client::{Client, Question, Terms};

use crate::{
    Account, Chain, Console, DemoArgs, DevnetError, InferenceArgs, Layout,
    chain::until,
    devnet_json::{DevnetJson, ModelEntry},
    units::exact,
};
use alloy::{eips::BlockNumberOrTag, primitives::B256};
use openledger_primitives::RollupConfig;
use serde::Deserialize;
use serde_json::{Value, json};

/// How long the way over L1 may take: a channel is posted every few L1 blocks.
const OVER_L1_WITHIN: u64 = 240;

/// Asks one more question on a devnet that is running.
pub async fn demo(args: DemoArgs) -> Result<(), DevnetError> {
    let layout = Layout::open(&args.dir)?;
    if !layout.is_running() {
        return Err(DevnetError::NotRunning(args.dir));
    }
    paid_inference(&DevnetJson::read(&layout)?, &args.inference, Console::new()).await
}

/// Waits until the inference server answers, and, where there is a model on chain, until it serves it for money; returns its
/// name there.
pub(crate) async fn ready(devnet: &DevnetJson, log: &str) -> Result<Option<String>, DevnetError> {
    let client = Client::new(devnet);
    let hint = format!("see {log}");
    until("the inference server", 300, &hint, async || client.get("/v1/models").await.ok()).await?;
    let Some(model) = &devnet.model else { return Ok(None) };
    let name = until(&format!("the inference server to offer model {}", model.model_id), 60, &hint, async || {
        let offers = client.get("/v1/openledger").await.ok()?;
        let id = model.model_id.to_string();
        let ours = offers["models"].as_array()?.iter().find(|offer| offer["modelId"] == id.as_str())?;
        ours["model"].as_str().map(str::to_owned)
    })
    .await?;
    Ok(Some(name))
}

/// Pays for an answer and follows the money until L1.
pub(crate) async fn paid_inference(
    devnet: &DevnetJson,
    args: &InferenceArgs,
    console: Console,
) -> Result<(), DevnetError> {
    let model =
        devnet.model.as_ref().ok_or_else(|| DevnetError::Inference("no model is registered on this devnet".into()))?;
    let l1 = Chain::connect("L1", &devnet.l1.rpc)?;
    let l2 = Chain::connect("sequencer", &devnet.l2.rpc)?;
    let verifier = Chain::connect("verifier", &devnet.verifier.rpc)?;
    let payer = Account::role("payer");

    console.title("The payer deposits OPEN");
    escrow::fill(&l1, &l2, devnet, &payer, console).await?;

    console.title("A paid question");
    let client = Client::new(devnet);
    let request = ask(&client, &payer, model, args, console).await?;

    console.title("Who is paid for it");
    let settled = settlement::settled(&client, &l2, devnet, request).await?;
    settlement::show(&settled, &devnet.contributors, console);
    settlement::check_sum(&settled)?;
    console.held("the lines sum to the fee, to the wei");
    console.held("the chain's event says the same as a computation from the receipt");
    console.held(&format!("{} contributors' balances rose by exactly their rewards", settled.rows.len()));
    console.item("settlement", format!("transaction {} in L2 block {}", settled.transaction, settled.block));

    console.title("The same on L1, for anyone to check");
    on_l1(&l1, &verifier, settled.block, console).await?;
    same_state(&l2, &verifier, settled.block, console).await
}

async fn ask(
    client: &Client,
    payer: &Account,
    model: &ModelEntry,
    args: &InferenceArgs,
    console: Console,
) -> Result<B256, DevnetError> {
    let text = args.question.as_deref().unwrap_or(&model.question);
    let question = Question { model: &model.name, text, max_tokens: args.max_tokens };
    let terms = client.terms(&question).await?;
    let authorization = client.authorize(payer, &terms, terms.max_fee)?;
    console.item("model", &model.name);
    console.item("ceiling", format!("{} OPEN, signed by the payer {}", exact(terms.max_fee), payer.address));
    console.item("question", text);
    console.line("");
    console.stream("   ");
    let mut length = 0;
    let request = client
        .ask(&question, &authorization, |piece| {
            length += piece.len();
            console.stream(&piece.replace('\n', "\n   "));
        })
        .await?;
    console.line("\n");
    if length == 0 {
        return Err(DevnetError::Check("the answer is empty".into()));
    }
    console.item("request", request);
    Ok(request)
}

/// Answer of `openledger_batchOf`, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchLocation {
    l1_transactions: Vec<B256>,
}

/// Finds the L1 transactions that carry the block, as the verifier derived it from them.
async fn on_l1(l1: &Chain, verifier: &Chain, block: u64, console: Console) -> Result<(), DevnetError> {
    let hint = "see the logs of the sequencer (does it post batches?) and of the verifier";
    let location: BatchLocation =
        until(&format!("a batch with L2 block {block} on L1"), OVER_L1_WITHIN, hint, async || {
            verifier.request("openledger_batchOf", json!([BlockNumberOrTag::Number(block)])).await.ok().flatten()
        })
        .await?;
    let rollup: RollupConfig = verifier.request("optimism_rollupConfig", json!([])).await?;
    if location.l1_transactions.is_empty() {
        return Err(DevnetError::Check(format!("no L1 transaction carries block {block}")));
    }
    for transaction in location.l1_transactions {
        let receipt = l1.included("batch", transaction).await?;
        let sent: Value = l1.request("eth_getTransactionByHash", json!([transaction])).await?;
        let to = serde_json::from_value(sent["to"].clone()).ok();
        if to != Some(rollup.batch_inbox_address) {
            return Err(DevnetError::Check(format!("L1 transaction {transaction} does not go to the batch inbox")));
        }
        console.item(
            "batch",
            format!("transaction {transaction} in L1 block {}", receipt.block_number.unwrap_or_default()),
        );
    }
    Ok(())
}

/// The verifier, which knows L1 only, has the same state for the block.
async fn same_state(l2: &Chain, verifier: &Chain, block: u64, console: Console) -> Result<(), DevnetError> {
    until("the verifier's safe head", OVER_L1_WITHIN, "see the verifier's log", async || {
        let safe = verifier.block(BlockNumberOrTag::Safe).await.ok()??;
        (safe.number >= block).then_some(())
    })
    .await?;
    let ours = l2.block(BlockNumberOrTag::Number(block)).await?;
    let theirs = verifier.block(BlockNumberOrTag::Number(block)).await?;
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return Err(DevnetError::Check(format!("a node does not have L2 block {block} any more")));
    };
    console.item("sequencer", format!("block {block} {} state root {}", ours.hash, ours.state_root));
    console.item("verifier", format!("block {block} {} state root {}", theirs.hash, theirs.state_root));
    if ours != theirs {
        return Err(DevnetError::Check(format!("the verifier derived another block {block} than the sequencer has")));
    }
    let faults: Vec<Value> = verifier.request("openledger_faults", json!([])).await?;
    if !faults.is_empty() {
        return Err(DevnetError::Check(format!("the verifier reports faults: {}", Value::from(faults))));
    }
    console.held("the verifier, which knows L1 only, has the same state root");
    Ok(())
}
