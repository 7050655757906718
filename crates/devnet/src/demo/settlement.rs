//! What the chain says about a paid answer, computed again from its calldata, and compared with who received what.

use crate::{
    Account, Chain, Console, DevnetError, chain::until, demo::client::Client, devnet_json::DevnetJson, units::exact,
};
use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::{SolCall, SolEvent},
};
use openledger_attribution::{
    BatchBuilder, FeeSchedule, Parts, Split, Usage,
    contracts::{IInferenceLedger, IModelRegistry},
    eip712,
};
use openledger_primitives::addresses::{INFERENCE_LEDGER, MODEL_REGISTRY};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How long settlement may take, restarts of processes included.
const SETTLED_WITHIN: u64 = 180;

/// A settled answer.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    /// The settlement transaction on L2.
    pub transaction: B256,
    /// Its block.
    pub block: u64,
    /// The parts of the fee.
    pub parts: Parts,
    /// Influence and reward of each contributor with an influence above zero, largest first.
    pub rows: Vec<Row>,
    /// Contributors whose influence is zero or below.
    pub without: usize,
}

/// One contributor's part.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The account.
    pub account: Address,
    /// Sum of its data's positive influences.
    pub influence: u128,
    /// In parts of one.
    pub weight: f64,
    /// In wei.
    pub reward: U256,
}

/// Waits for the settlement of `request` and checks it against the chain.
pub(crate) async fn settled(
    client: &Client,
    l2: &Chain,
    devnet: &DevnetJson,
    request: B256,
) -> Result<Settled, DevnetError> {
    let transaction =
        until(&format!("the settlement of request {request}"), SETTLED_WITHIN, "see the log of openlora", async || {
            let answer = client.get(&format!("/v1/receipts/{request}")).await.ok()?;
            let settlement = &answer["settlement"];
            (settlement["status"] == "settled").then(|| settlement["transactionHash"].as_str()?.parse::<B256>().ok())?
        })
        .await?;
    let receipt = l2.included("settlement", transaction).await?;
    let block = receipt.block_number.ok_or_else(|| failed("the settlement's receipt names no block".into()))?;

    let sent: Value = l2.request("eth_getTransactionByHash", json!([transaction])).await?;
    let input: Bytes = serde_json::from_value(sent["input"].clone()).map_err(|error| failed(error.to_string()))?;
    let call = IInferenceLedger::settleCall::abi_decode(&input).map_err(|error| failed(error.to_string()))?;
    let position = call.batch.iter().position(|one| one.receipt.requestId == request);
    let position =
        position.ok_or_else(|| failed(format!("transaction {transaction} does not settle request {request}")))?;
    let (whole, alone) = (split(l2, &call.batch).await?, split(l2, &call.batch[position..=position]).await?);

    let event = Chain::logs_of(&receipt, INFERENCE_LEDGER)
        .filter_map(|log| IInferenceLedger::Settled::decode_log(&log.inner).ok())
        .find(|event| event.requestId == request)
        .ok_or_else(|| failed(format!("transaction {transaction} has no Settled event for the request")))?;
    let on_chain = [event.fee, event.model, event.stakers, event.contributors, event.platform, event.dust];
    same("the parts of the fee in the Settled event", &on_chain, &whole.receipts[position].words())?;
    check_receipt_hash(l2, devnet, &call.batch[position], event.receiptHash).await?;
    check_balances(l2, block, &whole.rewards).await?;

    let rows = rows(&call.batch[position], &alone.rewards);
    let without = alone_contributors(&call.batch[position]) - rows.len();
    Ok(Settled { transaction, block, parts: whole.receipts[position], rows, without })
}

/// Computes a batch's split again, from its calldata and the prices on chain.
async fn split(l2: &Chain, batch: &[IInferenceLedger::Settlement]) -> Result<Split, DevnetError> {
    let mut builder = BatchBuilder::default();
    for one in batch {
        let model = l2.call(MODEL_REGISTRY, &IModelRegistry::modelCall { modelId: one.receipt.modelId }).await?;
        let schedule = FeeSchedule::try_from(&model.fees).map_err(|error| failed(error.to_string()))?;
        let usage = Usage { tokens_in: one.receipt.tokensIn, tokens_out: one.receipt.tokensOut };
        let influences = one.contributors.iter().copied().zip(one.influences.iter().copied()).collect();
        builder = builder.receipt(usage, schedule, influences);
    }
    builder.build().and_then(|batch| batch.split()).map_err(|error| failed(error.to_string()))
}

