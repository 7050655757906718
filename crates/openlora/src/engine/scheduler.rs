use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use openledger_backbone::{Backbone, BackboneError, KvCache, Sequence};
use openledger_influence::{LoraParameters, QueryGradient, query_gradient};
use openledger_lora::{AdapterRegistry, Lease, LoraAdapter, LoraBatch, LoraError};
use tokio::sync::mpsc;
use tracing::{debug, error, warn};

use super::{
    EngineConfig, Gauges,
    command::{AdapterRef, Event, Finish, FinishReason, GenerationError, Job},
    sequence::Running,
};

/// The logits after each sequence's last token, with the sequence's position in the batch.
type Logits = Vec<(usize, Vec<f32>)>;

/// Continuous batching: between any two steps finished sequences leave and waiting ones join.
pub(super) struct Scheduler {
    backbone: Backbone,
    config: EngineConfig,
    gauges: Arc<Gauges>,
    adapters: AdapterRegistry,
    running: Vec<Running>,
    waiting: VecDeque<Job>,
}

impl Scheduler {
    pub(super) fn new(backbone: Backbone, config: EngineConfig, gauges: Arc<Gauges>) -> Self {
        let adapters = AdapterRegistry::new(config.adapter_bytes);
        Self { backbone, config, gauges, adapters, running: Vec::new(), waiting: VecDeque::new() }
    }

