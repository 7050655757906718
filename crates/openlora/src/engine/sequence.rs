use std::sync::atomic::Ordering;

use openledger_backbone::{BackboneError, Detokenizer, KvCache, Sampler, Tokenizer};
use openledger_lora::Lease;

use super::{
    command::{Event, FinishReason, Job},
    stop::StopMatcher,
};

/// A request in the batch.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) job: Job,
    pub(super) adapter: Option<Lease>,
    pub(super) cache: KvCache,
    /// Bytes of the budget for keys and values that it holds.
    pub(super) kv_bytes: usize,
    pub(super) generated: Vec<u32>,
    sampler: Sampler,
    detokenizer: Detokenizer,
    stop: StopMatcher,
}

impl Running {
    pub(super) fn new(mut job: Job, adapter: Option<Lease>, cache: KvCache, kv_bytes: usize) -> Self {
        let sampler = Sampler::new(job.sampling.clone(), &job.prompt);
        let stop = StopMatcher::new(std::mem::take(&mut job.stop));
        let generated = Vec::new();
        Self { job, adapter, cache, kv_bytes, generated, sampler, detokenizer: Detokenizer::default(), stop }
    }

    /// Groups sequences of the same adapter.
    pub(super) fn key(&self) -> Option<[u8; 32]> {
        self.adapter.as_ref().map(|adapter| adapter.content_hash())
    }

    /// Tokens that the model has not seen yet: the rest of the prompt, or the last token sampled.
    pub(super) fn pending(&self) -> &[u32] {
        match self.job.prompt.get(self.cache.len()..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => &self.generated[self.generated.len() - 1..],
        }
    }

    pub(super) fn is_prefilling(&self) -> bool {
        self.cache.len() < self.job.prompt.len()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.job.cancelled.load(Ordering::Relaxed) || self.job.events.is_closed()
    }

    /// Chooses the next token by these logits and passes its text on. Answers why the sequence ends, if it does.
    pub(super) fn advance(
        &mut self,
        tokenizer: &Tokenizer,
        logits: &mut [f32],
    ) -> Result<Option<FinishReason>, BackboneError> {
        let token = self.sampler.next(logits)?;
        self.generated.push(token);
        if tokenizer.end_of_generation.contains(&token) {
            self.flush();
            return Ok(Some(FinishReason::Stop));
        }
        let text = self.detokenizer.push(tokenizer, token);
        let (text, stopped) = self.stop.push(&text);
        self.send(text);
        if stopped {
            return Ok(Some(FinishReason::Stop));
        }
        if self.generated.len() >= self.job.max_tokens {
            self.flush();
            return Ok(Some(FinishReason::Length));
        }
        Ok(None)
    }

    fn flush(&mut self) {
        let tail = self.detokenizer.finish();
        let (text, stopped) = self.stop.push(&tail);
        self.send(text);
        if !stopped {
            let held = self.stop.finish();
            self.send(held);
        }
    }

    fn send(&self, text: String) {
        if !text.is_empty() {
            // Nobody listening shows at the next step, as a cancellation.
            let _ = self.job.events.send(Event::Text(text));
        }
    }
}
