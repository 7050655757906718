//! Transactions as fast as the node takes them, and an eye on what it announces.

use crate::promises::{Made, number};
use alloy::{
    consensus::{SignableTransaction, TxEip1559},
    eips::eip2718::Encodable2718,
    network::TxSignerSync,
    primitives::{TxKind, U256, hex},
    signers::local::PrivateKeySigner,
};
use openledger_devnet::Account;
use openledger_e2e::{Failure, Rpc, RpcFailure};
use serde_json::{Value, json};
use std::time::Duration;

/// Accounts that send at the same time.
const SENDERS: [&str; 3] = ["alice", "bob", "carol"];
/// How often the head is looked at.
const POLL: Duration = Duration::from_millis(10);

/// Sends until the node is gone.
pub(crate) struct Load {
    rpc: Rpc,
    senders: Vec<PrivateKeySigner>,
    most: u64,
}

impl Load {
    /// Each account sends at most `most` transactions.
    pub(crate) fn new(rpc: Rpc, most: u64) -> Self {
        Self { rpc, most, senders: SENDERS.map(|name| Account::role(name).signer()).into() }
    }

    /// Runs until the connection breaks; what the node had said by then. It must not refuse anything before.
    pub(crate) async fn until_killed(&mut self) -> Result<Made, Failure> {
        let (made, refused) = self.until_gone().await?;
        match refused.into_iter().next() {
            Some(refusal) => Err(format!("a transaction was refused: {refusal}").into()),
            None => Ok(made),
        }
    }

    /// Sends until it is refused and watches until the connection breaks; what the node had said by then, and the refusals.
    pub(crate) async fn until_gone(&mut self) -> Result<(Made, Vec<String>), Failure> {
        let [one, two, three] = &self.senders[..] else { unreachable!("three senders") };
        let (one, two, three, watched) = tokio::join!(self.send(one), self.send(two), self.send(three), self.watch());
        let mut made = watched?;
        let mut refused = Vec::new();
        for sent in [one?, two?, three?] {
            made.acknowledged.extend(sent.acknowledged);
            refused.extend(sent.refusal);
        }
        Ok((made, refused))
    }

    async fn send(&self, signer: &PrivateKeySigner) -> Result<Sent, Failure> {
        let mut sent = Sent::default();
        let Some(nonce) = self.ask("eth_getTransactionCount", json!([signer.address(), "pending"])).await? else {
            return Ok(sent);
        };
        let first = number(&nonce);
        for nonce in first..first + self.most {
            match self.rpc.call("eth_sendRawTransaction", json!([transfer(signer, nonce)?])).await {
                Ok(hash) => sent.acknowledged.push(hash),
                Err(RpcFailure::Connection(_)) => break,
                Err(refused) => {
                    sent.refusal = Some(refused.to_string());
                    break;
                }
            }
        }
        Ok(sent)
    }

    /// Blocks and receipts as they are announced, until the node is gone.
    async fn watch(&self) -> Result<Made, Failure> {
        let mut made = Made::default();
        let mut seen = None;
        while let Some(head) = self.ask("eth_blockNumber", json!([])).await? {
            let head = number(&head);
            for block in seen.map_or(head, |seen| seen + 1)..=head {
                let Some(receipts) = self.ask("eth_getBlockReceipts", json!([format!("{block:#x}")])).await? else {
                    return Ok(made);
                };
                made.add_block(block, &receipts)?;
                seen = Some(block);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(made)
    }

    /// The result; `None` once the node is gone.
    async fn ask(&self, method: &str, params: Value) -> Result<Option<Value>, Failure> {
        match self.rpc.call(method, params).await {
            Ok(result) => Ok(Some(result)),
            Err(RpcFailure::Connection(_)) => Ok(None),
            Err(refused) => Err(format!("{method}: {refused}").into()),
        }
    }
}

/// What became of one sender's transactions.
#[derive(Default)]
struct Sent {
    acknowledged: Vec<Value>,
    refusal: Option<String>,
}

/// A signed transfer of 1 wei.
pub(crate) fn transfer(signer: &PrivateKeySigner, nonce: u64) -> Result<String, Failure> {
    let mut transaction = TxEip1559 {
        chain_id: 20300,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 100_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(Account::role("dave").address),
        value: U256::from(1),
        ..Default::default()
    };
    let signature = signer.sign_transaction_sync(&mut transaction)?;
    Ok(hex::encode_prefixed(transaction.into_signed(signature).encoded_2718()))
}
