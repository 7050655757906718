//! The genesis state at work: the whole economy in the chain's own EVM, with the real precompile.

mod common;

use alloy::{
    primitives::{Address, B256, Bytes, Log, U256, keccak256},
    signers::{SignerSync as _, local::PrivateKeySigner},
    sol,
    sol_types::{SolCall, SolError as _, SolEvent as _},
};
use alloy_evm::precompiles::PrecompilesMap;
use common::*;
use op_revm::transaction::deposit::DepositTransactionParts;
use openledger_attribution::{
    contracts::{IDatanetRegistry, IInferenceLedger, IModelRegistry},
    eip712,
};
use openledger_batch::L1Info;
use openledger_deploy::{ChainParameters, ChainSettings, Roles, build_genesis};
use openledger_evm::{Evm as _, EvmFactory as _, OpEvm, OpSpecId, OpTx, OpenLedgerEvmFactory, block_env};
use openledger_primitives::{ChainSpec, Header, addresses};
use openledger_trie::{EMPTY_ROOT_HASH, EmptyStore};
use revm::{
    DatabaseCommit as _,
    context::{TxEnv, result::ExecutionResult},
    database::InMemoryDB,
    inspector::NoOpInspector,
    primitives::TxKind,
    state::{AccountInfo, Bytecode},
};

const CHAIN_ID: u64 = 20300;
const NOW: u64 = 1_800_000_000;
const OPEN: u128 = 1_000_000_000_000_000_000;

fn settings() -> ChainSettings {
    ChainSettings {
        chain: ChainParameters {
            l2_chain_id: CHAIN_ID,
            block_time: 1,
            gas_limit: 60_000_000,
            eip1559_denominator: 250,
            eip1559_elasticity: 6,
            min_base_fee: 1_000_000_000,
            da_footprint_gas_scalar: 200,
            sequencing_window: 3600,
            submission_interval: 30,
            withdrawal_delay: 60,
        },
        roles: Roles {
            owner: Address::repeat_byte(1),
            batcher: BATCHER.parse().unwrap(),
            proposer: PROPOSER.parse().unwrap(),
            operators: vec![OPERATOR.parse().unwrap()],
        },
        funded: vec![PAYER.parse().unwrap()],
        fund_amount: U256::from(100 * OPEN),
    }
}

/// The genesis state as a database.
fn genesis_state() -> InMemoryDB {
    let genesis = build_genesis(&settings(), &artifacts(), NOW).unwrap();
    let mut db = InMemoryDB::default();
    for (address, account) in genesis.alloc {
        let info =
            AccountInfo { balance: account.balance, nonce: account.nonce.unwrap_or_default(), ..Default::default() };
        let code = Bytecode::new_raw(account.code.unwrap_or_default());
        db.insert_account_info(address, info.with_code(code));
        for (slot, value) in account.storage.into_iter().flatten() {
            db.insert_account_storage(address, slot.into(), value.into()).unwrap();
        }
    }
    db
}

struct Chain {
    evm: OpEvm<InMemoryDB, NoOpInspector, PrecompilesMap>,
    gas_used: u64,
    logs: Vec<Log>,
}

impl Chain {
    fn new() -> Self {
        let header = Header {
            number: 1,
            timestamp: NOW,
            gas_limit: 60_000_000,
            base_fee_per_gas: Some(0),
            ..Default::default()
        };
        let env = block_env(&ChainSpec::new(CHAIN_ID), &header);
        Self { evm: OpenLedgerEvmFactory.create_evm(genesis_state(), env), gas_used: 0, logs: Vec::new() }
    }

    /// Sends a call; its result, or what it reverted with.
    fn send<C: SolCall>(&mut self, from: Address, to: Address, value: u128, call: &C) -> Result<C::Return, Bytes> {
        let output = self.send_raw(from, to, value, call.abi_encode().into())?;
        Ok(C::abi_decode_returns(&output).unwrap())
    }

