use std::{collections::VecDeque, future::IntoFuture, sync::Arc, time::Duration};

use alloy::{
    consensus::{Header, Sealed},
    eips::{BlockId, BlockNumberOrTag},
    network::Ethereum,
    providers::{Provider as _, ProviderBuilder, RootProvider},
    transports::TransportError,
};
use alloy_primitives::B256;
use openledger_derivation::L1Input;
use openledger_primitives::{L1BlockRef, RollupConfig};
use parking_lot::Mutex;

use crate::{L1Error, verify};

/// How L1 is asked.
#[derive(Clone, Copy, Debug)]
pub struct L1ClientConfig {
    /// After this, a request counts as failed.
    pub timeout: Duration,
    /// Blocks kept in memory.
    pub cached_blocks: usize,
}

impl Default for L1ClientConfig {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), cached_blocks: 128 }
    }
}

/// A connection to an L1 node for requests of one kind or another, with a limit in time and errors that are classified.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) provider: RootProvider<Ethereum>,
    url: Arc<str>,
    timeout: Duration,
}

impl Connection {
    pub(crate) fn new(url: &str, timeout: Duration) -> Result<Self, L1Error> {
        let parsed = url.parse().map_err(|_| L1Error::InvalidUrl(url.into()))?;
        let provider = ProviderBuilder::default().connect_http(parsed);
        Ok(Self { provider, url: url.into(), timeout })
    }

    pub(crate) async fn call<T>(
        &self,
        method: &'static str,
        request: impl IntoFuture<Output = Result<T, TransportError>>,
    ) -> Result<T, L1Error> {
        match tokio::time::timeout(self.timeout, request.into_future()).await {
            Ok(answer) => answer.map_err(|error| L1Error::from_transport(method, &self.url, error)),
            Err(_) => Err(L1Error::Timeout { method, seconds: self.timeout.as_secs() }),
        }
    }

    pub(crate) async fn check_chain(&self, expected: u64) -> Result<(), L1Error> {
        let found = self.call("eth_chainId", self.provider.get_chain_id()).await?;
        if found == expected { Ok(()) } else { Err(L1Error::WrongChain { expected, found }) }
    }
}

/// Reads the blocks of L1 and believes only what their hashes commit to.
#[derive(Clone, Debug)]
pub struct L1Client {
    connection: Connection,
    config: Arc<RollupConfig>,
    cache: Arc<Mutex<VecDeque<L1Input>>>,
    cached_blocks: usize,
}

impl L1Client {
    /// A client for the L1 node at `url`. Nothing is requested yet.
    pub fn new(url: &str, rollup: Arc<RollupConfig>, config: L1ClientConfig) -> Result<Self, L1Error> {
        let connection = Connection::new(url, config.timeout)?;
        Ok(Self { connection, config: rollup, cache: Arc::default(), cached_blocks: config.cached_blocks })
    }

    /// Makes sure that the node is on the rollup's L1.
    pub async fn check_chain(&self) -> Result<(), L1Error> {
        self.connection.check_chain(self.config.l1_chain_id).await
    }

    /// The underlying provider, for calls of contracts.
    pub const fn provider(&self) -> &RootProvider<Ethereum> {
        &self.connection.provider
    }

    /// The newest block.
    pub async fn head(&self) -> Result<L1BlockRef, L1Error> {
        let head = self.header(BlockNumberOrTag::Latest).await?;
        let missing =
            || L1Error::Unreadable { method: "eth_getBlockByNumber", reason: "there is no newest block".into() };
        head.map(|header| L1BlockRef::from(&header)).ok_or_else(missing)
    }

    /// The newest safe and the newest finalized block; the first block where L1 has none yet.
    pub async fn settled(&self) -> Result<(L1BlockRef, L1BlockRef), L1Error> {
        Ok((self.settled_by(BlockNumberOrTag::Safe).await?, self.settled_by(BlockNumberOrTag::Finalized).await?))
    }

    async fn settled_by(&self, tag: BlockNumberOrTag) -> Result<L1BlockRef, L1Error> {
        // Some nodes answer null, others an error, before the first block is settled.
        let found = match self.header(tag).await {
            Err(L1Error::Refused { .. }) | Ok(None) => self.header(BlockNumberOrTag::Earliest).await?,
            found => found?,
        };
        let missing =
            || L1Error::Unreadable { method: "eth_getBlockByNumber", reason: "there is no first block".into() };
        found.map(|header| L1BlockRef::from(&header)).ok_or_else(missing)
    }

    /// The canonical block at a height; `None` above the head.
    pub async fn block(&self, number: u64) -> Result<Option<L1BlockRef>, L1Error> {
        Ok(self.header(number.into()).await?.map(|header| L1BlockRef::from(&header)))
    }

    /// All that derivation needs of the canonical block at a height; `None` above the head.
    pub async fn input(&self, number: u64) -> Result<Option<L1Input>, L1Error> {
        match self.block(number).await? {
            Some(block) => self.input_by_hash(block.hash).await.map(Some),
            None => Ok(None),
        }
    }

    /// All that derivation needs of a block. The block must exist: if it does not, it was reorganised away.
    pub async fn input_by_hash(&self, hash: B256) -> Result<L1Input, L1Error> {
        let cached = self.cache.lock().iter().find(|input| input.info.block.hash == hash).cloned();
        if let Some(input) = cached {
            return Ok(input);
        }
        let connection = &self.connection;
        let block = connection.call("eth_getBlockByHash", connection.provider.get_block_by_hash(hash).full());
        let block = block.await?.ok_or(L1Error::Vanished(hash))?;
        let (header, transactions) = verify::transactions(block)?;
        if header.hash() != hash {
            let [claimed, computed] = [hash, header.hash()];
            return Err(L1Error::Inconsistent { block: hash, what: "header hash", claimed, computed });
        }
        let receipts =
            connection.call("eth_getBlockReceipts", connection.provider.get_block_receipts(BlockId::hash(hash)));
        let receipts = verify::receipts(&header, receipts.await?.ok_or(L1Error::Vanished(hash))?)?;
        let input = verify::input(&self.config, &header, &transactions, &receipts)?;
        let mut cache = self.cache.lock();
        cache.truncate(self.cached_blocks.saturating_sub(1));
        cache.push_front(input.clone());
        Ok(input)
    }

    async fn header(&self, number: BlockNumberOrTag) -> Result<Option<Sealed<Header>>, L1Error> {
        let request = self.connection.provider.get_block_by_number(number);
        let block = self.connection.call("eth_getBlockByNumber", request).await?;
        let Some(block) = block else { return Ok(None) };
        let header = verify::header(block.header)?;
        match number {
            BlockNumberOrTag::Number(number) if header.number != number => Err(L1Error::Unreadable {
                method: "eth_getBlockByNumber",
                reason: format!("block {} instead of {number}", header.number),
            }),
            _ => Ok(Some(header)),
        }
    }
}
