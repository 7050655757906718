use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use alloy::{
    eips::{
        BlockNumHash, BlockNumberOrTag,
        eip7623::{tokens_in_calldata, transaction_floor_cost},
    },
    network::TransactionBuilder as _,
    providers::Provider as _,
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
};
use alloy_primitives::{Address, Bytes, U256};
use tokio::sync::{mpsc, watch};

use crate::{
    L1Error, TxError,
    client::Connection,
    tx::{
        answer::{Answer, is_revert},
        fees::Fees,
        manager::{Confirmed, GasLimit, Reply, TxManagerConfig, TxRequest, TxStatus},
        slot::Slot,
    },
};

/// Confirmed transactions that are remembered, to be offered again should L1 forget them.
const REMEMBERED: usize = 128;
/// How often a used-up nonce may be found without a receipt of ours before it counts as taken.
const MISSING_LIMIT: u32 = 5;
/// How long a new manager waits for what an earlier process left in the pool.
const EARLIER_PATIENCE: Duration = Duration::from_secs(30);
const BALANCE_INTERVAL: Duration = Duration::from_secs(30);
const MAX_BACKOFF: Duration = Duration::from_secs(15);

/// The state of the transaction manager.
pub(super) struct Task {
    connection: Connection,
    signer: PrivateKeySigner,
    config: TxManagerConfig,
    status: watch::Sender<TxStatus>,
    /// Not yet given a nonce.
    waiting: VecDeque<(TxRequest, Reply)>,
    /// Given a nonce, ascending.
    slots: VecDeque<Slot>,
    /// Confirmed, ascending by nonce.
    done: VecDeque<(u64, Bytes)>,
    /// The nonce to be given out next; `None` until L1 has told.
    next_nonce: Option<u64>,
    started: Instant,
    balance_seen: Option<Instant>,
    failures: u32,
}

impl Task {
    pub(super) fn new(
        connection: Connection,
        signer: PrivateKeySigner,
        config: TxManagerConfig,
        status: watch::Sender<TxStatus>,
    ) -> Self {
        Self {
            connection,
            signer,
            config,
            status,
            waiting: VecDeque::new(),
            slots: VecDeque::new(),
            done: VecDeque::new(),
            next_nonce: None,
            started: Instant::now(),
            balance_seen: None,
            failures: 0,
        }
    }

    pub(super) async fn run(mut self, mut requests: mpsc::UnboundedReceiver<(TxRequest, Reply)>) {
        let mut next = tokio::time::Instant::now();
        loop {
            tokio::select! {
                request = requests.recv() => {
                    let Some(request) = request else { return };
                    self.waiting.push_back(request);
                    while let Ok(request) = requests.try_recv() {
                        self.waiting.push_back(request);
                    }
                    // The pause that L1's absence demands is not disturbed.
                    if self.failures > 0 {
                        continue;
                    }
                }
                () = tokio::time::sleep_until(next) => {}
            }
            next = tokio::time::Instant::now() + self.turn().await;
        }
    }

    /// One round with L1; returns how long to wait for the next one.
    async fn turn(&mut self) -> Duration {
        let result = self.advance().await;
        let reachable = result.is_ok();
        match result {
            Ok(()) => {
                if self.failures > 0 {
                    tracing::info!(account = %self.signer.address(), "L1 answers the transaction manager again");
                }
                self.failures = 0;
            }
            Err(error) => {
                if self.failures == 0 {
                    tracing::warn!(account = %self.signer.address(), %error, pending = self.slots.len() + self.waiting.len(),
                        "L1 does not serve the transaction manager: nothing is lost, trying again until it does");
                }
                self.failures += 1;
                // L1 may have lost its pool in the meantime: offer everything again when it is back.
                let now = Instant::now();
                self.slots.iter_mut().for_each(|slot| slot.due = now);
            }
        }
        let pending = self.slots.len() + self.waiting.len();
        self.status.send_modify(|status| {
            status.pending = pending;
            status.reachable = reachable;
        });
        self.config
            .poll_interval
            .saturating_mul(1 << self.failures.min(6))
            .min(MAX_BACKOFF.max(self.config.poll_interval))
    }