    /// Sends a transaction; its output, or what it reverted with.
    fn send_raw(&mut self, from: Address, to: Address, value: u128, data: Bytes) -> Result<Bytes, Bytes> {
        let nonce = self.evm.db().cache.accounts.get(&from).map(|account| account.info.nonce).unwrap_or_default();
        let base = TxEnv::builder()
            .caller(from)
            .kind(TxKind::Call(to))
            .value(U256::from(value))
            .data(data)
            .nonce(nonce)
            .gas_limit(50_000_000)
            .gas_price(0)
            .chain_id(Some(CHAIN_ID))
            .build_fill();
        // A deposit as far as fees go: these tests are not about them.
        let deposit = DepositTransactionParts { source_hash: B256::repeat_byte(1), ..Default::default() };
        let base = TxEnv { tx_type: 0x7e, ..base };
        let tx = op_revm::OpTransaction { base, enveloped_tx: Some(Bytes::new()), deposit };
        let outcome = self.evm.transact_raw(OpTx(tx)).expect("no transaction aborts execution");
        self.evm.db_mut().commit(outcome.state);
        self.gas_used = outcome.result.tx_gas_used();
        match outcome.result {
            ExecutionResult::Success { output, logs, .. } => {
                self.logs = logs;
                Ok(output.into_data())
            }
            ExecutionResult::Revert { output, .. } => Err(output),
            ExecutionResult::Halt { reason, .. } => panic!("halted: {reason:?}"),
        }
    }

    /// What the `L1Block` contract says.
    fn l1_info(&mut self) -> L1Info {
        macro_rules! get {
            ($call:expr) => {
                self.send(Address::repeat_byte(8), addresses::L1_BLOCK, 0, &$call).unwrap()
            };
        }
        L1Info {
            number: get!(numberCall {}),
            timestamp: get!(timestampCall {}),
            base_fee: get!(basefeeCall {}).to(),
            blob_base_fee: get!(blobBaseFeeCall {}).to(),
            hash: get!(hashCall {}),
            sequence_number: get!(sequenceNumberCall {}),
            batcher_address: Address::from_word(get!(batcherHashCall {})),
            base_fee_scalar: get!(baseFeeScalarCall {}),
            blob_base_fee_scalar: get!(blobBaseFeeScalarCall {}),
            operator_fee_scalar: get!(operatorFeeScalarCall {}),
            operator_fee_constant: get!(operatorFeeConstantCall {}),
            da_footprint_gas_scalar: get!(daFootprintGasScalarCall {}),
        }
    }

    fn balance(&self, address: Address) -> U256 {
        self.evm.db().cache.accounts.get(&address).map(|account| account.info.balance).unwrap_or_default()
    }
}

fn signer(key: &str) -> PrivateKeySigner {
    key.parse().unwrap()
}

