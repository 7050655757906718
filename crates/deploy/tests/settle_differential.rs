//! The precompile `SETTLE` beside its reference in Solidity (`contracts/test/SettleReference.sol`): the same answer, the
//! same error and the same payments for every input, and what each costs.

use std::collections::BTreeMap;

use alloy::{
    primitives::{Address, Bytes, U256, address},
    sol,
    sol_types::{SolCall as _, SolError as _},
};
use openledger_attribution::{Batch, BatchBuilder, FeeSchedule, Platform, Usage, contracts::ISettle};
use openledger_deploy::{Artifacts, construct};
use openledger_evm::{Evm as _, EvmFactory as _, OpHaltReason, OpTx, OpenLedgerEvmFactory, block_env};
use openledger_primitives::{ChainSpec, Header, addresses};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use revm::{
    context::{
        TxEnv,
        result::{ExecutionResult, ResultAndState},
    },
    database::InMemoryDB,
    primitives::TxKind,
    state::{AccountInfo, Bytecode},
};

sol! {
    function split(bytes input) external pure returns (uint256[] words, address[] accounts, uint256[] rewards);
    function settle(bytes input) external returns (uint256[] words);
}

const CHAIN_ID: u64 = 20300;
const USER: Address = address!("00000000000000000000000000000000000000ee");
const REFERENCE: Address = address!("00000000000000000000000000000000005e771e");
/// More than any batch here pays out, and far from overflowing.
const RICHES: U256 = U256::from_limbs([0, 0, 0, 1 << 62]);

/// A caller without limits, the reference, and a state that no transaction changes.
struct Bench {
    db: InMemoryDB,
}

impl Bench {
    fn new() -> Self {
        let artifacts = Artifacts::new(openledger_testing::workspace().join("contracts/out"));
        let creation = artifacts.creation_code("SettleReference.sol", "SettleReference", &[]).unwrap();
        let code = Bytecode::new_raw(construct(CHAIN_ID, REFERENCE, creation).unwrap().code);
        let mut db = InMemoryDB::default();
        let rich = AccountInfo { balance: RICHES, ..Default::default() };
        db.insert_account_info(REFERENCE, AccountInfo { nonce: 1, ..rich.clone() }.with_code(code));
        db.insert_account_info(USER, rich);
        Self { db }
    }

    fn call(&self, to: Address, data: Bytes) -> ResultAndState<OpHaltReason> {
        let header = Header { number: 1, gas_limit: u64::MAX, base_fee_per_gas: Some(0), ..Default::default() };
        let mut evm = OpenLedgerEvmFactory.create_evm(self.db.clone(), block_env(&ChainSpec::new(CHAIN_ID), &header));
        let base = TxEnv::builder()
            .caller(USER)
            .kind(TxKind::Call(to))
            .data(data)
            .gas_limit(1 << 40)
            .gas_price(0)
            .chain_id(Some(CHAIN_ID))
            .build_fill();
        let tx = op_revm::OpTransaction { base, enveloped_tx: Some(Bytes::new()), deposit: Default::default() };
        evm.transact_raw(OpTx(tx)).expect("no transaction aborts execution")
    }

    /// Asks both about `input`; fails unless they agree. The error's code, or `None` if there is no error.
    fn compare(&self, input: &[u8]) -> Option<u8> {
        let shown = || alloy::hex::encode(input);
        let precompile = self.call(addresses::SETTLE, input.to_vec().into());
        let asked = splitCall { input: input.to_vec().into() }.abi_encode().into();
        match (&precompile.result, self.call(REFERENCE, asked).result) {
            (ExecutionResult::Success { output, .. }, ExecutionResult::Success { output: expected, .. }) => {
                let expected = splitCall::abi_decode_returns(expected.data()).unwrap();
                let words: Vec<u8> = expected.words.iter().flat_map(|word| word.to_be_bytes::<32>()).collect();
                assert_eq!(output.data(), &words, "words differ for {}", shown());
                check_payments(&precompile, &expected.accounts, &expected.rewards);
                None
            }
            (ExecutionResult::Revert { output, .. }, ExecutionResult::Revert { output: expected, .. }) => {
                assert_eq!(*output, expected, "errors differ for {}", shown());
                Some(ISettle::SettleInvalidInput::abi_decode(output).unwrap().code)
            }
            (native, reference) => panic!("{native:?} but {reference:?} for {}", shown()),
        }
    }
}

