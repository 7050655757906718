//! Bad input gets an error that says what happened, with the right status or code, and nobody pays for it.

use alloy::{
    primitives::{Bytes, U256, hex},
    sol_types::{SolCall, SolError},
};
use openledger_attribution::{SignedAuthorization, contracts::IInferenceLedger};
use openledger_devnet::{Account, Client, Question, until};
use openledger_e2e::{Devnet, Failure, ensure};
use openledger_primitives::addresses::INFERENCE_LEDGER;
use serde_json::{Value, json};

/// Requests that the inference server must refuse before it answers anything.
pub(crate) async fn inference(devnet: &Devnet) -> Result<(), Failure> {
    let json = devnet.json()?;
    let client = Client::new(&json);
    let model = json.model.ok_or("no model")?;
    let before = spendable(devnet).await?;
    let question = Question { model: &model.name, text: &model.question, max_tokens: 8 };

    refused(&client, &Question { model: "no-such-model", ..question }, None, 404, "model_not_found").await?;
    let long = "word ".repeat(20_000);
    refused(&client, &Question { text: &long, ..question }, None, 400, "context_length_exceeded").await?;
    refused(&client, &question, None, 402, "payment_required").await?;

    let terms = client.terms(&question).await?;
    let poor = client.authorize(&Account::role("bob"), &terms, terms.max_fee)?;
    refused(&client, &question, Some(&poor), 402, "insufficient_escrow").await?;
    let payer = Account::role("payer");
    let low = client.authorize(&payer, &terms, terms.max_fee - U256::from(1))?;
    refused(&client, &question, Some(&low), 402, "max_fee_too_low").await?;
    let mut forged = client.authorize(&Account::role("bob"), &terms, terms.max_fee)?;
    forged.payer = payer.address;
    refused(&client, &question, Some(&forged), 402, "invalid_signature").await?;

    ensure(spendable(devnet).await? == before, "a refused request was charged")
}

/// The same authorisation sent twice pays for one answer.
pub(crate) async fn replay(devnet: &Devnet) -> Result<(), Failure> {
    let json = devnet.json()?;
    let client = Client::new(&json);
    let model = json.model.ok_or("no model")?;
    let question = Question { model: &model.name, text: &model.question, max_tokens: 8 };
    let terms = client.terms(&question).await?;
    let authorization = client.authorize(&Account::role("payer"), &terms, terms.max_fee)?;
    let before = spendable(devnet).await?;
    let request = client.ask(&question, &authorization, |_| ()).await?;
    refused(&client, &question, Some(&authorization), 402, "nonce_used").await?;

    let receipt = until("the settlement", 60, "see the log of openlora", async || {
        let receipt = client.get(&format!("/v1/receipts/{request}")).await.ok()?;
        (receipt["settlement"]["status"] == "settled").then_some(receipt)
    })
    .await?;
    refused(&client, &question, Some(&authorization), 402, "nonce_used").await?;
    let fee: U256 = receipt["split"]["fee"].as_str().ok_or("a receipt without a fee")?.parse()?;
    ensure(spendable(devnet).await? == before - fee, "the payer was not charged exactly one fee")?;

    // Not even the operator can settle it again.
    let (settlement, operator) = settlement(devnet, &receipt).await?;
    reverts_with(devnet, operator, &settlement, IInferenceLedger::NonceAlreadyUsed::SELECTOR).await
}

/// Whoever is not a registered operator cannot settle, whatever was signed.
pub(crate) async fn stranger(devnet: &Devnet) -> Result<(), Failure> {
    let client = Client::new(&devnet.json()?);
    let output = devnet.demo().await?;
    let request =
        output.lines().find_map(|line| line.trim().strip_prefix("request")).ok_or("the demo names no request")?;
    let receipt = client.get(&format!("/v1/receipts/{}", request.trim())).await?;
    let (settlement, _) = settlement(devnet, &receipt).await?;
    reverts_with(devnet, Account::role("alice"), &settlement, IInferenceLedger::NotOperator::SELECTOR).await
}

/// Malformed JSON-RPC and transactions get the standard codes, and the node goes on.
pub(crate) async fn rpc(devnet: &Devnet) -> Result<(), Failure> {
    let url = format!("http://127.0.0.1:{}", devnet.ports.l2);
    let cases = [
        ("{", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_nothing","params":[]}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x12"]}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x02c0"]}"#, -32000),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x"]}"#, -32000),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0xzz"]}"#, -32602),
    ];
    let http = reqwest::Client::new();
    for (body, code) in cases {
        let request = http.post(&url).header("content-type", "application/json").body(body);
        let answer: Value = request.send().await?.json().await?;
        ensure(answer["error"]["code"] == code, format!("{body} is answered with {answer}, expected code {code}"))?;
    }
    let id: U256 = devnet.l2().request("eth_chainId", json!([])).await?;
    ensure(id == U256::from(20300), "the node does not answer any more")
}

/// Asks, and expects a refusal with this status and code, and a message.
async fn refused(
    client: &Client,
    question: &Question<'_>,
    authorization: Option<&SignedAuthorization>,
    status: u16,
    code: &str,
) -> Result<(), Failure> {
    let response = client.send(question, authorization).await?;
    let found = response.status().as_u16();
    let body: Value = response.json().await?;
    let said = body["error"]["message"].as_str().is_some_and(|message| !message.is_empty());
    ensure(
        found == status && body["error"]["code"] == code && said,
        format!("expected {status} {code}, got {found} {body}"),
    )
}

async fn spendable(devnet: &Devnet) -> Result<U256, Failure> {
    let call = IInferenceLedger::spendableOfCall { payer: Account::role("payer").address };
    Ok(devnet.l2().call(INFERENCE_LEDGER, &call).await?)
}

/// The calldata with which a receipt was settled, and who sent it.
async fn settlement(devnet: &Devnet, receipt: &Value) -> Result<(Bytes, Account), Failure> {
    let hash = &receipt["settlement"]["transactionHash"];
    let transaction: Value = devnet.l2().request("eth_getTransactionByHash", json!([hash])).await?;
    let input: Bytes = serde_json::from_value(transaction["input"].clone())?;
    IInferenceLedger::settleCall::abi_decode(&input)?;
    Ok((input, Account::role("operator")))
}

/// A call to the ledger from this account must revert with this error.
async fn reverts_with(devnet: &Devnet, from: Account, input: &Bytes, selector: [u8; 4]) -> Result<(), Failure> {
    let request = json!([{ "from": from.address, "to": INFERENCE_LEDGER, "data": input }, "latest"]);
    let error = match devnet.l2().request::<Bytes>("eth_call", request).await {
        Ok(output) => return ensure(false, format!("the call succeeded with {output}")),
        Err(error) => error.to_string(),
    };
    let expected = hex::encode(selector);
    ensure(error.contains(&expected), format!("expected a revert with 0x{expected}, got {error}"))
}
