//! The GeneralStateTests of ethereum/tests, by the rules of Ethereum at Cancun and with this chain's precompiles: what we
//! add changes nothing that was there. Each case is checked for acceptance or the reason of refusal, for its logs and for
//! the state root.
//!
//! Users do not have the tests: this one skips, loudly, where they are absent. `OPENLEDGER_ETHEREUM_TESTS` names a folder
//! that holds `GeneralStateTests` or `ethereum-tests.tar.xz`. `OPENLEDGER_SLOW_TESTS=1` adds the one case that takes longer
//! than all others together: four billion rounds of BLAKE2.

#[path = "state_tests/fixture.rs"]
mod fixture;
#[path = "state_tests/state.rs"]
mod state;

use alloy_consensus::{TxEnvelope, transaction::SignerRecoverable};
use alloy_eips::Decodable2718;
use alloy_evm::{EvmEnv, FromRecoveredTx, eth::EthEvmBuilder};
use alloy_primitives::{Bytes, Log, keccak256};
use fixture::{Environment, Expected, StateTest};
use openledger_evm::{Evm, OpSpecId, precompiles};
use rayon::prelude::*;
use revm::{
    context::{BlockEnv, CfgEnv, TxEnv},
    context_interface::{
        block::BlobExcessGasAndPrice,
        result::{EVMError, InvalidTransaction},
    },
    primitives::hardfork::SpecId,
};
use state::State;

/// Blobs that a block holds at most at Cancun (EIP-4844).
const MAX_BLOBS: u64 = 6;

/// Tests whose state no chain can reach since EIP-161: at the address of a new contract lies an account with storage but
/// neither code nor nonce. EIP-7610 calls that a collision; revm, and this chain with it, asks for nonce and code alone
/// (EIP-684).
const UNREACHABLE: [&str; 5] = [
    "InitCollisionParis",
    "RevertInCreateInInitCreate2Paris",
    "RevertInCreateInInit_Paris",
    "create2collisionStorageParis",
    "dynamicAccountOverwriteEmpty_Paris",
];

/// Left out unless asked for.
const SLOW: &str = "CALLBlake2f_MaxRounds";

/// Whether a case must come out otherwise than on Ethereum. Those of `underflowTest` call one contract each, and the
/// contract of this one lies at the address of `SETTLE`.
fn differs(name: &str, case: &Expected) -> bool {
    UNREACHABLE.contains(&name) || (name == "underflowTest" && case.indexes.data == 78)
}