/// Every account has exactly its reward, and the caller has paid exactly their sum.
fn check_payments(outcome: &ResultAndState<OpHaltReason>, accounts: &[Address], rewards: &[U256]) {
    let balance =
        |address: &Address| outcome.state.get(address).map(|account| account.info.balance).unwrap_or_default();
    let mut paid = U256::ZERO;
    for (account, reward) in accounts.iter().zip(rewards) {
        if *account != USER {
            assert_eq!(balance(account), *reward, "{account}");
            paid += reward;
        }
    }
    assert_eq!(balance(&USER), RICHES - paid);
}

/// A batch as numbers, which need not make sense.
struct Draft {
    version: u8,
    accounts: Vec<Address>,
    receipts: Vec<DraftReceipt>,
}

struct DraftReceipt {
    tokens: [u32; 2],
    rates: [u128; 2],
    platform: (u8, u128),
    shares: [u16; 3],
    entries: Vec<(u16, i64)>,
}

impl Draft {
    fn random(rng: &mut StdRng) -> Self {
        let mut accounts: Vec<Address> =
            (0..rng.random_range(0..8)).map(|_| Address::from(rng.random::<[u8; 20]>())).collect();
        if rng.random_ratio(1, 8) {
            accounts.push(USER);
        }
        accounts.sort_unstable();
        let receipts = (0..rng.random_range(1..5)).map(|_| DraftReceipt::random(rng, accounts.len() as u16)).collect();
        Self { version: 1, accounts, receipts }
    }

