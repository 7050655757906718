use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use alloy::{eips::BlockNumHash, signers::local::PrivateKeySigner};
use alloy_primitives::{Address, B256, Bytes, U256};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{L1Error, TxError, client::Connection, tx::task::Task};

/// How transactions are sent.
#[derive(Clone, Copy, Debug)]
pub struct TxManagerConfig {
    /// Chain id of L1.
    pub chain_id: u64,
    /// How often L1 is asked about what is on its way.
    pub poll_interval: Duration,
    /// A transaction that is not on L1 after this long is sent again at a higher price.
    pub resubmit_after: Duration,
    /// After this, a request counts as failed.
    pub request_timeout: Duration,
    /// A transaction is confirmed when its block is this many blocks deep, counting itself: 1 is inclusion.
    pub confirmations: u64,
    /// Transactions that may be on their way at the same time; further ones wait.
    pub max_in_flight: usize,
    /// Lowest tip, in wei per gas.
    pub min_tip: u128,
    /// Highest price, in wei per gas, tip included.
    pub max_fee_per_gas: u128,
    /// Below this balance, in wei, a warning is logged.
    pub low_balance: U256,
}

impl TxManagerConfig {
    /// Settings for an L1 with this chain id and block time.
    pub fn new(chain_id: u64, l1_block_time: Duration) -> Self {
        Self {
            chain_id,
            poll_interval: (l1_block_time / 4).clamp(Duration::from_millis(100), Duration::from_secs(2)),
            resubmit_after: (l1_block_time * 4).max(Duration::from_secs(4)),
            request_timeout: Duration::from_secs(10),
            confirmations: 1,
            max_in_flight: 8,
            min_tip: 1_000_000,
            max_fee_per_gas: 500_000_000_000,
            low_balance: U256::from(100_000_000_000_000_000u64),
        }
    }
}

/// A transaction to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxRequest {
    /// Recipient.
    pub to: Address,
    /// Calldata.
    pub data: Bytes,
    /// Wei.
    pub value: U256,
    /// Gas limit.
    pub gas_limit: GasLimit,
}

/// Where the gas limit of a transaction comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GasLimit {
    /// From L1's estimate, and a fifth more.
    #[default]
    Estimate,
    /// From the length of the calldata (EIP-7623), and a fifth more: for an account without code, where L1 would have to be given
    /// the same data twice to say just that. Estimated if L1 refuses it.
    Calldata,
    /// From the caller.
    Fixed(u64),
}

/// A transaction that stands on L1 and succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// Its hash: of the version that was included.
    pub hash: B256,
    /// Its block.
    pub block: BlockNumHash,
    /// Gas used.
    pub gas_used: u64,
    /// What it cost, in wei, without its value.
    pub cost: u128,
}

/// What the manager knows about its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxStatus {
    /// Balance when last looked at, in wei.
    pub balance: Option<U256>,
    /// Transactions on their way or waiting.
    pub pending: usize,
    /// Transactions that were confirmed since the start.
    pub confirmed: u64,
    /// Times that a transaction was sent again at a higher price.
    pub resubmitted: u64,
    /// Whether the last request to L1 was answered.
    pub reachable: bool,
}

pub(super) type Reply = oneshot::Sender<Result<Confirmed, TxError>>;

/// Sends the transactions of one account, in order, until each stands on L1. Clones share the account.
#[derive(Clone, Debug)]
pub struct TxManager {
    address: Address,
    requests: mpsc::UnboundedSender<(TxRequest, Reply)>,
    status: watch::Receiver<TxStatus>,
}

impl TxManager {
    /// Starts the task that owns the account of `signer`. It ends when all clones of the manager are gone.
    pub fn spawn(url: &str, signer: PrivateKeySigner, config: TxManagerConfig) -> Result<Self, L1Error> {
        let connection = Connection::new(url, config.request_timeout)?;
        let (requests, receiver) = mpsc::unbounded_channel();
        let (status_sender, status) = watch::channel(TxStatus::default());
        let address = signer.address();
        tokio::spawn(Task::new(connection, signer, config, status_sender).run(receiver));
        Ok(Self { address, requests, status })
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// What is known about the account.
    pub fn status(&self) -> TxStatus {
        *self.status.borrow()
    }

    /// Puts a transaction in line. Transactions get their nonces in the order of these calls; the future that is returned tells
    /// what became of it, and may be dropped without consequence for the transaction.
    pub fn submit(&self, request: TxRequest) -> Submitted {
        let (reply, answer) = oneshot::channel();
        // Should the task be gone, dropping the reply tells.
        let _ = self.requests.send((request, reply));
        Submitted(answer)
    }

    /// Sends a transaction and waits until it is confirmed.
    pub async fn send(&self, request: TxRequest) -> Result<Confirmed, TxError> {
        self.submit(request).await
    }
}

/// The outcome of a transaction, to come.
#[derive(Debug)]
pub struct Submitted(oneshot::Receiver<Result<Confirmed, TxError>>);

impl Future for Submitted {
    type Output = Result<Confirmed, TxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(TxError::Stopped)))
    }
}