#[test]
fn an_inference_is_paid_to_the_wei() {
    let mut chain = Chain::new();
    let (payer, operator) = (signer(PAYER_KEY), signer(OPERATOR_KEY));
    let developer = Address::repeat_byte(0xde);
    let root = B256::repeat_byte(0x77);

    let create = IDatanetRegistry::createDatanetCall { name: "construction law".into() };
    let datanet = chain.send(developer, addresses::DATANET_REGISTRY, 0, &create).unwrap();
    let publish =
        IDatanetRegistry::publishVersionCall { datanetId: datanet, root, count: 503, uri: "file:faq.jsonl".into() };
    assert_eq!(chain.send(developer, addresses::DATANET_REGISTRY, 0, &publish).unwrap(), 1);

    let fees = IModelRegistry::FeeSchedule {
        rateIn: OPEN / 5,
        rateOut: OPEN * 2 / 5,
        platformKind: 0,
        platformValue: OPEN / 2,
        modelBps: 7000,
        stakersBps: 1000,
        contributorsBps: 2000,
    };
    let (backbone, adapter) = (B256::repeat_byte(1), B256::repeat_byte(2));
    let register = IModelRegistry::registerCall { backbone, adapter, datasetRoot: root, fees, uri: String::new() };
    let model = chain.send(developer, addresses::MODEL_REGISTRY, 0, &register).unwrap();
    assert_eq!(model, eip712::model_id(backbone, adapter));
    let schedule = chain
        .send(developer, addresses::MODEL_REGISTRY, 0, &IModelRegistry::scheduleIdCall { modelId: model })
        .unwrap();

    chain.send(payer.address(), addresses::INFERENCE_LEDGER, 10 * OPEN, &IInferenceLedger::depositCall {}).unwrap();

    // Signed as the payer's wallet and the operator's server sign: from the Rust side of the specification.
    let domain = eip712::domain(CHAIN_ID, addresses::INFERENCE_LEDGER);
    let separator =
        chain.send(developer, addresses::INFERENCE_LEDGER, 0, &IInferenceLedger::domainSeparatorCall {}).unwrap();
    assert_eq!(separator, domain.separator());
    let nonce = U256::from(42);
    let (alice, bob) = (Address::repeat_byte(0xa1), Address::repeat_byte(0xb0));
    let (contributors, influences) = (vec![bob, alice, Address::repeat_byte(3)], vec![750, 250, -5000]);
    let authorization = eip712::PaymentAuthorization {
        payer: payer.address(),
        operator: operator.address(),
        modelId: model,
        scheduleId: schedule,
        maxFee: U256::from(2 * OPEN),
        nonce,
        deadline: NOW + 60,
    };
    let receipt = eip712::Receipt {
        requestId: eip712::request_id(payer.address(), nonce),
        modelId: model,
        scheduleId: schedule,
        datasetRoot: root,
        payer: payer.address(),
        nonce,
        tokensIn: 800,
        tokensOut: 1200,
        promptHash: keccak256("prompt"),
        outputHash: keccak256("answer"),
        influencesHash: eip712::influences_hash(&contributors, &influences),
        scoresRoot: B256::repeat_byte(5),
    };
    let receipt_hash = eip712::signing_hash(&receipt, &domain);
    let sign = |signer: &PrivateKeySigner, hash| Bytes::from(signer.sign_hash_sync(&hash).unwrap().as_bytes());
    let settlement = IInferenceLedger::Settlement {
        payerSignature: sign(&payer, eip712::signing_hash(&authorization, &domain)),
        operatorSignature: sign(&operator, receipt_hash),
        authorization: authorization.into(),
        receipt: receipt.clone().into(),
        contributors,
        influences,
    };
    let settle = IInferenceLedger::settleCall { batch: vec![settlement] };
    chain.send(operator.address(), addresses::INFERENCE_LEDGER, 0, &settle).unwrap();
    println!("one settlement of three contributors: {} gas", chain.gas_used);

    let log = chain.logs.iter().find(|log| log.topics()[0] == IInferenceLedger::Settled::SIGNATURE_HASH).unwrap();
    let event = IInferenceLedger::Settled::decode_log(log).unwrap().data;
    let milli = |n: u128| U256::from(n * OPEN / 1000);
    assert_eq!((event.requestId, event.payer, event.modelId), (receipt.requestId, payer.address(), model));
    assert_eq!(event.receiptHash, receipt_hash);
    assert_eq!([event.fee, event.model, event.stakers], [milli(1140), milli(448), milli(64)]);
    assert_eq!([event.contributors, event.platform, event.dust], [milli(128), milli(500), U256::ZERO]);
    assert_eq!((chain.balance(alice), chain.balance(bob)), (milli(32), milli(96)));
    assert_eq!(chain.balance(addresses::INFERENCE_LEDGER), milli(10_000 - 128));
    let mut asked = |account| {
        chain.send(developer, addresses::INFERENCE_LEDGER, 0, &IInferenceLedger::creditOfCall { account }).unwrap()
    };
    assert_eq!(
        [asked(developer), asked(addresses::STAKE_MANAGER), asked(addresses::TREASURY)],
        [milli(448), milli(64), milli(500)]
    );

    // Once is enough.
    let again = chain.send(operator.address(), addresses::INFERENCE_LEDGER, 0, &settle).unwrap_err();
    assert_eq!(again[..4], IInferenceLedger::NonceAlreadyUsed::SELECTOR);
}

sol! {
    function number() external view returns (uint64);
    function timestamp() external view returns (uint64);
    function basefee() external view returns (uint256);
    function blobBaseFee() external view returns (uint256);
    function hash() external view returns (bytes32);
    function sequenceNumber() external view returns (uint64);
    function batcherHash() external view returns (bytes32);
    function baseFeeScalar() external view returns (uint32);
    function blobBaseFeeScalar() external view returns (uint32);
    function operatorFeeScalar() external view returns (uint32);
    function operatorFeeConstant() external view returns (uint64);
    function daFootprintGasScalar() external view returns (uint16);
    function getOperatorFee(uint256 gasUsed) external view returns (uint256);
    function getL1Fee(bytes unsignedTransaction) external view returns (uint256);
}

