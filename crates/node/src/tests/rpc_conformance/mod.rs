//! The rules of ethereum/execution-apis and of the EIPs about the RPC, one row for each, asked over HTTP and over WebSocket.
//! Every answer is validated against the node's own OpenRPC document (`rpc.discover`), which allows no fields but those it names.
//!
//! When the environment variable `OPENLEDGER_OPENRPC` names an `openrpc.json` of ethereum/execution-apis, every answer is
//! validated against the schema of its method as well.

mod calls;
mod chain;
mod document;
mod facts;
mod protocol;
mod rule;
mod schema;
mod simulate;
mod simulate_calls;
mod state;
mod tools;
mod transactions;

use super::socket::Socket;
use document::Document;
use facts::Facts;
use rule::Rule;
use schema::Schemas;

/// Asks for everything in a table and reports all rows that do not hold, not only the first.
async fn hold(rules: fn(&Facts) -> Vec<Rule>) {
    let facts = Facts::new().await;
    let mut socket = Socket::open(&facts.node.ws_url()).await;
    let mut document = Document::of(&facts).await;
    let (schemas, mut broken) = (Schemas::from_env(), Vec::new());
    let rules = rules(&facts);
    for rule in &rules {
        let request = rule.request();
        let http = facts.node.post(&request.to_string()).await;
        let ws = socket.ask(&request.to_string()).await;
        for (transport, answer) in [("HTTP", &http), ("WebSocket", &ws)] {
            if let Err(why) = rule.check(answer) {
                broken.push(format!("{transport}: {}: {why}\n  {request}\n  {answer}", rule.says));
            }
            if let Err(why) = document.check(&request, answer) {
                broken.push(format!("document: {}: {why}\n  {request}\n  {answer}", rule.says));
            }
        }
        if let (Some(schemas), Some(result)) = (&schemas, http.get("result"))
            && let Err(why) = schemas.check(rule.method, result)
        {
            broken.push(format!("schema: {}: {why}\n  {request}\n  {http}", rule.says));
        }
    }
    if let Some(schemas) = schemas {
        println!("{}", schemas.summary());
    }
    assert!(broken.is_empty(), "{} of {} rules do not hold:\n{}", broken.len(), rules.len(), broken.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_answered_by_the_rules() {
    hold(chain::rules).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_and_fees_are_answered_by_the_rules() {
    hold(state::rules).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_and_logs_are_answered_by_the_rules() {
    hold(transactions::rules).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn explorers_debuggers_and_nodes_are_answered_by_the_rules() {
    hold(tools::rules).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_by_the_rules() {
    hold(calls::rules).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simulated_blocks_are_answered_by_the_rules() {
    hold(simulate::rules).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simulated_calls_are_answered_by_the_rules() {
    hold(simulate_calls::rules).await;
}
