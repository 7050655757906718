use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use alloy_primitives::B256;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::{
    record::{Record, Status},
    store::ReceiptStore,
    transaction::{Refusal, refusal},
};
use crate::{
    metrics::Metrics,
    payment::{Chain, InFlight, RpcError, now},
};

/// A transaction that is not included after this long is replaced by one that pays more.
const REPLACE_AFTER: u64 = 20;
/// Longest pause before a receipt that was refused is tried again, in seconds.
const MAX_PAUSE: u64 = 60;

/// Brings receipts to the chain. One transaction is on its way at a time, under the operator's next nonce; the
/// contract's own record says what is settled, so that a restart at any point neither loses nor repeats a payment.
#[derive(Debug)]
pub(crate) struct Settler {
    pub(crate) chain: Arc<Chain>,
    pub(crate) store: Arc<ReceiptStore>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) every: Duration,
    pub(crate) batch: usize,
    /// Rung when there is a new receipt.
    pub(crate) bell: Arc<Notify>,
    /// Receipts that were refused: how often, and when to try again.
    pub(crate) pauses: BTreeMap<B256, (u32, u64)>,
}

/// Why a round ended early. Nothing is lost: the next one begins where it stood.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Rpc(#[from] RpcError),
    #[error("the data directory: {0}")]
    Store(#[from] io::Error),
}

impl Settler {
    /// Runs for as long as the server does.
    pub(crate) async fn run(mut self) {
        loop {
            if self.store.pending_count() == 0 {
                self.bell.notified().await;
            }
            if let Err(error) = self.round().await {
                Metrics::add(&self.metrics.settlement_failures, 1);
                warn!(%error, receipts = self.store.pending_count(), "settlement waits");
            }
            tokio::time::sleep(self.every).await;
        }
    }

    async fn round(&mut self) -> Result<(), RoundError> {
        let waiting = self.unsettled().await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let Some(replaces) = self.follow(&waiting).await? else { return Ok(()) };
        let now = now();
        let ready = |record: &&Arc<Record>| self.pauses.get(&record.request_id).is_none_or(|(_, until)| *until <= now);
        let batch: Vec<Arc<Record>> = waiting.iter().filter(ready).take(self.batch.max(1)).cloned().collect();
        let Some((batch, gas)) = self.accepted(batch).await? else { return Ok(()) };
        self.submit(&batch, gas, replaces).await
    }

    /// Receipts that the chain has not seen. Those that it has are marked settled.
    async fn unsettled(&mut self) -> Result<Vec<Arc<Record>>, RoundError> {
        let mut waiting = Vec::new();
        for record in self.store.pending().into_iter().take(self.batch.max(1) * 4) {
            let on_chain = self.chain.receipt_hash_of(record.request_id).await?;
            if on_chain.is_zero() {
                waiting.push(record);
            } else if on_chain == record.receipt_hash {
                self.settled(&record).await?;
            } else {
                self.fail(&record, "another receipt was settled for this request".into()).await?;
            }
        }
        Ok(waiting)
    }

    /// Looks after the transaction that is on its way. Nothing: wait for it. Otherwise the way is free, and the inner value
    /// is what a replacement must outbid.
    async fn follow(&self, waiting: &[Arc<Record>]) -> Result<Option<Option<u128>>, RoundError> {
        let submitted = waiting.iter().filter(|record| record.settlement.status == Status::Submitted);
        let Some(sent) = submitted.max_by_key(|record| record.settlement.submitted) else {
            return Ok(Some(None));
        };
        let Some(hash) = sent.settlement.transaction_hash else { return Ok(Some(None)) };
        match self.chain.inclusion(hash).await? {
            // Included since the chain was asked about its receipts: the next round sees them settled.
            Some(inclusion) if inclusion.succeeded() => Ok(None),
            Some(_) => {
                Metrics::add(&self.metrics.settlement_failures, 1);
                warn!(transaction = %hash, "a settlement reverted");
                Ok(Some(None))
            }
            // Written down by a server that died before it sent it, or lost by the node: nothing to wait for.
            None if !self.chain.knows(hash).await? => Ok(Some(sent.settlement.max_fee_per_gas)),
            None if sent.settlement.submitted.unwrap_or(0) + REPLACE_AFTER > now() => Ok(None),
            None => Ok(Some(sent.settlement.max_fee_per_gas)),
        }
    }

