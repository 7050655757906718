//! The floor: what signature recovery and execution cost alone, without pool, roots, storage and RPC.

use alloy_consensus::transaction::SignerRecoverable as _;
use alloy_eips::Decodable2718 as _;
use alloy_evm::{Evm as _, EvmEnv, EvmFactory as _, FromTxWithEncoded as _};
use alloy_genesis::Genesis;
use alloy_primitives::{Address, U256};
use openledger_deploy::Artifacts;
use openledger_evm::{OpSpecId, OpTx, OpenLedgerEvmFactory, next_block_env};
use openledger_primitives::{BlockAttributes, ChainSpec, Header, Transaction};
use openledger_stf::genesis;
use revm::{
    bytecode::Bytecode,
    database::{CacheDB, EmptyDB},
    state::AccountInfo,
};

use crate::{
    BenchError,
    account::{Account, Signed, Terms},
    measure::Options,
    plan::{Plan, Scenario, Size},
    run::default_funder,
    usage::processor_seconds,
};

/// More transactions than this do not make the average better.
const ENOUGH: usize = 20_000;

/// What the same transactions cost without a node.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    pub(crate) scenario: Scenario,
    pub(crate) state: String,
    pub(crate) transactions: usize,
    /// Processor seconds of decoding and recovery of the senders.
    pub(crate) recover: f64,
    /// Processor seconds of execution and of the commit to a map in memory.
    pub(crate) execute: f64,
}

/// A genesis in memory.
pub(crate) struct Memory {
    state: CacheDB<EmptyDB>,
    env: EvmEnv<OpSpecId>,
    terms: Terms,
}

impl Memory {
    /// Loads a genesis; the first block's rules and base fee apply.
    pub(crate) fn new(genesis: &Genesis, spec: &ChainSpec) -> Result<Self, BenchError> {
        let mut state = CacheDB::new(EmptyDB::default());
        for (address, account) in &genesis.alloc {
            let code = account.code.clone().map(Bytecode::new_raw);
            let (nonce, balance) = (account.nonce.unwrap_or_default(), account.balance);
            let info = AccountInfo { nonce, balance, ..AccountInfo::default() };
            state.insert_account_info(*address, code.map_or(info.clone(), |code| info.with_code(code)));
            for (slot, value) in account.storage.iter().flatten() {
                let (slot, value) = (U256::from_be_bytes(slot.0), U256::from_be_bytes(value.0));
                state.insert_account_storage(*address, slot, value).map_err(failed)?;
            }
        }
        let (block, _) =
            genesis::block_and_state(&Genesis { alloc: Default::default(), ..genesis.clone() }).map_err(failed)?;
        let parent: Header = block.header;
        let attributes =
            BlockAttributes { timestamp: parent.timestamp + 1, gas_limit: u64::MAX, ..BlockAttributes::default() };
        let base_fee = parent.base_fee_per_gas.unwrap_or_default();
        let env = next_block_env(spec, &parent, &attributes, base_fee);
        let terms = Terms { chain_id: spec.chain_id, max_fee: u128::from(base_fee) * 2 };
        Ok(Self { state, env, terms })
    }

    /// Signs, prepares, and executes a scenario; only recovery and execution are timed. The state is left as it was.
    pub(crate) fn measure(
        &self,
        scenario: Scenario,
        state: &str,
        options: &Options,
        artifacts: &Artifacts,
    ) -> Result<Floor, BenchError> {
        let mut funder = Account { key: default_funder(), nonce: 0 };
        let senders = (0..options.senders).map(|index| Account { key: Account::sender(index), nonce: 0 }).collect();
        let Options { connections: lanes, recipients, .. } = *options;
        let transactions = options.transactions.min(ENOUGH);
        let size = Size { transactions, lanes, recipients, salt: 0 };
        let Plan { setup, lanes } = Plan::new(scenario, size, &self.terms, artifacts, &mut funder, senders)?;
        let mut evm = OpenLedgerEvmFactory.create_evm(self.state.clone(), self.env.clone());
        let mut run = |(transaction, sender): (Transaction, Address), signed: &Signed| {
            let tx = OpTx::from_encoded_tx(&transaction, sender, signed.raw.clone());
            let result = evm.transact_commit(tx).map_err(failed)?;
            if result.is_success() { Ok(()) } else { Err(failed(format!("{result:?}"))) }
        };
        for signed in &setup {
            run(recover(signed)?, signed)?;
        }
        let signed: Vec<Signed> = lanes.into_iter().flatten().collect();

        let (recovered, recover) = timed(|| signed.iter().map(recover).collect::<Result<Vec<_>, _>>());
        let recovered = recovered?;
        let (executed, execute) = timed(|| {
            let mut pairs = recovered.into_iter().zip(&signed);
            pairs.try_for_each(|(transaction, signed)| run(transaction, signed))
        });
        executed?;
        Ok(Floor { scenario, state: state.to_owned(), transactions: signed.len(), recover, execute })
    }
}

/// What this thread alone computed, however busy the machine is.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let now = || processor_seconds("thread-self").unwrap_or_default();
    let started = now();
    let result = work();
    (result, now() - started)
}

fn recover(signed: &Signed) -> Result<(Transaction, Address), BenchError> {
    let transaction = Transaction::decode_2718(&mut signed.raw.as_ref()).map_err(failed)?;
    let sender = transaction.recover_signer().map_err(failed)?;
    Ok((transaction, sender))
}

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Execution(error.to_string())
}
