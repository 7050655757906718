//! An L2 node with nothing on it but the ledger and the model registry, whose rules it computes with
//! `openledger-attribution`: enough to see what the server sends, and to stop, refuse and reorder at will.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alloy_consensus::{Transaction, TxEnvelope, transaction::SignerRecoverable};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolCall, SolEvent, SolValue};
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use openledger_attribution::{
    FeeSchedule, SignedAuthorization, Usage,
    contracts::{
        IInferenceLedger::{self, *},
        IModelRegistry,
    },
    eip712, max_fee,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

pub(crate) const CHAIN_ID: u64 = 20300;
pub(crate) const LEDGER: Address = alloy_primitives::address!("4f4c000000000000000000000000000000000001");

/// What happened to a transaction: whether it went through.
type Included = BTreeMap<B256, (bool, u64)>;

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) models: BTreeMap<B256, IModelRegistry::Model>,
    pub(crate) escrow: BTreeMap<Address, U256>,
    pub(crate) charged: BTreeMap<Address, U256>,
    pub(crate) settled: BTreeMap<B256, B256>,
    pub(crate) used: BTreeSet<(Address, U256)>,
    pub(crate) operators: BTreeSet<Address>,
    /// Transactions that were sent and wait, as `mining` is off.
    pub(crate) mempool: Vec<Bytes>,
    pub(crate) mining: bool,
    /// The node does not answer.
    pub(crate) down: bool,
    pub(crate) sent: usize,
    pub(crate) included: Included,
    pub(crate) logs: Vec<Value>,
    pub(crate) block: u64,
    account_nonce: u64,
}

pub(crate) struct Node {
    pub(crate) url: String,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
}