    /// The receipts that would be settled if they were sent now, and the gas it takes. A batch is settled whole or not at
    /// all: one that is refused is taken apart.
    async fn accepted(&mut self, batch: Vec<Arc<Record>>) -> Result<Option<(Vec<Arc<Record>>, u64)>, RoundError> {
        if batch.is_empty() {
            return Ok(None);
        }
        let whole: Vec<&Record> = batch.iter().map(AsRef::as_ref).collect();
        let failure = match self.chain.estimate(&whole).await {
            Ok(gas) => return Ok(Some((batch, gas))),
            Err(error @ (RpcError::Unreachable(_) | RpcError::Unexpected { .. })) => return Err(error.into()),
            Err(error) => error,
        };
        let mut good = Vec::new();
        for record in &batch {
            match self.chain.estimate(&[record.as_ref()]).await {
                Ok(_) => good.push(Arc::clone(record)),
                Err(error) => match refusal(&error) {
                    Some(refused) => self.refused(record, refused).await?,
                    None => return Err(error.into()),
                },
            }
        }
        if good.len() == batch.len() {
            // Each alone is fine but not all together (an escrow that covers only some, or a block that is too small).
            good.truncate((good.len() / 2).max(1));
        }
        if good.is_empty() {
            return Ok(None);
        }
        warn!(error = %failure, sent = good.len(), of = batch.len(), "a settlement was taken apart");
        let part: Vec<&Record> = good.iter().map(AsRef::as_ref).collect();
        let gas = self.chain.estimate(&part).await?;
        Ok(Some((good, gas)))
    }

    async fn submit(&self, batch: &[Arc<Record>], gas: u64, replaces: Option<u128>) -> Result<(), RoundError> {
        let records: Vec<&Record> = batch.iter().map(AsRef::as_ref).collect();
        let transaction = self.chain.sign_settlement(&records, gas, replaces).await?;
        // Written down before it is sent: after a crash it is known what may be on its way.
        for record in batch {
            let mut record = Record::clone(record);
            record.settlement.status = Status::Submitted;
            record.settlement.transaction_hash = Some(transaction.hash);
            record.settlement.max_fee_per_gas = Some(transaction.max_fee_per_gas);
            record.settlement.submitted = Some(now());
            record.settlement.reason = None;
            self.store.update(record).await?;
        }
        self.chain.send(&transaction).await?;
        info!(transaction = %transaction.hash, receipts = batch.len(), gas, "settlement sent");
        Ok(())
    }

    async fn settled(&mut self, record: &Record) -> Result<(), RoundError> {
        let mut found = None;
        if let Some(hash) = record.settlement.transaction_hash {
            let inclusion = self.chain.inclusion(hash).await?.filter(|inclusion| inclusion.succeeded());
            found = inclusion.map(|inclusion| (inclusion.transaction(), inclusion.block()));
        }
        if found.is_none() {
            // Settled by an earlier transaction that was thought lost.
            found = match self.chain.find_settlement(record.request_id).await {
                Err(unreachable @ RpcError::Unreachable(_)) => return Err(unreachable.into()),
                // That it is settled is certain; where, a node that limits searches may not say.
                other => other.ok().flatten(),
            };
        }
        let mut record = record.clone();
        record.settlement.status = Status::Settled;
        record.settlement.transaction_hash = found.map(|found| found.0);
        record.settlement.block_number = found.map(|found| found.1);
        info!(request = %record.request_id, fee = %record.split.fee, block = ?record.settlement.block_number, "settled");
        Metrics::add(&self.metrics.settled, 1);
        self.close(record).await
    }

    async fn refused(&mut self, record: &Record, refused: Refusal) -> Result<(), RoundError> {
        Metrics::add(&self.metrics.settlement_failures, 1);
        if refused.is_final {
            return self.fail(record, refused.reason).await;
        }
        let (times, _) = self.pauses.get(&record.request_id).copied().unwrap_or((0, 0));
        let pause = (1u64 << times.min(6)).min(MAX_PAUSE);
        self.pauses.insert(record.request_id, (times + 1, now() + pause));
        warn!(request = %record.request_id, reason = refused.reason, pause, "a receipt is refused for now");
        let mut record = record.clone();
        record.settlement.status = Status::Pending;
        record.settlement.reason = Some(refused.reason);
        Ok(self.store.update(record).await?)
    }

    async fn fail(&mut self, record: &Record, reason: String) -> Result<(), RoundError> {
        error!(request = %record.request_id, reason, "a receipt can never be settled");
        let mut record = record.clone();
        record.settlement.status = Status::Failed;
        record.settlement.reason = Some(reason);
        self.close(record).await
    }

    async fn close(&mut self, record: Record) -> Result<(), RoundError> {
        let request = record.request_id;
        self.store.update(record).await?;
        self.pauses.remove(&request);
        self.in_flight.release(&request);
        Ok(())
    }
}