    /// Runs until all handles on the queue are gone and the last answer is given.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        loop {
            // The queue itself is where requests wait; only the one that does not fit yet is held here.
            while self.waiting.is_empty() && self.running.len() < self.config.max_batch {
                match queue.try_recv() {
                    Ok(job) => self.waiting.push_back(job),
                    Err(_) => break,
                }
                self.admit();
            }
            self.admit();
            self.gauges.running.store(self.running.len(), Ordering::Relaxed);
            self.gauges.waiting.store(queue.len() + self.waiting.len(), Ordering::Relaxed);
            if self.running.is_empty() && self.waiting.is_empty() {
                match queue.blocking_recv() {
                    Some(job) => self.waiting.push_back(job),
                    None => return,
                }
                continue;
            }
            self.step();
        }
    }

    /// Takes waiting requests into the batch, in order, as long as there is memory for their keys and values.
    fn admit(&mut self) {
        while self.running.len() < self.config.max_batch
            && let Some(job) = self.waiting.front()
        {
            let tokens = job.prompt.len() + job.max_tokens;
            let bytes = KvCache::bytes_for(self.backbone.model.config(), tokens);
            let used: usize = self.running.iter().map(|sequence| sequence.kv_bytes).sum();
            if used + bytes > self.config.kv_bytes && !self.running.is_empty() {
                return;
            }
            let Some(job) = self.waiting.pop_front() else { return };
            if job.events.is_closed() {
                continue;
            }
            match self.lease(job.adapter.as_ref()) {
                Ok(adapter) => {
                    let cache = KvCache::new(self.backbone.model.config(), self.backbone.model.device());
                    self.running.push(Running::new(job, adapter, cache, bytes));
                }
                Err(reason) => {
                    let _ = job.events.send(Event::Failed(reason));
                }
            }
        }
    }

    fn lease(&mut self, adapter: Option<&AdapterRef>) -> Result<Option<Lease>, GenerationError> {
        let Some(AdapterRef { hash, folder }) = adapter else { return Ok(None) };
        if let Some(lease) = self.adapters.get(hash) {
            return Ok(Some(lease));
        }
        let model = &self.backbone.model;
        let failed = |error: LoraError| match error {
            LoraError::OutOfBudget { .. } => GenerationError::AdapterMemory(error.to_string()),
            other => GenerationError::Adapter(other.to_string()),
        };
        let adapter = LoraAdapter::load(folder, model.config(), model.device()).map_err(failed)?;
        if adapter.content_hash() != *hash {
            return Err(GenerationError::Adapter("its file has just been replaced; ask again".into()));
        }
        debug!(adapter = hex::encode(hash), bytes = adapter.bytes(), "adapter loaded");
        self.adapters.insert(adapter).map(Some).map_err(failed)
    }

    /// One forward pass over all sequences: one token for those that answer, a piece of the prompt for those that begin.
    fn step(&mut self) {
        self.drop_cancelled();
        // Rows of one adapter side by side: one shrink and one expand for each adapter in the batch.
        self.running.sort_by_key(Running::key);
        let mut prefill = self.config.prefill_tokens.max(1);
        let mut lengths = Vec::with_capacity(self.running.len());
        for sequence in &self.running {
            let pending = sequence.pending().len();
            lengths.push(if sequence.is_prefilling() {
                let length = pending.min(prefill);
                prefill -= length;
                length
            } else {
                1
            });
        }
        match self.forward(&lengths) {
            Ok(Some(logits)) => self.sample(logits),
            Ok(None) => {}
            Err(reason) => {
                // Which sequence it was cannot be told, and the caches may be half written.
                error!(%reason, sequences = self.running.len(), "a step failed");
                for sequence in self.running.drain(..) {
                    let _ = sequence.job.events.send(Event::Failed(GenerationError::Model(reason.to_string())));
                }
            }
        }
    }

    /// Logits of each sequence that took part, with its position in `running`.
    fn forward(&mut self, lengths: &[usize]) -> Result<Option<Logits>, BackboneError> {
        let taking_part: Vec<usize> = (0..lengths.len()).filter(|&i| lengths[i] > 0).collect();
        if taking_part.is_empty() {
            return Ok(None);
        }
        let tokens: Vec<Vec<u32>> =
            taking_part.iter().map(|&i| self.running[i].pending()[..lengths[i]].to_vec()).collect();
        let leases: Vec<Option<Lease>> = taking_part.iter().map(|&i| self.running[i].adapter.clone()).collect();
        let rows = leases.iter().zip(&tokens).map(|(lease, tokens)| (lease.as_deref(), tokens.len()));
        let delta = LoraBatch::new(rows);
        let mut batch = Vec::with_capacity(tokens.len());
        let mut tokens_of = tokens.iter();
        for (sequence, &length) in self.running.iter_mut().zip(lengths) {
            if length > 0
                && let Some(tokens) = tokens_of.next()
            {
                batch.push(Sequence { tokens, cache: &mut sequence.cache });
            }
        }
        let logits = self.backbone.model.step(&mut batch, &delta)?;
        drop(batch);
        self.gauges.steps.fetch_add(1, Ordering::Relaxed);
        let prefilled: usize = tokens.iter().map(Vec::len).filter(|&len| len > 1).sum();
        self.gauges.prefilled.fetch_add(prefilled, Ordering::Relaxed);
        let vocabulary = self.backbone.model.config().vocabulary as usize;
        let logits = Vec::<f32>::try_from(logits.f_reshape([-1])?)?;
        Ok(Some(taking_part.into_iter().zip(logits.chunks_exact(vocabulary).map(<[f32]>::to_vec)).collect()))
    }

    fn sample(&mut self, logits: Logits) {
        let mut ended = Vec::new();
        for (i, mut logits) in logits {
            let sequence = &mut self.running[i];
            if sequence.is_prefilling() {
                continue;
            }
            let outcome = sequence.advance(&self.backbone.tokenizer, &mut logits);
            self.gauges.generated.fetch_add(1, Ordering::Relaxed);
            match outcome {
                Ok(None) => {}
                Ok(Some(reason)) => ended.push((i, Ok(reason))),
                Err(error) => ended.push((i, Err(error))),
            }
        }
        // From the end, so that positions stay true.
        for (i, outcome) in ended.into_iter().rev() {
            let sequence = self.running.remove(i);
            match outcome {
                Ok(reason) => self.finish(sequence, reason),
                Err(error) => {
                    let _ = sequence.job.events.send(Event::Failed(GenerationError::Model(error.to_string())));
                }
            }
        }
    }

    fn drop_cancelled(&mut self) {
        let mut i = 0;
        while i < self.running.len() {
            if self.running[i].is_cancelled() {
                let sequence = self.running.remove(i);
                self.finish(sequence, FinishReason::Cancelled);
            } else {
                i += 1;
            }
        }
    }

    fn finish(&self, sequence: Running, reason: FinishReason) {
        let gradient = sequence.job.gradient.filter(|_| !sequence.generated.is_empty()).and_then(|limit| {
            self.gradient(&sequence, limit)
                .inspect_err(|reason| warn!(%reason, "the gradient of an answer could not be computed"))
                .ok()
        });
        let finish = Finish { reason, tokens: sequence.generated, gradient };
        let _ = sequence.job.events.send(Event::Done(Box::new(finish)));
    }

    fn gradient(&self, sequence: &Running, limit: usize) -> Result<QueryGradient, openledger_influence::Error> {
        let Some(adapter) = &sequence.adapter else {
            return Err(openledger_influence::Error::Missing { path: "an adapter".into() });
        };
        let parameters = LoraParameters::of(adapter)?;
        query_gradient(&self.backbone.model, &parameters, &sequence.job.prompt, &sequence.generated, limit)
    }
}