impl Node {
    pub(crate) async fn start() -> Self {
        let ledger = Arc::new(Mutex::new(Ledger { mining: true, ..Default::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().route("/", post(answer)).with_state(Arc::clone(&ledger));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, ledger }
    }

    pub(crate) fn register(&self, backbone: B256, adapter: B256, dataset_root: B256, schedule: FeeSchedule) -> B256 {
        let model = IModelRegistry::Model {
            owner: Address::with_last_byte(0xaa),
            backbone,
            adapter,
            datasetRoot: dataset_root,
            fees: schedule.into(),
            uri: String::new(),
        };
        let id = eip712::model_id(backbone, adapter);
        self.ledger.lock().models.insert(id, model);
        id
    }
}

async fn answer(
    State(ledger): State<Arc<Mutex<Ledger>>>,
    Json(request): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let mut ledger = ledger.lock();
    if ledger.down {
        return Err(StatusCode::BAD_GATEWAY);
    }
    let outcome = ledger.request(request["method"].as_str().unwrap(), &request["params"]);
    Ok(Json(match outcome {
        Ok(result) => json!({"jsonrpc": "2.0", "id": request["id"], "result": result}),
        Err(data) => {
            json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": 3, "message": "execution reverted", "data": data}})
        }
    }))
}

impl Ledger {
    fn request(&mut self, method: &str, params: &Value) -> Result<Value, Bytes> {
        Ok(match method {
            "eth_chainId" => json!(U256::from(CHAIN_ID)),
            "eth_getCode" => json!("0x"),
            "eth_gasPrice" | "eth_maxPriorityFeePerGas" => json!("0x64"),
            "eth_getTransactionCount" => json!(U256::from(self.account_nonce)),
            "eth_call" => json!(self.view(&bytes(&params[0]["data"]))),
            "eth_estimateGas" => {
                let call = settleCall::abi_decode(&bytes(&params[0]["data"])).unwrap();
                self.check(&call.batch)?;
                json!("0x30000")
            }
            "eth_sendRawTransaction" => {
                let raw = bytes(&params[0]);
                let hash = keccak256(&raw);
                self.sent += 1;
                self.mempool.push(raw);
                if self.mining {
                    self.mine();
                }
                json!(hash)
            }
            "eth_getTransactionByHash" => {
                let hash: B256 = serde_json::from_value(params[0].clone()).unwrap();
                let waits = self.mempool.iter().any(|raw| keccak256(raw) == hash);
                if waits || self.included.contains_key(&hash) { json!({ "hash": hash }) } else { Value::Null }
            }
            "eth_getTransactionReceipt" => {
                let hash: B256 = serde_json::from_value(params[0].clone()).unwrap();
                match self.included.get(&hash) {
                    None => Value::Null,
                    Some((good, block)) => json!({
                        "status": U256::from(u8::from(*good)), "blockNumber": U256::from(*block), "transactionHash": hash,
                    }),
                }
            }
            "eth_getLogs" => {
                assert_eq!(params[0]["topics"][0], json!(Settled::SIGNATURE_HASH));
                let wanted = &params[0]["topics"][1];
                self.logs.iter().filter(|log| &log["request"] == wanted).cloned().collect()
            }
            other => panic!("unexpected method {other}"),
        })
    }

    fn view(&self, data: &[u8]) -> Bytes {
        let encoded = match data[..4].try_into().unwrap() {
            IModelRegistry::modelCall::SELECTOR => {
                let call = IModelRegistry::modelCall::abi_decode(data).unwrap();
                let none = IModelRegistry::Model {
                    owner: Address::ZERO,
                    backbone: B256::ZERO,
                    adapter: B256::ZERO,
                    datasetRoot: B256::ZERO,
                    fees: schedule(0, 0).into(),
                    uri: String::new(),
                };
                self.models.get(&call.modelId).cloned().unwrap_or(none).abi_encode()
            }
            spendableOfCall::SELECTOR => {
                let payer = spendableOfCall::abi_decode(data).unwrap().payer;
                self.escrow.get(&payer).copied().unwrap_or_default().abi_encode()
            }
            isNonceUsedCall::SELECTOR => {
                let call = isNonceUsedCall::abi_decode(data).unwrap();
                self.used.contains(&(call.payer, call.nonce)).abi_encode()
            }
            receiptHashOfCall::SELECTOR => {
                let request = receiptHashOfCall::abi_decode(data).unwrap().requestId;
                self.settled.get(&request).copied().unwrap_or_default().abi_encode()
            }
            isOperatorCall::SELECTOR => {
                self.operators.contains(&isOperatorCall::abi_decode(data).unwrap().operator).abi_encode()
            }
            other => panic!("unexpected call {}", Bytes::from(other)),
        };
        encoded.into()
    }

    /// The rules of `settle`; answers what each payer is charged.
    fn check(&self, batch: &[IInferenceLedger::Settlement]) -> Result<Vec<(Address, U256)>, Bytes> {
        use alloy_sol_types::SolError;
        let domain = eip712::domain(CHAIN_ID, LEDGER);
        let mut charges = Vec::new();
        let mut used = self.used.clone();
        for one in batch {
            let Authorization { payer, operator, modelId, scheduleId, maxFee, nonce, deadline } =
                one.authorization.clone();
            if !used.insert((payer, nonce)) {
                return Err(NonceAlreadyUsed { payer, nonce }.abi_encode().into());
            }
            let signed = SignedAuthorization {
                payer,
                operator,
                model_id: modelId,
                schedule_id: scheduleId,
                max_fee: maxFee,
                nonce,
                deadline,
                signature: one.payerSignature.clone(),
            };
            if signed.recover(&domain) != Ok(payer) {
                return Err(InvalidPayerSignature { payer }.abi_encode().into());
            }
            let digest = eip712::signing_hash(&typed(&one.receipt), &domain);
            if eip712::recover(&digest, &one.operatorSignature) != Ok(operator) {
                return Err(InvalidOperatorSignature { operator }.abi_encode().into());
            }
            let model = &self.models[&modelId];
            let receipt = &one.receipt;
            let consistent = receipt.requestId == eip712::request_id(payer, nonce)
                && (receipt.payer, receipt.nonce) == (payer, nonce)
                && (receipt.modelId, receipt.scheduleId) == (modelId, scheduleId)
                && receipt.datasetRoot == model.datasetRoot
                && receipt.influencesHash == eip712::influences_hash(&one.contributors, &one.influences);
            if !consistent {
                return Err(ReceiptMismatch { requestId: receipt.requestId }.abi_encode().into());
            }
            let schedule = FeeSchedule::try_from(&model.fees).unwrap();
            let fee = max_fee(receipt.tokensIn, receipt.tokensOut, &schedule).unwrap();
            let balance = self.escrow.get(&payer).copied().unwrap_or_default();
            if fee > maxFee {
                return Err(FeeAboveCeiling { fee, maxFee }.abi_encode().into());
            }
            if fee > balance {
                return Err(InsufficientEscrow { payer, balance, fee }.abi_encode().into());
            }
            charges.push((payer, fee));
        }
        Ok(charges)
    }

    /// Includes what waits, in order; a transaction under a used nonce is dropped.
    pub(crate) fn mine(&mut self) {
        for raw in std::mem::take(&mut self.mempool) {
            let transaction = TxEnvelope::decode_2718_exact(&raw).unwrap();
            let sender = transaction.recover_signer().unwrap();
            assert!(self.operators.contains(&sender) && transaction.to() == Some(LEDGER));
            if transaction.nonce() != self.account_nonce {
                continue;
            }
            self.account_nonce += 1;
            self.block += 1;
            let call = settleCall::abi_decode(transaction.input()).unwrap();
            let outcome = self.check(&call.batch);
            self.included.insert(*transaction.tx_hash(), (outcome.is_ok(), self.block));
            for (one, (payer, fee)) in call.batch.iter().zip(outcome.unwrap_or_default()) {
                *self.escrow.get_mut(&payer).unwrap() -= fee;
                *self.charged.entry(payer).or_default() += fee;
                self.used.insert((payer, one.authorization.nonce));
                let digest = eip712::signing_hash(&typed(&one.receipt), &eip712::domain(CHAIN_ID, LEDGER));
                self.settled.insert(one.receipt.requestId, digest);
                self.logs.push(json!({
                    "request": one.receipt.requestId, "blockNumber": U256::from(self.block),
                    "transactionHash": transaction.tx_hash(),
                }));
            }
        }
    }
}

pub(crate) const fn schedule(rate_in: u128, rate_out: u128) -> FeeSchedule {
    FeeSchedule {
        rate_in,
        rate_out,
        platform: openledger_attribution::Platform::Flat(0),
        model_bps: 7000,
        stakers_bps: 1000,
        contributors_bps: 2000,
    }
}

pub(crate) fn fee(tokens_in: u32, tokens_out: u32, schedule: &FeeSchedule) -> U256 {
    openledger_attribution::split_usage(&Usage { tokens_in, tokens_out }, schedule).unwrap().fee
}

/// Signs what a 402 asks for, and puts it as the header wants it.
pub(crate) fn authorize(
    payer: &PrivateKeySigner,
    ask: &Value,
    change: impl FnOnce(&mut SignedAuthorization),
) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let get = |name: &str| ask[name].as_str().unwrap().to_owned();
    let mut signed = SignedAuthorization {
        payer: payer.address(),
        operator: get("operator").parse().unwrap(),
        model_id: get("modelId").parse().unwrap(),
        schedule_id: get("scheduleId").parse().unwrap(),
        max_fee: get("maxFee").parse().unwrap(),
        nonce: U256::from_be_bytes(B256::random().0),
        deadline: u64::MAX,
        signature: Bytes::new(),
    };
    change(&mut signed);
    if signed.signature.is_empty() {
        let contract = get("verifyingContract").parse().unwrap();
        let hash = signed.signing_hash(&eip712::domain(ask["chainId"].as_u64().unwrap(), contract));
        signed.signature = payer.sign_hash_sync(&hash).unwrap().as_bytes().into();
    }
    STANDARD.encode(serde_json::to_vec(&signed).unwrap())
}

fn typed(receipt: &Receipt) -> eip712::Receipt {
    let Receipt {
        requestId,
        modelId,
        scheduleId,
        datasetRoot,
        payer,
        nonce,
        tokensIn,
        tokensOut,
        promptHash,
        outputHash,
        influencesHash,
        scoresRoot,
    } = receipt.clone();
    eip712::Receipt {
        requestId,
        modelId,
        scheduleId,
        datasetRoot,
        payer,
        nonce,
        tokensIn,
        tokensOut,
        promptHash,
        outputHash,
        influencesHash,
        scoresRoot,
    }
}

fn bytes(value: &Value) -> Bytes {
    serde_json::from_value(value.clone()).unwrap()
}
