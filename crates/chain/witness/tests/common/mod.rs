//! A chain in a real database, and transactions that read and change its state in many ways.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;

use alloy_consensus::{
    SignableTransaction, TxEip1559,
    transaction::{Recovered, SignerRecoverable},
};
use alloy_eips::{Encodable2718, eip2935, eip4788};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, bytes};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use op_alloy_consensus::TxDeposit;
use openledger_attribution::{BatchBuilder, FeeSchedule, Platform, Usage};
use openledger_primitives::{Block, BlockAttributes, ChainSpec, Transaction, addresses};
use openledger_stf::{ExecutedBlock, StateReader, execute_block, genesis};
use openledger_storage::{Database, DatabaseOptions};
use openledger_witness::{Witness, WitnessError, record};

pub(crate) const SPEC: ChainSpec = ChainSpec::new(20300);
/// Sets the slots in its calldata: pairs of words, slot and value.
pub(crate) const STORE: Address = address!("00000000000000000000000000000000000057e0");
/// Puts the hash of the block so many blocks back, as its calldata says, into slot 0.
pub(crate) const HASHES: Address = address!("000000000000000000000000000000000000b10c");
/// More than any of these blocks reads.
pub(crate) const MAX_BYTES: usize = 4 << 20;

pub(crate) struct Node {
    pub(crate) db: Database,
    _folder: tempfile::TempDir,
}

impl Node {
    pub(crate) fn new() -> Self {
        let code = |code: Bytes| GenesisAccount {
            nonce: Some(1),
            balance: U256::ZERO,
            code: Some(code),
            ..Default::default()
        };
        let mut store = code(bytes!("5f5b36811060095700 5b80602001358135556040016001 56"));
        store.storage = Some((1..40).map(|i| (B256::with_last_byte(i), B256::with_last_byte(1))).collect());
        let genesis = Genesis {
            alloc: BTreeMap::from([
                (eip2935::HISTORY_STORAGE_ADDRESS, code(eip2935::HISTORY_STORAGE_CODE.clone())),
                (eip4788::BEACON_ROOTS_ADDRESS, code(eip4788::BEACON_ROOTS_CODE.clone())),
                (addresses::L1_BLOCK, code(bytes!("00"))),
                (addresses::L2_TO_L1_MESSAGE_PASSER, code(bytes!("00"))),
                (STORE, store),
                (HASHES, code(bytes!("5f354303405f5500"))),
                (signer().address(), GenesisAccount { balance: U256::from(1e18), ..Default::default() }),
            ]),
            gas_limit: 30_000_000,
            extra_data: bytes!("01 000000fa 00000006 00000000000f4240"),
            base_fee_per_gas: Some(1_000_000),
            timestamp: 1000,
            ..Default::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let options = DatabaseOptions { cache_bytes: 8 << 20, state_cache_bytes: 1 << 20, max_open_files: 64 };
        let db = Database::open(folder.path(), &options).unwrap();
        let (block, state) = genesis::block_and_state(&genesis).unwrap();
        db.init_genesis(&block, &state).unwrap();
        Self { db, _folder: folder }
    }

    /// Executes a block with these steps and appends it.
    pub(crate) fn advance(&self, steps: &[Step]) -> ExecutedBlock {
        let state = self.db.latest().unwrap();
        let parent = self.db.header(state.block().number).unwrap().unwrap();
        let nonce = state.account(&signer().address()).unwrap().unwrap().nonce;
        let mut transactions = Vec::new();
        for step in steps {
            let signed = transactions.iter().filter(|tx: &&Recovered<Transaction>| !tx.is_deposit()).count() as u64;
            transactions.push(step.transaction(nonce + signed));
        }
        let attributes = BlockAttributes {
            timestamp: parent.timestamp + 1,
            prev_randao: B256::repeat_byte(7),
            fee_recipient: addresses::SEQUENCER_FEE_VAULT,
            parent_beacon_block_root: B256::repeat_byte(9),
            gas_limit: 30_000_000,
            min_base_fee: 1_000_000,
            transactions: transactions.iter().map(|tx| tx.inner().encoded_2718().into()).collect(),
            no_tx_pool: true,
            ..Default::default()
        };
        let block = execute_block(&state, &state, &SPEC, &parent, &attributes).unwrap();
        self.db.commit_block(&block).unwrap();
        block
    }

    /// The witness of a block of this chain, from the state before it, which need not be the newest.
    pub(crate) fn witness(&self, block: &Block, max_bytes: usize) -> Result<Witness, WitnessError> {
        let number = block.header.number - 1;
        let parent = self.db.header(number).unwrap().unwrap();
        let header = |number| Ok(self.db.header(number)?.expect("an ancestor").into_inner());
        record(&self.db.state_at(number).unwrap(), &parent, &SPEC, block, header, max_bytes)
    }
}

/// What a transaction does.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Sends wei, maybe to an account that is not there.
    Transfer { to: u8, value: u64 },
    /// Sets slots of [`STORE`]; zero clears.
    Store(Vec<(u8, u64)>),
    /// Creates a contract that sets a slot.
    Create,
    /// Creates a contract that sets a slot and destroys itself.
    Die,
    /// Asks for a block hash.
    Hash(u8),
    /// Deposits: mints, and calls [`STORE`] with this much gas, which may not be enough.
    Deposit { mint: u64, gas_limit: u64 },
    /// Settles a batch with contributors.
    Settle(Vec<u8>),
}

