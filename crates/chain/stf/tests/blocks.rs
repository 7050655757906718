//! Blocks: headers, system calls, fees, deposits, and what the state becomes.

mod common;

use alloy_consensus::{Eip658Value, TxEip7702, TxReceipt};
use alloy_eips::{eip2935, eip4788, eip7685::EMPTY_REQUESTS_HASH, eip7702::Authorization};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, bytes, keccak256};
use alloy_signer::SignerSync;
use common::*;
use openledger_attribution::{BatchBuilder, FeeSchedule, Platform, Usage};
use openledger_primitives::{Receipt, addresses};
use openledger_stf::{AttributesError, ExecutionError, StateCommitter, execute_block};

#[test]
fn the_header_follows_isthmus_and_jovian() {
    let mut chain = Chain::new(0, &[]);
    let parent = chain.head.hash();
    let block = chain.advance(&[deposited(deposit(10, 4, 100_000)), transfer(0)]);
    let header = &block.block.header;
    assert_eq!((header.number, header.parent_hash, header.timestamp), (1, parent, 1001));
    assert_eq!(header.extra_data, bytes!("01 000000fa 00000006 00000000000f4240"));
    assert_eq!(header.requests_hash, Some(EMPTY_REQUESTS_HASH));
    assert_eq!(header.parent_beacon_block_root, Some(B256::repeat_byte(9)));
    assert_eq!((header.blob_gas_used, header.excess_blob_gas), (Some(0), Some(0)));
    assert_eq!(header.withdrawals_root, Some(alloy_consensus::EMPTY_ROOT_HASH));
    assert_eq!(header.gas_used, 42_000);
    assert_eq!(header.mix_hash, B256::repeat_byte(7));
    assert_eq!(block.block.body.withdrawals.as_deref(), Some(&vec![]));
    assert_eq!(block.senders, [DEPOSITOR, signer(1).address()]);
    // The roots are those of the state that the changes lead to.
    assert_eq!(header.state_root, chain.store.roots(&Default::default()).unwrap().state_root);
}

#[test]
fn system_contracts_are_told_of_the_parent_and_of_l1() {
    let mut chain = Chain::new(0, &[]);
    let parent = chain.head.hash();
    chain.advance(&[]);
    assert_eq!(B256::from(chain.store.slot(eip2935::HISTORY_STORAGE_ADDRESS, 0)), parent);
    assert_eq!(chain.store.slot(eip4788::BEACON_ROOTS_ADDRESS, 1001), U256::from(1001));
    assert_eq!(B256::from(chain.store.slot(eip4788::BEACON_ROOTS_ADDRESS, 1001 + 8191)), B256::repeat_byte(9));
}

#[test]
fn fees_go_to_the_vaults() {
    let mut chain = Chain::new(0, &[]);
    chain.advance(&[transfer(0)]);
    let fee = |per_gas: u64| U256::from(21_000 * per_gas);
    assert_eq!(chain.store.balance(addresses::BASE_FEE_VAULT), fee(1_000_000));
    assert_eq!(chain.store.balance(addresses::SEQUENCER_FEE_VAULT), fee(1000));
    assert_eq!(chain.store.balance(BOB), U256::from(5));
    assert_eq!(chain.store.balance(signer(1).address()), U256::from(ETHER - 5) - fee(1_001_000));
    // Empty accounts that were touched do not come into being (EIP-161).
    assert_eq!(chain.store.get(addresses::L1_FEE_VAULT), None);
    assert_eq!(chain.store.get(eip4788::SYSTEM_ADDRESS), None);
}