#[test]
fn precompiles_leave_the_rules_of_ethereum_as_they_are() {
    let Some(tests) = fixture::read() else { return };
    let all = std::env::var_os("OPENLEDGER_SLOW_TESTS").is_some();
    let cases: Vec<(&str, &StateTest, &Expected)> = tests
        .iter()
        .filter(|(name, _)| all || name != SLOW)
        .flat_map(|(name, test)| test.post.cancun.iter().map(move |expected| (name.as_str(), test, expected)))
        .collect();
    assert!(!cases.is_empty(), "the fixtures hold no case for Cancun");
    let wrong: Vec<String> = cases
        .par_iter()
        .filter_map(|(name, test, expected)| {
            let reason = match (differs(name, expected), run(test, expected)) {
                (false, Ok(())) | (true, Err(_)) => return None,
                (false, Err(failure)) => failure,
                (true, Ok(())) => "this case is taken to differ, and does not".into(),
            };
            Some(format!("{name} {:?}: {reason}", expected.indexes))
        })
        .collect();
    println!("{} tests, {} cases", tests.len(), cases.len());
    assert!(wrong.is_empty(), "{} of {} cases are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Executes one case and compares.
fn run(test: &StateTest, expected: &Expected) -> Result<(), String> {
    let mut state = State::new(&test.pre);
    let logs = match (execute(&mut state, &test.env, &expected.txbytes), &expected.expect_exception) {
        (Ok(logs), None) => logs,
        (Err(refusal), Some(reasons)) => {
            if !reasons.split('|').any(|reason| refusal.is(reason)) {
                return Err(format!("refused because of {refusal:?} instead of {reasons}"));
            }
            Vec::new()
        }
        (Ok(_), Some(reasons)) => return Err(format!("accepted in spite of {reasons}")),
        (Err(refusal), None) => return Err(format!("refused because of {refusal:?}")),
    };
    if keccak256(alloy_rlp::encode(&logs)) != expected.logs {
        return Err(format!("other logs: {logs:?}"));
    }
    let root = state.root();
    if root != expected.hash { Err(format!("state root {root} instead of {}", expected.hash)) } else { Ok(()) }
}

/// Why a transaction is not executed.
#[derive(Debug)]
enum Refusal {
    /// Its bytes are not a transaction of that type.
    Undecodable(#[allow(dead_code, reason = "printed")] String),
    Invalid(InvalidTransaction),
}

impl Refusal {
    /// Whether this is what the tests call `reason`.
    fn is(&self, reason: &str) -> bool {
        use InvalidTransaction as I;
        let reason = reason.trim_start_matches("TransactionException.");
        let Self::Invalid(invalid) = self else {
            // The second has a gas price of more than 128 bits.
            return matches!(
                reason,
                "RLP_INVALID_VALUE" | "GASLIMIT_PRICE_PRODUCT_OVERFLOW" | "TYPE_3_TX_CONTRACT_CREATION"
            );
        };
        match reason {
            "INTRINSIC_GAS_TOO_LOW" => matches!(invalid, I::CallGasCostMoreThanGasLimit { .. }),
            "INSUFFICIENT_ACCOUNT_FUNDS" => matches!(invalid, I::LackOfFundForMaxFee { .. }),
            "GASLIMIT_PRICE_PRODUCT_OVERFLOW" => matches!(invalid, I::OverflowPaymentInTransaction),
            "SENDER_NOT_EOA" => matches!(invalid, I::RejectCallerWithCode),
            "INSUFFICIENT_MAX_FEE_PER_GAS" => matches!(invalid, I::GasPriceLessThanBasefee),
            "PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS" => matches!(invalid, I::PriorityFeeGreaterThanMaxFee),
            "GAS_ALLOWANCE_EXCEEDED" => matches!(invalid, I::CallerGasLimitMoreThanBlock),
            "NONCE_IS_MAX" => matches!(invalid, I::NonceOverflowInTransaction),
            "INITCODE_SIZE_EXCEEDED" => matches!(invalid, I::CreateInitCodeSizeLimit),
            "TYPE_3_TX_ZERO_BLOBS" => matches!(invalid, I::EmptyBlobs),
            "TYPE_3_TX_BLOB_COUNT_EXCEEDED" => matches!(invalid, I::TooManyBlobs { .. }),
            "TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH" => matches!(invalid, I::BlobVersionNotSupported),
            "INSUFFICIENT_MAX_FEE_PER_BLOB_GAS" => matches!(invalid, I::BlobGasPriceGreaterThanMax { .. }),
            _ => false,
        }
    }
}

/// Executes the transaction in Ethereum's own EVM with the precompiles of this chain: at Ecotone, which took those of
/// Cancun as they are, and what we add to them at every fork.
fn execute(state: &mut State, env: &Environment, bytes: &Bytes) -> Result<Vec<Log>, Refusal> {
    let undecodable = |error: &dyn ToString| Refusal::Undecodable(error.to_string());
    let transaction = TxEnvelope::decode_2718_exact(bytes).map_err(|error| undecodable(&error))?;
    let sender = transaction.recover_signer().map_err(|error| undecodable(&error))?;
    let tx = TxEnv::from_recovered_tx(&transaction, sender);
    let env = EvmEnv::new(CfgEnv::new_with_spec(SpecId::CANCUN).with_max_blobs_per_tx(MAX_BLOBS), block(env));
    let outcome = {
        let mut evm = EthEvmBuilder::new(&mut *state, env).precompiles(precompiles(OpSpecId::ECOTONE)).build();
        evm.transact_raw(tx).map_err(|error| match error {
            EVMError::Transaction(invalid) => Refusal::Invalid(invalid),
            other => panic!("the EVM failed: {other}"),
        })?
    };
    state.commit(outcome.state);
    Ok(outcome.result.into_logs())
}

fn block(env: &Environment) -> BlockEnv {
    let excess_blob_gas = env.current_excess_blob_gas.unwrap_or_default().to();
    BlockEnv {
        number: env.current_number,
        beneficiary: env.current_coinbase,
        timestamp: env.current_timestamp,
        gas_limit: env.current_gas_limit.saturating_to(),
        basefee: env.current_base_fee.unwrap_or_default().to(),
        prevrandao: Some(env.current_random.unwrap_or_default()),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice::new_with_spec(excess_blob_gas, SpecId::CANCUN)),
        ..Default::default()
    }
}