/// The attributes that derivation writes arrive in the contract, and where the engine looks for fees.
#[test]
fn l1_attributes_arrive() {
    let mut chain = Chain::new();
    // What other networks wrote, and then a value for each bit.
    let vectors = include_str!("../../protocol/batch/tests/vectors/l1_attributes.json");
    for vector in serde_json::from_str::<Vec<serde_json::Value>>(vectors).unwrap() {
        let calldata: Bytes = vector["calldata"].as_str().unwrap().parse().unwrap();
        chain.send_raw(addresses::L1_ATTRIBUTES_DEPOSITOR, addresses::L1_BLOCK, 0, calldata.clone()).unwrap();
        assert_eq!(chain.l1_info(), L1Info::decode(&calldata).unwrap(), "{}", vector["name"]);
    }
    let info = L1Info {
        number: 0x0102_0304_0506_0708,
        timestamp: 0x1112_1314_1516_1718,
        base_fee: 1_055_991_687,
        blob_base_fee: 17,
        hash: B256::repeat_byte(0xaa),
        sequence_number: 0x2122_2324_2526_2728,
        batcher_address: Address::repeat_byte(0xbb),
        base_fee_scalar: 5227,
        blob_base_fee_scalar: 1_014_213,
        operator_fee_scalar: 0x3132_3334,
        operator_fee_constant: 0x4142_4344_4546_4748,
        da_footprint_gas_scalar: 0x5152,
    };
    let sent = chain.send_raw(addresses::L1_ATTRIBUTES_DEPOSITOR, addresses::L1_BLOCK, 0, info.encode());
    assert!(sent.is_ok(), "{sent:?}");
    assert_eq!(chain.l1_info(), info);

    let mut engine = op_revm::L1BlockInfo::try_fetch(chain.evm.db_mut(), U256::from(1), OpSpecId::JOVIAN).unwrap();
    assert_eq!(engine.da_footprint_gas_scalar, Some(info.da_footprint_gas_scalar));
    let gas = U256::from(123_456);
    let asked = getOperatorFeeCall { gasUsed: gas };
    let quoted = chain.send(Address::repeat_byte(8), addresses::GAS_PRICE_ORACLE, 0, &asked).unwrap();
    assert_eq!(quoted, engine.operator_fee_charge(&[2], gas, OpSpecId::JOVIAN));

    // The engine measures the signed transaction; the oracle adds 68 bytes for the signature. Both lie at the minimum here.
    let transaction = Bytes::from_static(&[2; 20]);
    let asked = getL1FeeCall { unsignedTransaction: transaction.clone() };
    let quoted = chain.send(Address::repeat_byte(8), addresses::GAS_PRICE_ORACLE, 0, &asked).unwrap();
    assert_eq!(quoted, engine.calculate_tx_l1_cost(&transaction, OpSpecId::JOVIAN));
    assert!(!quoted.is_zero());
}

#[test]
fn the_owner_and_the_operators_are_those_of_the_settings() {
    let mut chain = Chain::new();
    let new = IInferenceLedger::registerOperatorCall { operator: Address::repeat_byte(9) };
    assert!(chain.send(Address::repeat_byte(8), addresses::INFERENCE_LEDGER, 0, &new).is_err());
    chain.send(Address::repeat_byte(1), addresses::INFERENCE_LEDGER, 0, &new).unwrap();
    let empty = IInferenceLedger::settleCall { batch: vec![] };
    let refused = chain.send(Address::repeat_byte(8), addresses::INFERENCE_LEDGER, 0, &empty).unwrap_err();
    assert_eq!(refused[..4], IInferenceLedger::NotOperator::SELECTOR);
}

#[test]
fn genesis_is_the_same_every_time_and_holds_what_was_funded() {
    let build = || build_genesis(&settings(), &artifacts(), NOW).unwrap();
    let genesis = build();
    assert_eq!(genesis, build());
    let supply: U256 = genesis.alloc.values().map(|account| account.balance).sum();
    assert_eq!(Some(supply), settings().genesis_supply());

    // Two tries agree on its root.
    let (block, changes) = openledger_stf::genesis::block_and_state(&genesis).unwrap();
    let update = openledger_trie::state_root(&EmptyStore, EMPTY_ROOT_HASH, &changes).unwrap();
    assert_eq!(update.root, block.header.state_root);

    let text = serde_json::to_string(&genesis).unwrap();
    assert_eq!(serde_json::from_str::<alloy_genesis::Genesis>(&text).unwrap(), genesis);
}
