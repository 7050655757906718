//! A chain with one transaction of every kind, and the names that the tables use for what is on it.

use alloy_consensus::{SignableTransaction, Signed, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::{
    Encodable2718 as _,
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, bytes};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use op_alloy_consensus::OpTxEnvelope;
use serde_json::{Value, json};

use super::super::{
    actors::{RECIPIENT, user},
    rpc::Served,
};

pub(super) const CHAIN_ID: u64 = 20_300;
const FEE_CAP: u128 = 1_000_000_000;
const TIP: u128 = 1_000_000;

/// Topic of what the counter logs.
pub(super) const TOPIC: &str = "0x0707070707070707070707070707070707070707070707070707070707070707";
/// Adds one to slot 0, logs the new value under `TOPIC` and returns it.
const COUNTER: Bytes = bytes!(
    "6038 80 600b 6000 39 6000 f3"
    "6000 54 6001 01 80 6000 55 6000 52"
    "7f 0707070707070707070707070707070707070707070707070707070707070707 6020 6000 a1 6020 6000 f3"
);

/// The node and what is on its chain.
pub(super) struct Facts {
    pub(super) node: Served,
    pub(super) user: Address,
    pub(super) counter: Address,
    /// Number of the newest block.
    pub(super) head: u64,
    /// Block 1: the L1 attributes and two transfers.
    pub(super) block: Value,
    /// The block with one transaction of every kind.
    pub(super) kinds: Value,
    /// A transaction that waits for the next block.
    pub(super) waiting: B256,
    pub(super) waiting_raw: Bytes,
    /// A transaction that waits for the one before it.
    pub(super) queued: B256,
}

impl Facts {
    pub(super) async fn new() -> Self {
        let mut node = Served::start().await;
        let to = TxKind::Call(RECIPIENT);
        let (chain_id, value) = (CHAIN_ID, U256::from(1));
        let legacy = TxLegacy {
            chain_id: Some(chain_id),
            nonce: 2,
            gas_price: FEE_CAP,
            gas_limit: 21_000,
            to,
            value,
            ..Default::default()
        };
        let access_list = AccessList(vec![AccessListItem { address: RECIPIENT, storage_keys: vec![B256::ZERO] }]);
        let listed = TxEip2930 {
            chain_id,
            nonce: 3,
            gas_price: FEE_CAP,
            gas_limit: 60_000,
            to,
            value,
            access_list,
            ..Default::default()
        };
        let creation =
            TxEip1559 { gas_limit: 200_000, to: TxKind::Create, value: U256::ZERO, input: COUNTER, ..dynamic(4) };
        let counter = user().address().create(4);
        let call = TxEip1559 { gas_limit: 100_000, to: counter.into(), value: U256::ZERO, ..dynamic(5) };
        let other = PrivateKeySigner::from_bytes(&B256::repeat_byte(0x22)).unwrap();
        let authorization = Authorization { chain_id: U256::from(chain_id), address: counter, nonce: 0 };
        let signature = other.sign_hash_sync(&authorization.signature_hash()).unwrap();
        let delegation = TxEip7702 {
            chain_id,
            nonce: 6,
            gas_limit: 100_000,
            max_fee_per_gas: FEE_CAP,
            max_priority_fee_per_gas: TIP,
            to: RECIPIENT,
            authorization_list: vec![authorization.into_signed(signature)],
            ..Default::default()
        };
        for raw in [signed(legacy), signed(listed), signed(creation), signed(call), signed(delegation)] {
            node.actor.chain.submit(raw).unwrap();
        }
        node.actor.run(1).await;
        let head = node.actor.head();
        let waiting_raw = signed(dynamic(7));
        let waiting = node.actor.chain.submit(waiting_raw.clone()).unwrap();
        let queued = node.actor.chain.submit(signed(dynamic(9))).unwrap();

        let block = node.ask("eth_getBlockByNumber", json!(["0x1", true])).await;
        let kinds = node.ask("eth_getBlockByNumber", json!(["0x9", true])).await;
        assert_eq!(kinds["transactions"].as_array().map(Vec::len), Some(6), "{kinds}");
        Self { node, user: user().address(), counter, head, block, kinds, waiting, waiting_raw, queued }
    }

    /// Hash of the transaction at this place in the block with every kind: the attributes, legacy, EIP-2930, creation, call,
    /// EIP-7702.
    pub(super) fn kind(&self, index: usize) -> Value {
        self.kinds["transactions"][index]["hash"].clone()
    }
}

/// A transfer of the user with fees that suffice.
pub(super) fn dynamic(nonce: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: FEE_CAP,
        max_priority_fee_per_gas: TIP,
        to: TxKind::Call(RECIPIENT),
        value: U256::from(1),
        ..Default::default()
    }
}

/// The bytes of a transaction that the user signed.
pub(super) fn signed<T: SignableTransaction<Signature>>(tx: T) -> Bytes
where
    OpTxEnvelope: From<Signed<T>>,
{
    let signature = user().sign_hash_sync(&tx.signature_hash()).unwrap();
    OpTxEnvelope::from(tx.into_signed(signature)).encoded_2718().into()
}
