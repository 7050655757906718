//! `eth_fillTransaction`: a transaction that is ready to be signed.

use alloy_consensus::Transaction as _;
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Bytes, U256};
use alloy_rpc_types_eth::TransactionRequest;
use jsonrpsee::proc_macros::rpc;
use openledger_primitives::Transaction;
use serde::Serialize;

use super::{call::EthCallServer as _, fees::EthFeesServer as _};
use crate::{RpcError, context::Context, simulate_v1::unsigned};

/// A transaction with its encoding, both with a signature of zeros, as geth answers them.
#[derive(Debug, Clone, Serialize)]
pub struct Filled {
    raw: Bytes,
    tx: Priced,
}

/// A transaction with the price that ethereum/execution-apis wants in every one: the most that it pays for gas.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Priced {
    #[serde(flatten)]
    tx: Transaction,
    #[serde(skip_serializing_if = "Option::is_none")]
    gas_price: Option<U256>,
}

/// Transactions before they are signed.
#[rpc(server, namespace = "eth")]
pub trait EthFill {
    /// The transaction with what was left out: the nonce after those that wait, gas as estimated, fees that last until the
    /// base fee has doubled.
    #[method(name = "fillTransaction", blocking)]
    fn fill(&self, call: TransactionRequest) -> Result<Filled, RpcError>;
}

impl EthFillServer for Context {
    fn fill(&self, mut call: TransactionRequest) -> Result<Filled, RpcError> {
        let chain_id = self.chain.rollup_config().l2_chain_id;
        if let Some(have) = call.chain_id.filter(|have| *have != chain_id) {
            return Err(invalid(&format!("chainId does not match node's (have={have}, want={chain_id})")));
        }
        let creates = call.to.is_none_or(|to| to.is_create());
        if creates && call.input.input().is_none_or(|code| code.is_empty()) {
            return Err(invalid("contract creation without any data provided"));
        }
        self.fill_fees(&mut call)?;
        call.chain_id = Some(chain_id);
        call.to.get_or_insert_default();
        call.value.get_or_insert_default();
        if call.nonce.is_none() {
            call.nonce = Some(self.next_nonce(call.from.unwrap_or_default())?);
        }
        if call.gas.is_none() {
            call.gas = Some(self.estimate(call.clone(), None, None, None)?.to());
        }
        let tx = unsigned(&call)?;
        let gas_price = tx.is_dynamic_fee().then(|| U256::from(tx.max_fee_per_gas()));
        Ok(Filled { raw: tx.encoded_2718().into(), tx: Priced { tx, gas_price } })
    }
}

impl Context {
    /// Refusals are those of geth.
    fn fill_fees(&self, call: &mut TransactionRequest) -> Result<(), RpcError> {
        if let Some(price) = call.gas_price {
            if call.max_fee_per_gas.is_some() || call.max_priority_fee_per_gas.is_some() {
                return Err(invalid("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"));
            }
            if call.authorization_list.is_some() {
                return Err(invalid("both gasPrice and authorizationList specified"));
            }
            if price == 0 {
                return Err(invalid("gasPrice must be non-zero after london fork"));
            }
            return Ok(());
        }
        let tip = match call.max_priority_fee_per_gas {
            Some(tip) => tip,
            None => self.tip()?.saturating_to(),
        };
        let fee = match call.max_fee_per_gas {
            Some(0) => return Err(invalid("maxFeePerGas must be non-zero")),
            Some(fee) => fee,
            None => self.base_fee()?.saturating_to::<u128>().saturating_mul(2).saturating_add(tip),
        };
        if fee < tip {
            return Err(invalid(&format!("maxFeePerGas ({fee}) < maxPriorityFeePerGas ({tip})")));
        }
        (call.max_fee_per_gas, call.max_priority_fee_per_gas) = (Some(fee), Some(tip));
        Ok(())
    }
}

fn invalid(why: &str) -> RpcError {
    RpcError::InvalidParams(why.to_owned())
}
