//! The payer's money: from L1 through the portal to L2, and from there into the escrow that inferences are paid from.

use crate::{
    Account, Console, DevnetError,
    chain::{Chain, until},
    devnet_json::DevnetJson,
    units::{exact, open, whole},
};
use alloy::{
    primitives::{Bytes, U256},
    sol,
};
use openledger_attribution::contracts::IInferenceLedger;
use openledger_primitives::addresses::INFERENCE_LEDGER;

sol! {
    function approve(address spender, uint256 value) external returns (bool);
    function depositERC20Transaction(address to, uint256 mint, uint256 value, uint64 gasLimit, bool isCreation, bytes data);
}

/// What comes over from L1.
const BRIDGED: U256 = open(50);
/// What of it goes into escrow.
const ESCROWED: U256 = open(20);
/// With this much in escrow there is no need for more.
const ENOUGH: U256 = open(2);
/// Gas of the L2 side of a deposit, a plain transfer.
const DEPOSIT_GAS: u64 = 100_000;

/// Fills the payer's escrow if it is low.
pub(crate) async fn fill(
    l1: &Chain,
    l2: &Chain,
    devnet: &DevnetJson,
    payer: &Account,
    console: Console,
) -> Result<(), DevnetError> {
    let spendable = spendable(l2, payer).await?;
    if spendable >= ENOUGH {
        console.item("in escrow", format!("{} OPEN from earlier deposits", exact(spendable)));
        return Ok(());
    }
    bridge(l1, l2, devnet, payer, console).await?;
    let call = IInferenceLedger::depositCall {};
    let receipt = l2.send("deposit into escrow", payer, INFERENCE_LEDGER, ESCROWED, &call).await?;
    console.item("into escrow", format!("{} OPEN, transaction {} on L2", whole(ESCROWED), receipt.transaction_hash));
    let now = self::spendable(l2, payer).await?;
    if now != spendable + ESCROWED {
        return Err(DevnetError::Check(format!(
            "the escrow holds {} OPEN after a deposit to {}",
            exact(now),
            exact(spendable)
        )));
    }
    Ok(())
}

async fn spendable(l2: &Chain, payer: &Account) -> Result<U256, DevnetError> {
    l2.call(INFERENCE_LEDGER, &IInferenceLedger::spendableOfCall { payer: payer.address }).await
}

async fn bridge(
    l1: &Chain,
    l2: &Chain,
    devnet: &DevnetJson,
    payer: &Account,
    console: Console,
) -> Result<(), DevnetError> {
    let (token, portal) = (devnet.contract("OpenToken")?, devnet.contract("OptimismPortal")?);
    let before = l2.balance(payer.address, None).await?;
    let approve = approveCall { spender: portal, value: BRIDGED };
    l1.send("approve the portal", payer, token, U256::ZERO, &approve).await?;
    let deposit = depositERC20TransactionCall {
        to: payer.address,
        mint: BRIDGED,
        value: BRIDGED,
        gasLimit: DEPOSIT_GAS,
        isCreation: false,
        data: Bytes::new(),
    };
    let receipt = l1.send("deposit OPEN", payer, portal, U256::ZERO, &deposit).await?;
    console.item("from L1", format!("{} OPEN, transaction {} on L1", whole(BRIDGED), receipt.transaction_hash));
    until("the deposit on L2", 180, "see the sequencer's log: does it follow L1?", async || {
        l2.balance(payer.address, None).await.ok().filter(|balance| *balance == before + BRIDGED)
    })
    .await?;
    console.held(&format!("the deposit arrived on L2: the payer has {} OPEN more", whole(BRIDGED)));
    Ok(())
}