    async fn advance(&mut self) -> Result<(), L1Error> {
        if self.next_nonce.is_none() && !self.begin().await? {
            return Ok(());
        }
        self.look_at_balance().await?;
        if self.slots.is_empty() && self.waiting.is_empty() {
            return Ok(());
        }
        let nonce = self.nonce(BlockNumberOrTag::Latest).await?;
        self.fill_gap(nonce).await?;
        self.collect_receipts(nonce).await?;
        self.resubmit(nonce).await?;
        if self.waiting.is_empty() || self.slots.len() >= self.config.max_in_flight {
            return Ok(());
        }
        // One look at the market for all that start in this round.
        let market = self.market().await?;
        while self.slots.len() < self.config.max_in_flight {
            let Some((request, reply)) = self.waiting.pop_front() else { break };
            if let Err((error, request, reply)) = self.start(nonce, market, request, reply).await {
                self.waiting.push_front((request, reply));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Finds the first nonce. What an earlier process left in the pool is waited for, and in the end replaced.
    async fn begin(&mut self) -> Result<bool, L1Error> {
        self.connection.check_chain(self.config.chain_id).await?;
        let latest = self.nonce(BlockNumberOrTag::Latest).await?;
        let pending = self.nonce(BlockNumberOrTag::Pending).await?;
        let earlier = pending.saturating_sub(latest);
        if earlier > 0 && self.started.elapsed() < EARLIER_PATIENCE {
            tracing::debug!(earlier, "waiting for transactions of an earlier process");
            return Ok(false);
        }
        if earlier > 0 {
            tracing::warn!(account = %self.address(), earlier, "replacing transactions of an earlier process that are stuck");
        }
        self.next_nonce = Some(latest);
        Ok(true)
    }

    /// L1 was rolled back if it does not know nonces that we used: what we remember is offered again, byte by byte, so that nothing is
    /// sent twice under another nonce. What we do not remember is gone, and the transactions on their way move up.
    async fn fill_gap(&mut self, nonce: u64) -> Result<(), L1Error> {
        let first = self.slots.front().map(|slot| slot.nonce).or(self.next_nonce).unwrap_or(nonce);
        if nonce >= first {
            return Ok(());
        }
        let remembered: Vec<_> = self.done.iter().filter(|(done, _)| (nonce..first).contains(done)).cloned().collect();
        let mut is_filled = remembered.len() as u64 == first - nonce;
        for (done, raw) in remembered {
            match self.offer(&raw).await {
                Answer::InPool | Answer::NonceTooLow => {}
                Answer::Unclear(error) => return Err(error),
                answer => {
                    tracing::warn!(
                        nonce = done,
                        ?answer,
                        "a transaction that L1 has forgotten cannot be offered again"
                    );
                    is_filled = false;
                }
            }
        }
        tracing::warn!(account = %self.address(), expected = first, found = nonce, is_filled, "L1 was rolled back");
        if !is_filled {
            self.done.clear();
            let now = Instant::now();
            for (slot, nonce) in self.slots.iter_mut().zip(nonce..) {
                slot.nonce = nonce;
                slot.versions.clear();
                slot.due = now;
            }
            self.next_nonce = Some(nonce + self.slots.len() as u64);
        }
        Ok(())
    }

    /// Finds out what became of the transactions whose nonces are used up.
    async fn collect_receipts(&mut self, nonce: u64) -> Result<(), L1Error> {
        if self.slots.front().is_none_or(|slot| slot.nonce >= nonce) {
            return Ok(());
        }
        let provider = &self.connection.provider;
        let head = self.connection.call("eth_blockNumber", provider.get_block_number()).await?;
        while let Some(slot) = self.slots.front().filter(|slot| slot.nonce < nonce) {
            let mut found = None;
            for (hash, raw) in slot.versions.iter().rev() {
                let request = self.connection.provider.get_transaction_receipt(*hash);
                if let Some(receipt) = self.connection.call("eth_getTransactionReceipt", request).await? {
                    found = Some((receipt, raw.clone()));
                    break;
                }
            }
            let Some((receipt, raw)) = found else {
                let slot = self.slots.front_mut().expect("there is one");
                slot.missing += 1;
                if slot.missing < MISSING_LIMIT {
                    return Ok(());
                }
                let error = TxError::NonceTaken { account: self.signer.address(), nonce: slot.nonce };
                tracing::error!(%error, "a transaction was displaced");
                let slot = self.slots.pop_front().expect("there is one");
                let _ = slot.reply.send(Err(error));
                continue;
            };
            let Some(result) = outcome(&receipt, head, self.config.confirmations) else { return Ok(()) };
            let slot = self.slots.pop_front().expect("there is one");
            self.done.push_back((slot.nonce, raw));
            if self.done.len() > REMEMBERED {
                self.done.pop_front();
            }
            self.status.send_modify(|status| status.confirmed += 1);
            let _ = slot.reply.send(result);
        }
        Ok(())
    }

    /// Offers again what is due, at a higher price if it was in the pool before.
    async fn resubmit(&mut self, nonce: u64) -> Result<(), L1Error> {
        let now = Instant::now();
        if !self.slots.iter().any(|slot| slot.nonce >= nonce && slot.due <= now) {
            return Ok(());
        }
        let market = self.market().await?;
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if slot.nonce < nonce || slot.due > now {
                continue;
            }
            // After an absence of L1 the first thing is to know whether it still has the transaction; the price rises next time.
            if !slot.versions.is_empty() && self.failures == 0 {
                let fees = slot.fees.bumped(market).capped(self.config.max_fee_per_gas);
                // At the cap a replacement could not rise by a tenth: the version that exists is offered again.
                if fees.max_fee > slot.fees.max_fee && fees == slot.fees.bumped(market) {
                    tracing::info!(
                        nonce = slot.nonce,
                        max_fee = fees.max_fee,
                        tip = fees.tip,
                        "raising the price of a transaction"
                    );
                    slot.fees = fees;
                    sign(slot, &self.config, &self.signer);
                    self.status.send_modify(|status| status.resubmitted += 1);
                }
            } else if slot.versions.is_empty() {
                sign(slot, &self.config, &self.signer);
            }
            self.broadcast(index).await?;
        }
        Ok(())
    }

    /// Gives a transaction its gas limit, price and nonce, and offers it to L1.
    async fn start(
        &mut self,
        nonce: u64,
        market: Fees,
        request: TxRequest,
        reply: Reply,
    ) -> Result<(), (L1Error, TxRequest, Reply)> {
        let gas_limit = match request.gas_limit {
            GasLimit::Estimate => self.estimate(&request).await,
            GasLimit::Calldata => Ok(with_margin(transaction_floor_cost(tokens_in_calldata(&request.data)))),
            GasLimit::Fixed(gas_limit) => Ok(gas_limit),
        };
        let gas_limit = match gas_limit {
            Ok(gas_limit) => gas_limit,
            Err(error) if is_revert(&error) => {
                let _ = reply.send(Err(TxError::WouldRevert(error.to_string())));
                return Ok(());
            }
            Err(error) => return Err((error, request, reply)),
        };
        let fees = market.capped(self.config.max_fee_per_gas);
        let nonce = self.next_nonce.unwrap_or(nonce).max(nonce);
        let due = Instant::now();
        let mut slot = Slot { nonce, request, reply, gas_limit, fees, versions: Vec::new(), due, missing: 0 };
        sign(&mut slot, &self.config, &self.signer);
        self.slots.push_back(slot);
        self.next_nonce = Some(nonce + 1);
        // From here on it is the resubmission that sees to it: an L1 that does not answer may have taken it all the same.
        let index = self.slots.len() - 1;
        if let Err(error) = self.broadcast(index).await {
            tracing::debug!(%error, nonce, "a transaction was not acknowledged");
        }
        Ok(())
    }

    async fn broadcast(&mut self, index: usize) -> Result<(), L1Error> {
        let raw = self.slots[index].newest();
        let answer = self.offer(&raw).await;
        let is_last = index + 1 == self.slots.len();
        let slot = &mut self.slots[index];
        let now = Instant::now();
        match answer {
            Answer::InPool | Answer::NonceTooLow => slot.due = now + self.config.resubmit_after,
            // The next round raises the price.
            Answer::Underpriced => slot.due = now,
            Answer::InsufficientFunds => {
                tracing::error!(account = %self.signer.address(), nonce = slot.nonce,
                    "the account cannot pay for its transactions on L1: fund it");
                slot.due = now + self.config.resubmit_after;
            }
            Answer::Rejected(reason) => {
                // Never offered with success, and last in line: its nonce can be given to the next one.
                if slot.versions.len() == 1 && is_last {
                    let slot = self.slots.pop_back().expect("there is one");
                    self.next_nonce = Some(slot.nonce);
                    if slot.request.gas_limit == GasLimit::Calldata {
                        // Data may have become dearer by a fork: L1 knows.
                        tracing::warn!(%reason, gas = slot.gas_limit, "L1 rejects a transaction: estimating its gas");
                        let request = TxRequest { gas_limit: GasLimit::Estimate, ..slot.request };
                        self.waiting.push_front((request, slot.reply));
                    } else {
                        tracing::error!(%reason, "L1 rejects a transaction");
                        let _ = slot.reply.send(Err(TxError::Rejected(reason)));
                    }
                } else {
                    slot.due = now + self.config.resubmit_after;
                }
            }
            Answer::Unclear(error) => {
                slot.due = now;
                return Err(error);
            }
        }
        Ok(())
    }

    async fn offer(&self, raw: &[u8]) -> Answer {
        let request = self.connection.provider.send_raw_transaction(raw);
        Answer::of(self.connection.call("eth_sendRawTransaction", request).await)
    }

    async fn nonce(&self, tag: BlockNumberOrTag) -> Result<u64, L1Error> {
        let request = self.connection.provider.get_transaction_count(self.address()).block_id(tag.into());
        self.connection.call("eth_getTransactionCount", request).await
    }

    async fn market(&self) -> Result<Fees, L1Error> {
        let provider = &self.connection.provider;
        let head = self.connection.call("eth_getBlockByNumber", provider.get_block_by_number(BlockNumberOrTag::Latest));
        let base_fee = head.await?.and_then(|block| block.header.base_fee_per_gas).unwrap_or_default();
        let tip = match self.connection.call("eth_maxPriorityFeePerGas", provider.get_max_priority_fee_per_gas()).await
        {
            Ok(tip) => tip,
            // Not every node has the method.
            Err(L1Error::Refused { .. }) => 0,
            Err(error) => return Err(error),
        };
        Ok(Fees::suggested(base_fee.into(), tip.max(self.config.min_tip)))
    }

    async fn estimate(&self, request: &TxRequest) -> Result<u64, L1Error> {
        let call = TransactionRequest::default()
            .with_from(self.address())
            .with_to(request.to)
            .with_input(request.data.clone())
            .with_value(request.value);
        let call = self.connection.provider.estimate_gas(call).block(BlockNumberOrTag::Latest.into());
        Ok(with_margin(self.connection.call("eth_estimateGas", call).await?))
    }

    async fn look_at_balance(&mut self) -> Result<(), L1Error> {
        if self.balance_seen.is_some_and(|seen| seen.elapsed() < BALANCE_INTERVAL) {
            return Ok(());
        }
        let request = self.connection.provider.get_balance(self.address());
        let balance: U256 = self.connection.call("eth_getBalance", request).await?;
        self.balance_seen = Some(Instant::now());
        self.status.send_modify(|status| status.balance = Some(balance));
        if balance < self.config.low_balance {
            tracing::warn!(account = %self.address(), %balance, low = %self.config.low_balance,
                "the account's balance on L1 is low: fund it, or posting will stop");
        }
        Ok(())
    }

    fn address(&self) -> Address {
        self.signer.address()
    }
}

/// A fifth more gas than is expected: the state may have moved on by the time of inclusion, and what is not used is not paid.
const fn with_margin(gas: u64) -> u64 {
    gas.saturating_mul(6) / 5
}

fn sign(slot: &mut Slot, config: &TxManagerConfig, signer: &PrivateKeySigner) {
    if let Err(error) = slot.sign(config.chain_id, signer) {
        tracing::error!(%error, "the key cannot sign");
    }
}

/// What a receipt means; `None` while its block is not deep enough.
fn outcome(receipt: &TransactionReceipt, head: u64, confirmations: u64) -> Option<Result<Confirmed, TxError>> {
    let number = receipt.block_number?;
    let block = BlockNumHash { number, hash: receipt.block_hash? };
    if head + 1 < number + confirmations {
        return None;
    }
    let hash = receipt.transaction_hash;
    if !receipt.status() {
        return Some(Err(TxError::Reverted { hash, block: number }));
    }
    let cost = receipt.effective_gas_price.saturating_mul(receipt.gas_used.into());
    Some(Ok(Confirmed { hash, block, gas_used: receipt.gas_used, cost }))
}