impl Step {
    fn transaction(&self, nonce: u64) -> Recovered<Transaction> {
        let word = |value: u64| B256::from(U256::from(value));
        let (to, value, input): (TxKind, u64, Bytes) = match self {
            Self::Transfer { to, value } => (TxKind::Call(Address::repeat_byte(*to)), *value, Bytes::new()),
            Self::Store(slots) => {
                let words = slots.iter().flat_map(|(slot, value)| [word((*slot).into()), word(*value)]);
                (TxKind::Call(STORE), 0, words.flat_map(|word| word.0).collect())
            }
            Self::Create => (TxKind::Create, 7, bytes!("6001 5f55 6001 5ff3")),
            Self::Die => (TxKind::Create, 7, bytes!("6001 5f55 33ff")),
            Self::Hash(back) => (TxKind::Call(HASHES), 0, word((*back).into()).0.into()),
            Self::Deposit { mint, gas_limit } => {
                let from = Address::repeat_byte(0xde);
                let deposit = TxDeposit {
                    source_hash: B256::repeat_byte(3),
                    from,
                    to: TxKind::Call(STORE),
                    mint: (*mint).into(),
                    gas_limit: *gas_limit,
                    input: [word(1), word(0)].concat().into(),
                    ..Default::default()
                };
                return Recovered::new_unchecked(deposit.into(), from);
            }
            Self::Settle(contributors) => {
                let schedule = FeeSchedule {
                    rate_in: 1_000_000,
                    rate_out: 0,
                    platform: Platform::Flat(0),
                    model_bps: 0,
                    stakers_bps: 0,
                    contributors_bps: 10_000,
                };
                let usage = Usage { tokens_in: 1000, tokens_out: 0 };
                let paid = contributors.iter().map(|who| (Address::repeat_byte(*who), 3)).collect();
                let batch = BatchBuilder::default().receipt(usage, schedule, paid).build().unwrap();
                (TxKind::Call(addresses::SETTLE), 0, batch.encode().into())
            }
        };
        let tx = TxEip1559 {
            chain_id: SPEC.chain_id,
            nonce,
            gas_limit: 1_000_000,
            max_fee_per_gas: 2_000_000,
            max_priority_fee_per_gas: 1000,
            to,
            value: U256::from(value),
            input,
            ..Default::default()
        };
        let signature = signer().sign_hash_sync(&tx.signature_hash()).unwrap();
        Transaction::from(tx.into_signed(signature)).try_into_recovered().unwrap()
    }
}

pub(crate) fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).unwrap()
}
