//! A chain of one block over a database in memory, and small contracts that call `SETTLE`.
#![allow(dead_code, reason = "each test file uses its part")]

use alloy_evm::precompiles::PrecompilesMap;
use alloy_primitives::{Address, Bytes, U256, address, bytes};
use op_revm::OpTransaction;
use openledger_attribution::{Batch, BatchBuilder, FeeSchedule, Platform, Usage};
use openledger_evm::{Evm, EvmFactory, OpEvm, OpHaltReason, OpTx};
use openledger_primitives::{ChainSpec, Header, addresses};
use revm::{
    context::{
        TxEnv,
        result::{ExecutionResult, ResultAndState},
    },
    database::InMemoryDB,
    inspector::NoOpInspector,
    primitives::TxKind,
    state::{AccountInfo, Bytecode},
};

pub(crate) const USER: Address = address!("00000000000000000000000000000000000000ee");
pub(crate) const CONTRACT: Address = address!("0000000000000000000000000000000000c0ffee");
pub(crate) const ALICE: Address = address!("00000000000000000000000000000000000a11ce");
pub(crate) const BOB: Address = address!("0000000000000000000000000000000000000b0b");
pub(crate) const GAS: u64 = 10_000_000;

/// How a contract reaches the precompile.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Opcode {
    Call,
    CallWithValue,
    CallCode,
    DelegateCall,
    StaticCall,
}

/// Code that calls `SETTLE` with the gas in the first word of its input and the rest as data, and ends with the success
/// flag and what came back: returning it, or reverting with it.
pub(crate) fn forwarder(opcode: Opcode, revert: bool) -> Bytes {
    let (value, opcode): (&[u8], u8) = match opcode {
        Opcode::Call => (&[0x5f], 0xf1),
        Opcode::CallWithValue => (&[0x60, 0x01], 0xf1),
        Opcode::CallCode => (&[0x5f], 0xf2),
        Opcode::DelegateCall => (&[], 0xf4),
        Opcode::StaticCall => (&[], 0xfa),
    };
    let mut code = bytes!("60203603 6020 5f 37 5f 5f 60203603 5f").to_vec(); // copy the data; its place for the call
    code.extend(value);
    code.extend(bytes!("61a001 5f35")); // address, gas
    code.push(opcode);
    code.extend(bytes!("3d 5f 6020 3e 5f 52 3d 6020 01 5f")); // flag ‖ what came back
    code.push(if revert { 0xfd } else { 0xf3 });
    code.into()
}

/// Input for [`forwarder`].
pub(crate) fn forwarded(gas: u64, data: &[u8]) -> Bytes {
    [&U256::from(gas).to_be_bytes::<32>()[..], data].concat().into()
}

pub(crate) struct Chain {
    pub(crate) evm: OpEvm<InMemoryDB, NoOpInspector, PrecompilesMap>,
}

impl Chain {
    /// Accounts with balances; `CONTRACT` with 1000 wei and the given code.
    pub(crate) fn new(code: Bytes, balances: &[(Address, u64)]) -> Self {
        let mut db = InMemoryDB::default();
        let code = Bytecode::new_raw(code);
        let contract = AccountInfo { balance: U256::from(1000), nonce: 1, ..Default::default() }.with_code(code);
        db.insert_account_info(CONTRACT, contract);
        db.insert_account_info(USER, AccountInfo { balance: U256::from(1000), ..Default::default() });
        for (address, balance) in balances {
            db.insert_account_info(
                *address,
                AccountInfo { balance: U256::from(*balance), nonce: 1, ..Default::default() },
            );
        }
        let header = Header { number: 1, gas_limit: 2 * GAS, base_fee_per_gas: Some(0), ..Default::default() };
        let env = openledger_evm::block_env(&ChainSpec::new(20300), &header);
        Self { evm: openledger_evm::OpenLedgerEvmFactory.create_evm(db, env) }
    }

    pub(crate) fn transact(
        &mut self,
        to: Address,
        value: u64,
        data: Bytes,
        warm: &[Address],
    ) -> ResultAndState<OpHaltReason> {
        let access_list = warm
            .iter()
            .map(|address| revm::context::transaction::AccessListItem { address: *address, storage_keys: Vec::new() });
        let base = TxEnv::builder()
            .caller(USER)
            .kind(TxKind::Call(to))
            .value(U256::from(value))
            .data(data)
            .gas_limit(GAS)
            .gas_price(0)
            .access_list(access_list.collect::<Vec<_>>().into())
            .chain_id(Some(20300))
            .build_fill();
        let tx = OpTransaction { base, enveloped_tx: Some(Bytes::new()), deposit: Default::default() };
        self.evm.transact_raw(OpTx(tx)).expect("no transaction aborts execution")
    }

    /// Calls the contract; its flag and what `SETTLE` answered.
    pub(crate) fn forward(&mut self, gas: u64, data: &[u8]) -> (bool, Bytes, ResultAndState<OpHaltReason>) {
        let outcome = self.transact(CONTRACT, 0, forwarded(gas, data), &[]);
        let output = outcome.result.output().expect("the contract itself does not halt").clone();
        (output[31] == 1, output.slice(32..), outcome)
    }

    /// Calls the precompile as a transaction.
    pub(crate) fn direct(&mut self, value: u64, data: &[u8]) -> ResultAndState<OpHaltReason> {
        self.transact(addresses::SETTLE, value, data.to_vec().into(), &[])
    }
}

/// Balance after a transaction; 0 for an account that it did not touch.
pub(crate) fn balance(outcome: &ResultAndState<OpHaltReason>, address: Address) -> u64 {
    outcome.state.get(&address).map(|account| account.info.balance.to()).unwrap_or_default()
}

/// Whether the transaction wrote to the account.
pub(crate) fn is_touched(outcome: &ResultAndState<OpHaltReason>, address: Address) -> bool {
    outcome.state.get(&address).is_some_and(|account| account.is_touched())
}

pub(crate) fn revert_data(outcome: &ResultAndState<OpHaltReason>) -> Bytes {
    match &outcome.result {
        ExecutionResult::Revert { output, .. } => output.clone(),
        other => panic!("expected a revert, got {other:?}"),
    }
}

/// A receipt over `net` wei of which all goes to the contributors.
pub(crate) fn batch(net: u64, influences: &[(Address, i64)]) -> Batch {
    let schedule = FeeSchedule {
        rate_in: net.into(),
        rate_out: 0,
        platform: Platform::Flat(7),
        model_bps: 0,
        stakers_bps: 0,
        contributors_bps: 10_000,
    };
    let usage = Usage { tokens_in: 1000, tokens_out: 0 };
    BatchBuilder::default().receipt(usage, schedule, influences.to_vec()).build().unwrap()
}
