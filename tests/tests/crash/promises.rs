//! What the node has said and must still say after it was killed.

use openledger_e2e::{Failure, Rpc, RpcFailure, ensure};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    mem::take,
};

/// Calls in one batch; the node takes 200.
const BATCH: usize = 200;

/// What the node said between a start and a kill.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Hashes of transactions that it took.
    pub(crate) acknowledged: Vec<Value>,
    /// Blocks that it announced: hash by number.
    blocks: BTreeMap<u64, Value>,
    /// Receipts that it gave: block hash by transaction.
    receipts: BTreeMap<String, Value>,
}

impl Made {
    /// Notes an announced block.
    pub(crate) fn add_block(&mut self, block: u64, receipts: &Value) -> Result<(), Failure> {
        for receipt in receipts.as_array().ok_or(format!("block {block} was announced and has no receipts"))? {
            let hash = receipt["transactionHash"].as_str().unwrap_or_default().to_owned();
            ensure(receipt["status"] == "0x1", format!("the transfer {hash} failed"))?;
            self.blocks.insert(block, receipt["blockHash"].clone());
            self.receipts.insert(hash, receipt["blockHash"].clone());
        }
        Ok(())
    }

    /// Each block has the same hash, each receipt is in the same block, each transaction is known.
    async fn is_kept(&self, rpc: &Rpc) -> Result<(), Failure> {
        for part in self.blocks.iter().collect::<Vec<_>>().chunks(BATCH) {
            let params: Vec<Value> = part.iter().map(|(block, _)| json!([format!("{block:#x}"), false])).collect();
            for ((block, hash), found) in part.iter().zip(rpc.batch("eth_getBlockByNumber", &params).await?) {
                ensure(found["hash"] == **hash, format!("block {block} was {hash} and is now {}", found["hash"]))?;
            }
        }
        for part in self.receipts.iter().collect::<Vec<_>>().chunks(BATCH) {
            let params: Vec<Value> = part.iter().map(|(hash, _)| json!([hash])).collect();
            for ((hash, block), found) in part.iter().zip(rpc.batch("eth_getTransactionReceipt", &params).await?) {
                let same = found["blockHash"] == **block && found["status"] == "0x1";
                ensure(same, format!("{hash} had a receipt in {block}, now it has {found}"))?;
            }
        }
        Ok(())
    }

    async fn is_known(&self, rpc: &Rpc) -> Result<(), Failure> {
        for part in self.acknowledged.chunks(BATCH) {
            let params: Vec<Value> = part.iter().map(|hash| json!([hash])).collect();
            for (hash, found) in part.iter().zip(rpc.batch("eth_getTransactionByHash", &params).await?) {
                ensure(found["hash"] == *hash, format!("{hash} was acknowledged and is not known any more"))?;
            }
        }
        Ok(())
    }
}

/// Everything that the node has said.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    new: Made,
    kept: Made,
}

impl Promises {
    pub(crate) fn add(&mut self, made: Made) {
        merge(&mut self.new, made);
    }

    /// Checks what was said since the last check.
    pub(crate) async fn new_ones_are_kept(&mut self, rpc: &Rpc) -> Result<(), Failure> {
        self.new.is_known(rpc).await?;
        self.new.is_kept(rpc).await?;
        merge(&mut self.kept, take(&mut self.new));
        Ok(())
    }

    /// Checks everything again: each acknowledged transaction is in a block by now or waits for one.
    pub(crate) async fn all_are_kept(&mut self, rpc: &Rpc) -> Result<(), Failure> {
        self.new_ones_are_kept(rpc).await?;
        self.kept_again(rpc).await
    }

    /// Checks everything that was checked before once more.
    pub(crate) async fn kept_again(&self, rpc: &Rpc) -> Result<(), Failure> {
        self.kept.is_known(rpc).await?;
        self.kept.is_kept(rpc).await
    }

    /// Asks a node with damaged data for each block. The answer is the right one or an error; whether there was one.
    pub(crate) async fn are_answered_with_errors(&self, rpc: &Rpc) -> Result<bool, Failure> {
        let mut is_wrong = false;
        for (block, hash) in &self.kept.blocks {
            match rpc.call("eth_getBlockByNumber", json!([format!("{block:#x}"), true])).await {
                Ok(found) => ensure(found["hash"] == *hash, format!("block {block} was {hash} and is now {found}"))?,
                Err(RpcFailure::Refused(_)) => is_wrong = true,
                // The node stopped, which is an answer too.
                Err(RpcFailure::Connection(_)) => return Ok(true),
            }
        }
        Ok(is_wrong)
    }

    /// Checks the blocks and receipts against another node, which has no pool.
    pub(crate) async fn blocks_are_those_of(&self, rpc: &Rpc) -> Result<(), Failure> {
        self.kept.is_kept(rpc).await
    }

    /// The newest block that was announced.
    pub(crate) fn last_block(&self) -> u64 {
        self.kept.blocks.keys().next_back().copied().unwrap_or_default()
    }
}

impl Display for Promises {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Made { acknowledged, blocks, receipts } = &self.kept;
        write!(
            f,
            "{} acknowledged transactions, {} receipts, {} blocks",
            acknowledged.len(),
            receipts.len(),
            blocks.len()
        )
    }
}

fn merge(all: &mut Made, more: Made) {
    all.acknowledged.extend(more.acknowledged);
    all.blocks.extend(more.blocks);
    all.receipts.extend(more.receipts);
}

/// A quantity of JSON-RPC.
pub(crate) fn number(quantity: &Value) -> u64 {
    let digits = quantity.as_str().and_then(|text| text.strip_prefix("0x")).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{quantity} is not a quantity"))
}
