use std::time::Duration;

use alloy::{
    network::{EthereumWallet, TransactionBuilder as _},
    primitives::{Address, B256, Bytes, U256},
    providers::{DynProvider, Provider as _, ProviderBuilder},
    rpc::types::{BlockNumberOrTag, TransactionRequest},
    signers::local::PrivateKeySigner,
    sol,
    sol_types::SolCall as _,
    transports::TransportError,
};

use crate::{DeployError, rollup::L1Origin};

/// How long a transaction is waited for. Ethereum includes one in about 12 s when the price is right.
const INCLUSION_SECONDS: u64 = 300;
const POLL: Duration = Duration::from_millis(250);

sol! {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
}

/// The L1 as the deployer sees it.
pub(crate) struct L1 {
    provider: DynProvider,
    url: String,
    deployer: Address,
}

/// A transaction that was sent.
pub(crate) struct Sent {
    action: String,
    hash: B256,
}

impl L1 {
    pub(crate) fn new(url: &str, signer: PrivateKeySigner) -> Result<Self, DeployError> {
        let parsed = url.parse().map_err(|error| DeployError::Url { url: url.into(), reason: format!("{error}") })?;
        let deployer = signer.address();
        let provider = ProviderBuilder::new().wallet(EthereumWallet::from(signer)).connect_http(parsed).erased();
        Ok(Self { provider, url: url.into(), deployer })
    }

    /// The error for a failed request: the L1 is not there, or does not want to.
    fn error(&self, action: &str, error: &TransportError) -> DeployError {
        match error.as_error_resp() {
            Some(response) => DeployError::L1Refused { action: action.into(), reason: response.message.to_string() },
            None => DeployError::L1Unreachable { url: self.url.clone(), reason: error.to_string() },
        }
    }

    pub(crate) async fn chain_id(&self) -> Result<u64, DeployError> {
        self.provider.get_chain_id().await.map_err(|error| self.error("tell its chain id", &error))
    }

    /// Whether all of these addresses hold code.
    pub(crate) async fn have_code(&self, addresses: &[Address]) -> Result<bool, DeployError> {
        for address in addresses {
            let code = self.provider.get_code_at(*address).await.map_err(|error| self.error("show code", &error))?;
            if code.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The newest block.
    pub(crate) async fn head(&self) -> Result<L1Origin, DeployError> {
        self.block(BlockNumberOrTag::Latest).await?.ok_or_else(|| DeployError::L1Refused {
            action: "show its newest block".into(),
            reason: "it has none".into(),
        })
    }

    /// Whether `block` belongs to the chain.
    pub(crate) async fn has(&self, block: &L1Origin) -> Result<bool, DeployError> {
        Ok(self.block(block.number.into()).await?.as_ref() == Some(block))
    }

    async fn block(&self, number: BlockNumberOrTag) -> Result<Option<L1Origin>, DeployError> {
        let block =
            self.provider.get_block_by_number(number).await.map_err(|error| self.error("show a block", &error))?;
        Ok(block.map(|block| L1Origin {
            hash: block.header.hash,
            number: block.header.number,
            timestamp: block.header.timestamp,
        }))
    }

    /// Fails unless the deployer can pay for `gas` at twice the present price.
    pub(crate) async fn check_funds(&self, gas: u64) -> Result<(), DeployError> {
        let price = self.provider.get_gas_price().await.map_err(|error| self.error("tell the gas price", &error))?;
        let needed = U256::from(gas) * U256::from(price) * U256::from(2);
        let balance =
            self.provider.get_balance(self.deployer).await.map_err(|error| self.error("show a balance", &error))?;
        if balance < needed { Err(DeployError::Unfunded { deployer: self.deployer, balance, needed }) } else { Ok(()) }
    }

    /// Sends a transaction without waiting for it; the deployer's transactions are included in the order they are sent.
    pub(crate) async fn send(&self, action: String, request: TransactionRequest) -> Result<Sent, DeployError> {
        let pending = self.provider.send_transaction(request).await.map_err(|error| self.error(&action, &error))?;
        tracing::debug!(action, hash = %pending.tx_hash(), "sent");
        Ok(Sent { hash: *pending.tx_hash(), action })
    }

    /// Sends the creation of `contract`.
    pub(crate) async fn create(&self, contract: &str, code: Bytes) -> Result<Sent, DeployError> {
        self.send(format!("create {contract}"), TransactionRequest::default().with_deploy_code(code)).await
    }

    /// Waits until a transaction is included; returns the address of the contract that it created, or zero.
    pub(crate) async fn included(&self, sent: Sent) -> Result<Address, DeployError> {
        let Sent { action, hash } = sent;
        let poll = async {
            loop {
                let receipt = self.provider.get_transaction_receipt(hash).await;
                match receipt.map_err(|error| self.error("show a receipt", &error))? {
                    Some(receipt) => break Ok::<_, DeployError>(receipt),
                    None => tokio::time::sleep(POLL).await,
                }
            }
        };
        let receipt = match tokio::time::timeout(Duration::from_secs(INCLUSION_SECONDS), poll).await {
            Ok(receipt) => receipt?,
            Err(_) => return Err(DeployError::NotIncluded { action, seconds: INCLUSION_SECONDS }),
        };
        if !receipt.status() {
            return Err(DeployError::Reverted { action, gas_used: receipt.gas_used });
        }
        Ok(receipt.contract_address.unwrap_or_default())
    }

    /// Brings `account`'s balance of `token` to at least `amount`, from the deployer's.
    pub(crate) async fn top_up(
        &self,
        token: Address,
        account: Address,
        amount: U256,
    ) -> Result<Option<Sent>, DeployError> {
        let balance = self.token_balance(token, account).await?;
        if balance >= amount {
            return Ok(None);
        }
        self.transfer(token, account, amount - balance).await.map(Some)
    }

    pub(crate) async fn transfer(&self, token: Address, to: Address, amount: U256) -> Result<Sent, DeployError> {
        let request = TransactionRequest::default().with_to(token).with_input(transferCall { to, amount }.abi_encode());
        self.send(format!("transfer OPEN to {to}"), request).await
    }

    pub(crate) async fn token_balance(&self, token: Address, account: Address) -> Result<U256, DeployError> {
        let request = TransactionRequest::default().with_to(token).with_input(balanceOfCall { account }.abi_encode());
        let output = self.provider.call(request).await.map_err(|error| self.error("show a balance of OPEN", &error))?;
        balanceOfCall::abi_decode_returns(&output).map_err(|error| DeployError::L1Refused {
            action: "show a balance of OPEN".into(),
            reason: error.to_string(),
        })
    }

    /// Puts `code` at `address` if nothing is there and the L1 is a development chain (anvil).
    pub(crate) async fn set_code_on_anvil(&self, address: Address, code: &Bytes) -> Result<bool, DeployError> {
        let version = self.provider.get_client_version().await.map_err(|error| self.error("tell its name", &error))?;
        if !version.starts_with("anvil") || self.have_code(&[address]).await? {
            return Ok(false);
        }
        let request = self.provider.raw_request::<_, ()>("anvil_setCode".into(), (address, code));
        request.await.map_err(|error| self.error("set code", &error))?;
        Ok(true)
    }
}
