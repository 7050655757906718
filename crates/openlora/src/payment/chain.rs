use std::{fs, path::Path};

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{Eip712Domain, sol};
use openledger_attribution::{
    FeeSchedule,
    contracts::{IInferenceLedger, IModelRegistry},
    eip712,
};
use serde_json::json;
use tokio::sync::OnceCell;

use super::{
    Terms,
    rpc::{Rpc, RpcError},
};
use crate::ServeError;

sol! {
    function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4);
}

/// What ERC-1271 answers for a good signature.
const ERC1271_MAGIC: [u8; 4] = [0x16, 0x26, 0xba, 0x7e];

/// The contracts on the L2, seen by one operator.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) rpc: Rpc,
    pub(crate) ledger: Address,
    pub(crate) registry: Address,
    pub(crate) signer: PrivateKeySigner,
    /// Asked once: the node may still be starting when this server does.
    chain_id: OnceCell<u64>,
}

impl Chain {
    pub(crate) fn new(
        url: String,
        signer: PrivateKeySigner,
        ledger: Address,
        registry: Address,
    ) -> Result<Self, ServeError> {
        Ok(Self { rpc: Rpc::new(url)?, ledger, registry, signer, chain_id: OnceCell::new() })
    }

    pub(crate) fn operator(&self) -> Address {
        self.signer.address()
    }

    pub(crate) async fn chain_id(&self) -> Result<u64, RpcError> {
        let ask = async || {
            let id: U256 = self.rpc.request("eth_chainId", json!([])).await?;
            u64::try_from(id).map_err(|error| RpcError::Unexpected { method: "eth_chainId", reason: error.to_string() })
        };
        self.chain_id.get_or_try_init(ask).await.copied()
    }

    pub(crate) async fn domain(&self) -> Result<Eip712Domain, RpcError> {
        Ok(eip712::domain(self.chain_id().await?, self.ledger))
    }

    /// What a registered model costs; nothing for one that is not registered.
    pub(crate) async fn terms(&self, backbone: B256, adapter: B256) -> Result<Option<Terms>, RpcError> {
        let model_id = eip712::model_id(backbone, adapter);
        let model = self.rpc.view(self.registry, &IModelRegistry::modelCall { modelId: model_id }).await?;
        if model.owner.is_zero() {
            return Ok(None);
        }
        let schedule = FeeSchedule::try_from(&model.fees).map_err(|error| RpcError::Unexpected {
            method: "eth_call",
            reason: format!("the model's price: {error}"),
        })?;
        Ok(Some(Terms {
            model_id,
            backbone,
            adapter,
            dataset_root: model.datasetRoot,
            schedule_id: schedule.id(),
            schedule,
        }))
    }

    pub(crate) async fn spendable(&self, payer: Address) -> Result<U256, RpcError> {
        self.rpc.view(self.ledger, &IInferenceLedger::spendableOfCall { payer }).await
    }

    pub(crate) async fn is_nonce_used(&self, payer: Address, nonce: U256) -> Result<bool, RpcError> {
        self.rpc.view(self.ledger, &IInferenceLedger::isNonceUsedCall { payer, nonce }).await
    }

    pub(crate) async fn is_operator(&self) -> Result<bool, RpcError> {
        self.rpc.view(self.ledger, &IInferenceLedger::isOperatorCall { operator: self.operator() }).await
    }

    pub(crate) async fn receipt_hash_of(&self, request: B256) -> Result<B256, RpcError> {
        self.rpc.view(self.ledger, &IInferenceLedger::receiptHashOfCall { requestId: request }).await
    }

    /// As the contract checks it: ECDSA for an account without code, ERC-1271 for one with.
    pub(crate) async fn is_signed_by(&self, payer: Address, hash: B256, signature: &Bytes) -> Result<bool, RpcError> {
        let code: Bytes = self.rpc.request("eth_getCode", json!([payer, "latest"])).await?;
        if code.is_empty() {
            return Ok(eip712::recover(&hash, signature).is_ok_and(|signer| signer == payer));
        }
        let call = isValidSignatureCall { hash, signature: signature.clone() };
        match self.rpc.view(payer, &call).await {
            Ok(answer) => Ok(answer.0 == ERC1271_MAGIC),
            Err(unreachable @ RpcError::Unreachable(_)) => Err(unreachable),
            Err(_) => Ok(false),
        }
    }
}

/// Reads a private key in hexadecimal, with or without `0x`.
pub(crate) fn read_key(path: &Path) -> Result<PrivateKeySigner, ServeError> {
    let failed = |reason: String| ServeError::Key { path: path.into(), reason };
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    text.trim().parse().map_err(|_| failed("expected a private key of 32 bytes in hexadecimal".into()))
}