/// The chain keeps the hash of what was signed.
async fn check_receipt_hash(
    l2: &Chain,
    devnet: &DevnetJson,
    one: &IInferenceLedger::Settlement,
    in_event: B256,
) -> Result<(), DevnetError> {
    let receipt = typed(&one.receipt);
    let request = IInferenceLedger::receiptHashOfCall { requestId: one.receipt.requestId };
    let stored = l2.call(INFERENCE_LEDGER, &request).await?;
    same("the receipt's hash on chain", &stored, &in_event)?;
    let digest = eip712::signing_hash(&receipt, &eip712::domain(devnet.l2.chain_id, INFERENCE_LEDGER));
    same("the receipt's hash on chain", &stored, &digest)?;
    let signer = eip712::recover(&digest, &one.operatorSignature);
    same("the receipt's signer", &signer.map_err(|error| failed(error.to_string()))?, &one.authorization.operator)
}

/// The receipt as it is signed.
fn typed(receipt: &IInferenceLedger::Receipt) -> eip712::Receipt {
    eip712::Receipt {
        requestId: receipt.requestId,
        modelId: receipt.modelId,
        scheduleId: receipt.scheduleId,
        datasetRoot: receipt.datasetRoot,
        payer: receipt.payer,
        nonce: receipt.nonce,
        tokensIn: receipt.tokensIn,
        tokensOut: receipt.tokensOut,
        promptHash: receipt.promptHash,
        outputHash: receipt.outputHash,
        influencesHash: receipt.influencesHash,
        scoresRoot: receipt.scoresRoot,
    }
}

/// Every contributor's balance rose by its reward in that block, to the wei.
async fn check_balances(l2: &Chain, block: u64, rewards: &BTreeMap<Address, U256>) -> Result<(), DevnetError> {
    for (account, reward) in rewards {
        let before = l2.balance(*account, Some(block - 1)).await?;
        let after = l2.balance(*account, Some(block)).await?;
        same(&format!("the balance of contributor {account} after its reward"), &after, &(before + *reward))?;
    }
    Ok(())
}

fn rows(one: &IInferenceLedger::Settlement, rewards: &BTreeMap<Address, U256>) -> Vec<Row> {
    let mut influences: BTreeMap<Address, u128> = BTreeMap::new();
    for (account, influence) in one.contributors.iter().zip(&one.influences) {
        if *influence > 0 {
            *influences.entry(*account).or_default() += influence.unsigned_abs() as u128;
        }
    }
    let total: u128 = influences.values().sum();
    let row = |(account, influence): (Address, u128)| Row {
        account,
        influence,
        weight: influence as f64 / total as f64,
        reward: rewards.get(&account).copied().unwrap_or_default(),
    };
    let mut rows: Vec<Row> = influences.into_iter().map(row).collect();
    rows.sort_by(|a, b| b.influence.cmp(&a.influence).then(a.account.cmp(&b.account)));
    rows
}

fn alone_contributors(one: &IInferenceLedger::Settlement) -> usize {
    one.contributors.iter().collect::<std::collections::BTreeSet<_>>().len()
}

/// Prints who gets what; the last line is the sum of the lines above it.
pub(crate) fn show(settled: &Settled, accounts: &[Account], console: Console) {
    let name = |address: Address| {
        accounts.iter().find(|account| account.address == address).map(|account| account.name.clone())
    };
    let line = |name: &str, influence: &str, weight: &str, amount: U256| {
        console.line(&format!("   {name:<26} {influence:>20} {weight:>8} {:>24}", exact(amount)));
    };
    console.line(&format!("   {:<26} {:>20} {:>8} {:>24}", "contributor", "influence", "weight", "reward in OPEN"));
    for row in &settled.rows {
        let name = name(row.account).unwrap_or_else(|| row.account.to_string());
        line(&name, &row.influence.to_string(), &format!("{:.2} %", row.weight * 100.0), row.reward);
    }
    if settled.without > 0 {
        console.note(&format!(
            "{} more contributors, whose data did not help this answer, receive nothing",
            settled.without
        ));
    }
    let parts = &settled.parts;
    line("model owner", "", "", parts.model);
    line("stakers", "", "", parts.stakers);
    line("platform", "", "", parts.platform);
    line("rounding (treasury)", "", "", parts.dust);
    line("fee", "", "", parts.fee);
}

/// The lines of the table sum to the fee.
pub(crate) fn check_sum(settled: &Settled) -> Result<(), DevnetError> {
    let parts = &settled.parts;
    let rewards = settled.rows.iter().fold(U256::ZERO, |sum, row| sum + row.reward);
    same("the sum of the rewards", &rewards, &parts.contributors)?;
    same("the sum of the parts", &(rewards + parts.model + parts.stakers + parts.platform + parts.dust), &parts.fee)
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, found: &T, expected: &T) -> Result<(), DevnetError> {
    if found == expected { Ok(()) } else { Err(failed(format!("{what} is {found:?}, expected {expected:?}"))) }
}

fn failed(reason: String) -> DevnetError {
    DevnetError::Check(reason)
}
