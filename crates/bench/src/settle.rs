//! Settlements of paid inferences, as an inference server sends them.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{Eip712Domain, SolCall as _};
use openledger_attribution::{
    FeeSchedule, Platform,
    contracts::{IInferenceLedger, IModelRegistry},
    eip712, max_fee,
};
use openledger_primitives::addresses::{INFERENCE_LEDGER, MODEL_REGISTRY};

use crate::{
    account::{Call, derived, recipient},
    key::Key,
    plan::Size,
};

/// Accounts that settle.
pub(crate) const OPERATORS: usize = 16;
/// Inferences in one transaction.
pub(crate) const RECEIPTS: usize = 8;
/// Contributors who are paid for each.
pub(crate) const CONTRIBUTORS: usize = 16;

const PAYERS: usize = 16;
const TOKENS_IN: u32 = 50;
const TOKENS_OUT: u32 = 200;
/// 0.001 OPEN for a thousand tokens, split seven to one to two.
const FEES: FeeSchedule = FeeSchedule {
    rate_in: 1_000_000_000_000_000,
    rate_out: 1_000_000_000_000_000,
    platform: Platform::Share(500),
    model_bps: 1000,
    stakers_bps: 2000,
    contributors_bps: 7000,
};

/// A model, and payers with escrow, of one run.
pub(crate) struct Settlements {
    backbone: B256,
    adapter: B256,
    domain: Eip712Domain,
    payers: Vec<Key>,
    /// The most transactions of one operator.
    each: usize,
    ceiling: U256,
    recipients: usize,
}

impl Settlements {
    pub(crate) fn new(size: Size, chain_id: u64, operators: usize) -> Self {
        let of_run = |what: &str| keccak256(format!("openledger bench {what}: {}", size.salt));
        let payer = |index| derived(&format!("openledger bench payer: {}/{index}", size.salt));
        Self {
            backbone: of_run("backbone"),
            adapter: of_run("adapter"),
            domain: eip712::domain(chain_id, INFERENCE_LEDGER),
            payers: (0..PAYERS).map(payer).collect(),
            each: size.transactions.div_ceil(operators),
            ceiling: max_fee(TOKENS_IN, TOKENS_OUT, &FEES).expect("a fee that fits"),
            recipients: size.recipients.max(CONTRIBUTORS),
        }
    }

    /// What has to be done before, by the owner of `InferenceLedger`.
    pub(crate) fn setup(&self, owner: Address, operators: &[Address]) -> Vec<Call> {
        let (backbone, adapter) = (self.backbone, self.adapter);
        let register = IModelRegistry::registerCall {
            backbone,
            adapter,
            datasetRoot: B256::ZERO,
            fees: FEES.into(),
            uri: format!("bench:{owner}"),
        };
        let mut calls = vec![Call::contract(MODEL_REGISTRY, 600_000, register.abi_encode())];
        calls.extend(operators.iter().map(|operator| {
            let call = IInferenceLedger::registerOperatorCall { operator: *operator };
            Call::contract(INFERENCE_LEDGER, 100_000, call.abi_encode())
        }));
        let requests = self.each * operators.len() * RECEIPTS;
        let escrow = self.ceiling * U256::from(requests.div_ceil(PAYERS));
        calls.extend(self.payers.iter().map(|payer| {
            let call = IInferenceLedger::depositForCall { payer: payer.address() };
            Call { value: escrow, ..Call::contract(INFERENCE_LEDGER, 100_000, call.abi_encode()) }
        }));
        calls
    }

    /// An operator's next batch.
    pub(crate) fn call(&self, operator: &Key, sender: usize, number: usize) -> Call {
        let first = (sender * self.each + number) * RECEIPTS;
        let batch = (first..first + RECEIPTS).map(|request| self.settlement(operator, request)).collect();
        let gas = 400_000 + RECEIPTS * (200_000 + CONTRIBUTORS * 40_000);
        Call::contract(INFERENCE_LEDGER, gas as u64, IInferenceLedger::settleCall { batch }.abi_encode())
    }

    fn settlement(&self, operator: &Key, request: usize) -> IInferenceLedger::Settlement {
        let payer = &self.payers[request % PAYERS];
        let nonce = U256::from(request / PAYERS);
        let model_id = eip712::model_id(self.backbone, self.adapter);
        let contributors: Vec<Address> =
            (0..CONTRIBUTORS).map(|index| recipient((request * 31 + index) % self.recipients)).collect();
        let influences: Vec<i64> =
            (0..CONTRIBUTORS).map(|index| 1_000_000 * (1 + ((request + index * 17) % 1000) as i64)).collect();
        let authorization = eip712::PaymentAuthorization {
            payer: payer.address(),
            operator: operator.address(),
            modelId: model_id,
            scheduleId: FEES.id(),
            maxFee: self.ceiling,
            nonce,
            deadline: u64::MAX,
        };
        let receipt = eip712::Receipt {
            requestId: eip712::request_id(payer.address(), nonce),
            modelId: model_id,
            scheduleId: FEES.id(),
            datasetRoot: B256::ZERO,
            payer: payer.address(),
            nonce,
            tokensIn: TOKENS_IN,
            tokensOut: TOKENS_OUT,
            promptHash: keccak256(request.to_be_bytes()),
            outputHash: keccak256((!request).to_be_bytes()),
            influencesHash: eip712::influences_hash(&contributors, &influences),
            scoresRoot: keccak256(request.to_le_bytes()),
        };
        IInferenceLedger::Settlement {
            payerSignature: signature(payer, eip712::signing_hash(&authorization, &self.domain)),
            operatorSignature: signature(operator, eip712::signing_hash(&receipt, &self.domain)),
            authorization: authorization.into(),
            receipt: receipt.into(),
            contributors,
            influences,
        }
    }
}

fn signature(key: &Key, hash: B256) -> Bytes {
    key.sign(&hash).as_bytes().into()
}