    /// One thing that is wrong, or only unusual.
    fn disturb(&mut self, rng: &mut StdRng) {
        let accounts = self.accounts.len();
        let receipt = rng.random_range(0..self.receipts.len());
        let receipt = &mut self.receipts[receipt];
        match rng.random_range(0..9) {
            0 => self.version = rng.random(),
            1 if accounts > 1 => self.accounts.swap(0, accounts - 1),
            2 if accounts > 1 => self.accounts[1] = self.accounts[0],
            3 if accounts > 0 => self.accounts[0] = Address::ZERO,
            4 => receipt.shares[rng.random_range(0..3)] ^= 1 << rng.random_range(0..16),
            5 => receipt.platform = (rng.random_range(0..4), rng.random_range(9_990..10_010)),
            6 => receipt.entries.push((accounts as u16 + rng.random_range(0..2), 1)),
            7 => receipt.rates = [u128::MAX - u128::from(rng.random::<u8>()), rng.random()],
            _ => self.receipts.clear(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.version];
        out.extend((self.accounts.len() as u16).to_be_bytes());
        out.extend((self.receipts.len() as u16).to_be_bytes());
        out.extend(self.accounts.iter().flat_map(|account| account.into_array()));
        for receipt in &self.receipts {
            out.extend(receipt.tokens.iter().flat_map(|n| n.to_be_bytes()));
            out.extend(receipt.rates.iter().flat_map(|n| n.to_be_bytes()));
            out.push(receipt.platform.0);
            out.extend(receipt.platform.1.to_be_bytes());
            out.extend(receipt.shares.iter().flat_map(|n| n.to_be_bytes()));
            out.extend((receipt.entries.len() as u16).to_be_bytes());
            for (account, influence) in &receipt.entries {
                out.extend(account.to_be_bytes());
                out.extend(influence.to_be_bytes());
            }
        }
        out
    }
}

impl DraftReceipt {
    fn random(rng: &mut StdRng, accounts: u16) -> Self {
        let (a, b) = (rng.random_range(0..=10_000u16), rng.random_range(0..=10_000u16));
        let entries = if accounts == 0 { 0 } else { rng.random_range(0..12) };
        Self {
            tokens: [number(rng) as u32, number(rng) as u32],
            rates: [number(rng), number(rng)],
            platform: if rng.random() { (0, number(rng)) } else { (1, rng.random_range(0..=10_000)) },
            shares: [a.min(b), a.abs_diff(b), 10_000 - a.max(b)],
            entries: (0..entries).map(|_| (rng.random_range(0..accounts), number(rng) as i64)).collect(),
        }
    }
}

/// Numbers of all lengths, and those at the ends of types.
fn number(rng: &mut StdRng) -> u128 {
    let ends = [0, 1, 999, 1000, 1001, u128::from(u32::MAX), i64::MAX as u128, 1 << 63, u128::from(u64::MAX), 1 << 100];
    if rng.random_ratio(1, 4) { *ends.choose(rng).unwrap() } else { rng.random::<u128>() >> rng.random_range(16..128) }
}

#[test]
fn precompile_and_reference_agree() {
    const CASES: usize = 4000;
    let seed = std::env::var("SETTLE_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("SETTLE_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let bench = Bench::new();
    let mut answers = BTreeMap::<Option<u8>, usize>::new();
    for case in 0..CASES {
        let mut draft = Draft::random(&mut rng);
        if case % 3 == 1 {
            draft.disturb(&mut rng);
        }
        let mut input = draft.encode();
        match case % 12 {
            2 => input.truncate(rng.random_range(0..input.len())),
            5 => input.extend(vec![0; rng.random_range(1..40)]),
            8 => {
                let position = rng.random_range(0..input.len());
                input[position] = rng.random();
            }
            _ => {}
        }
        *answers.entry(bench.compare(&input)).or_default() += 1;
    }
    println!("answers by error code: {answers:?}");
    // Each answer there is came up, so the comparison was not idle.
    for code in [None].into_iter().chain((1..=9).map(Some)) {
        assert!(answers.get(&code).is_some_and(|count| *count >= 5), "{code:?} hardly came up: {answers:?}");
    }
}

#[test]
fn every_length_of_a_batch_is_answered_alike() {
    let bench = Bench::new();
    let input = example(2, 3).encode();
    for length in 0..input.len() {
        assert_eq!(bench.compare(&input[..length]), Some(1), "{length}");
    }
    assert_eq!(bench.compare(&input), None);
}

/// Receipts of an everyday price, each with the same contributors.
fn example(receipts: u64, contributors: u64) -> Batch {
    let open = 10u128.pow(18);
    let schedule = FeeSchedule {
        rate_in: open / 5,
        rate_out: open * 2 / 5,
        platform: Platform::Flat(open / 2),
        model_bps: 7000,
        stakers_bps: 1000,
        contributors_bps: 2000,
    };
    (0..receipts)
        .fold(BatchBuilder::default(), |batch, receipt| {
            let usage = Usage { tokens_in: 800, tokens_out: 1200 + receipt as u32 };
            let influences = (0..contributors).map(|i| (contributor(i), 1_000_003 * (i as i64 + 1))).collect();
            batch.receipt(usage, schedule, influences)
        })
        .build()
        .unwrap()
}

fn contributor(index: u64) -> Address {
    Address::left_padding_from(&(0x00c0_1100_0000 + index).to_be_bytes())
}

#[test]
fn the_precompile_is_cheaper_than_the_reference() {
    let mut bench = Bench::new();
    for index in 0..256 {
        bench.db.insert_account_info(contributor(index), AccountInfo { nonce: 1, ..Default::default() });
    }
    println!("| receipts | contributors | SETTLE gas | Solidity gas | ratio |");
    println!("|---:|---:|---:|---:|---:|");
    for (receipts, contributors) in [(1, 1), (1, 9), (1, 64), (16, 9), (16, 64), (64, 9), (64, 64)] {
        let input: Bytes = example(receipts, contributors).encode().into();
        let used = |outcome: ResultAndState<OpHaltReason>| {
            assert!(outcome.result.is_success(), "{:?}", outcome.result);
            outcome.result.tx_gas_used()
        };
        // Whole transactions, calldata included, to accounts that exist.
        let native = used(bench.call(addresses::SETTLE, input.clone()));
        let solidity = used(bench.call(REFERENCE, settleCall { input }.abi_encode().into()));
        println!("| {receipts} | {contributors} | {native} | {solidity} | {:.1} |", solidity as f64 / native as f64);
        assert!(native < solidity);
    }
}