#[test]
fn a_deposit_mints_and_its_receipt_has_the_nonce() {
    let mut chain = Chain::new(0, &[]);
    chain.advance(&[deposited(deposit(10, 4, 100_000))]);
    let block = chain.advance(&[deposited(deposit(0, 6, 100_000))]);
    assert_eq!(chain.store.balance(BOB), U256::from(10));
    assert_eq!(chain.store.get(DEPOSITOR).unwrap().nonce, 2);
    let Receipt::Deposit(receipt) = &block.receipts[0] else { panic!("a deposit's receipt") };
    assert_eq!((receipt.deposit_nonce, receipt.deposit_receipt_version), (Some(1), Some(1)));
    // Deposits pay no fees.
    assert_eq!(chain.store.get(addresses::BASE_FEE_VAULT), None);
}

#[test]
fn a_deposit_that_fails_keeps_its_mint_and_costs_its_gas() {
    // PUSH1 0 PUSH1 0 REVERT, and an account that deposits more than it has.
    let reverting = address!("00000000000000000000000000000000000000fd");
    let code = GenesisAccount { code: Some(bytes!("60006000fd")), ..Default::default() };
    let mut chain = Chain::new(0, &[(reverting, code)]);
    let too_much = deposit(10, 11, 100_000);
    let reverts = op_alloy_consensus::TxDeposit { to: TxKind::Call(reverting), ..deposit(10, 1, 100_000) };
    let too_little_gas = deposit(10, 0, 20_000);
    let system = op_alloy_consensus::TxDeposit { is_system_transaction: true, ..deposit(10, 0, 50_000) };
    let block = chain.advance(&[too_much, reverts, too_little_gas, system].map(deposited));
    assert!(block.receipts.iter().all(|receipt| !receipt.status()));
    let cumulative: Vec<u64> = block.receipts.iter().map(TxReceipt::cumulative_gas_used).collect();
    // The reverting one used 21,000 and 6; the others used their limits.
    assert_eq!(cumulative, [100_000, 121_006, 141_006, 191_006]);
    assert_eq!(chain.store.balance(DEPOSITOR), U256::from(40));
    assert_eq!((chain.store.balance(BOB), chain.store.balance(reverting)), (U256::ZERO, U256::ZERO));
    assert_eq!(chain.store.get(DEPOSITOR).unwrap().nonce, 4);
}

#[test]
fn data_counts_towards_the_block_and_raises_the_base_fee() {
    let mut chain = Chain::new(u16::MAX, &[]);
    let block = chain.advance(&[transfer(0), deposited(deposit(0, 0, 100_000))]);
    // The smallest estimate is 100 bytes; deposits do not count.
    assert_eq!(block.block.header.blob_gas_used, Some(100 * 65_535));
    assert_eq!(openledger_stf::next_base_fee(&SPEC, &block.block.header), 1_001_242);
    let many: Vec<_> = (1..6).map(transfer).collect();
    let error = chain.execute(&many).unwrap_err();
    let ExecutionError::Transaction { hash, error } = error else { panic!("{error}") };
    assert_eq!(hash, many[4].tx_hash());
    assert!(error.is_out_of_room(), "{error}");
}

#[test]
fn creation_destruction_and_code_are_recorded() {
    let mut chain = Chain::new(0, &[]);
    // Init code that stores 1 in slot 0 and returns the code 0x00.
    let init = bytes!("6001 5f55 6001 5ff3");
    let block = chain.advance(&[signed(1, call(0, TxKind::Create, 7, init))]);
    let contract = signer(1).address().create(0);
    let change = &block.changes.accounts[&contract];
    assert_eq!(change.storage, [(B256::ZERO, U256::from(1))].into());
    assert!(!change.storage_wiped);
    let account = change.account.unwrap();
    assert_eq!((account.nonce, account.balance, account.code_hash), (1, U256::from(7), keccak256([0])));
    assert_eq!(block.changes.code, [(keccak256([0]), bytes!("00"))].into());
    // Init code that stores, then destroys itself: nothing stays, and the wei goes to the beneficiary (EIP-6780).
    let dying = bytes!("6001 5f55 33ff");
    let block = chain.advance(&[signed(1, call(1, TxKind::Create, 7, dying))]);
    assert!(!block.changes.accounts.contains_key(&signer(1).address().create(1)));
    assert!(block.changes.code.is_empty());
}

#[test]
fn an_account_with_only_a_balance_can_become_a_contract() {
    let contract = signer(1).address().create(0);
    let mut chain = Chain::new(0, &[(contract, GenesisAccount { balance: U256::from(3), ..Default::default() })]);
    chain.advance(&[signed(1, call(0, TxKind::Create, 0, bytes!("6001 5f55 6001 5ff3")))]);
    assert_eq!(chain.store.slot(contract, 0), U256::from(1));
    assert_eq!(chain.store.balance(contract), U256::from(3));
}

#[test]
fn an_account_delegates_and_takes_it_back() {
    let mut chain = Chain::new(0, &[]);
    let delegate = |nonce, to| {
        let authorization = Authorization { chain_id: U256::from(SPEC.chain_id), address: to, nonce };
        let signature = signer(2).sign_hash_sync(&authorization.signature_hash()).unwrap();
        let tx = TxEip7702 {
            chain_id: SPEC.chain_id,
            nonce,
            gas_limit: 1_000_000,
            max_fee_per_gas: 2_000_000,
            to: BOB,
            authorization_list: vec![authorization.into_signed(signature)],
            ..Default::default()
        };
        signed(1, tx)
    };
    let block = chain.advance(&[delegate(0, BOB)]);
    let code: Bytes = [&[0xef, 0x01, 0x00], BOB.as_slice()].concat().into();
    assert_eq!(block.changes.code, [(keccak256(&code), code.clone())].into());
    assert_eq!(chain.store.get(signer(2).address()).unwrap().code_hash, keccak256(&code));
    chain.advance(&[delegate(1, Address::ZERO)]);
    assert_eq!(chain.store.get(signer(2).address()).unwrap().code_hash, alloy_primitives::KECCAK256_EMPTY);
}

#[test]
fn a_settlement_pays_within_a_block() {
    let mut chain = Chain::new(0, &[]);
    let schedule = FeeSchedule {
        rate_in: 1_000_000,
        rate_out: 0,
        platform: Platform::Flat(0),
        model_bps: 0,
        stakers_bps: 0,
        contributors_bps: 10_000,
    };
    let usage = Usage { tokens_in: 1000, tokens_out: 0 };
    let batch = BatchBuilder::default().receipt(usage, schedule, vec![(BOB, 3)]).build().unwrap();
    let settle = call(0, TxKind::Call(addresses::SETTLE), 0, batch.encode().into());
    let block = chain.advance(&[signed(1, settle.clone())]);
    assert_eq!(block.receipts[0].status_or_post_state(), Eip658Value::Eip658(true));
    assert_eq!(chain.store.balance(BOB), U256::from(1_000_000));
    // A contributor whose account cannot be read stops the block instead of failing the transaction.
    let mut broken = Chain::new(0, &[]);
    broken.store.broken.push(BOB);
    assert!(matches!(broken.execute(&[signed(1, settle)]), Err(ExecutionError::State(_))));
}

#[test]
fn attributes_are_checked() {
    let chain = Chain::new(0, &[]);
    let execute = |attributes| execute_block(&chain.store, &chain.store, &SPEC, &chain.head, &attributes).unwrap_err();
    let good = chain.attributes(&[]);
    let timestamp = execute(openledger_primitives::BlockAttributes { timestamp: 1000, ..good.clone() });
    assert_eq!(timestamp, AttributesError::Timestamp { timestamp: 1000, parent: 1000 }.into());
    let gas = execute(openledger_primitives::BlockAttributes { gas_limit: 0, ..good.clone() });
    assert_eq!(gas, AttributesError::GasLimit.into());
    let eip_1559_params = alloy_primitives::fixed_bytes!("0000000100000000");
    let params = execute(openledger_primitives::BlockAttributes { eip_1559_params, ..good });
    assert_eq!(params, AttributesError::Eip1559Params.into());
}
