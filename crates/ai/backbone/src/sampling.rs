use std::collections::HashMap;

use crate::BackboneError;

/// How the next token is chosen. The defaults are OpenAI's.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// 0 takes the likeliest token; 1 samples from the model's distribution.
    pub temperature: f32,
    /// Samples among the likeliest tokens that together have this probability; 1 keeps all.
    pub top_p: f32,
    /// Samples among this many likeliest tokens; 0 keeps all.
    pub top_k: usize,
    /// Divides (or, below zero, multiplies) the logit of tokens seen before; 1 leaves them.
    pub repetition_penalty: f32,
    /// Taken from the logit of a token for each time it was generated.
    pub frequency_penalty: f32,
    /// Taken from the logit of a token that was generated at all.
    pub presence_penalty: f32,
    /// Added to the logits of single tokens.
    pub logit_bias: Vec<(u32, f32)>,
    /// Makes the choice repeatable.
    pub seed: u64,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            logit_bias: Vec::new(),
            seed: 0,
        }
    }
}

/// Chooses the tokens of one sequence.
#[derive(Debug)]
pub struct Sampler {
    params: SamplingParams,
    random: SplitMix64,
    prompt: Vec<u32>,
    generated: HashMap<u32, u32>,
}

impl Sampler {
    /// A sampler for a sequence that begins with `prompt` (which only the repetition penalty looks at).
    pub fn new(params: SamplingParams, prompt: &[u32]) -> Self {
        let prompt = if params.repetition_penalty == 1.0 { Vec::new() } else { prompt.to_vec() };
        Self { random: SplitMix64(params.seed), params, prompt, generated: HashMap::new() }
    }

    /// The next token, by the logits after the last one. `logits` is used as working space.
    pub fn next(&mut self, logits: &mut [f32]) -> Result<u32, BackboneError> {
        self.adjust(logits);
        let (best, top) = argmax(logits).ok_or(BackboneError::NotFinite)?;
        let token = if self.params.temperature <= 0.0 { best } else { self.draw(logits, top) };
        *self.generated.entry(token).or_default() += 1;
        Ok(token)
    }

    fn adjust(&self, logits: &mut [f32]) {
        for &(token, bias) in &self.params.logit_bias {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit += bias;
            }
        }
        let penalty = self.params.repetition_penalty;
        if penalty != 1.0 {
            let mut seen: Vec<u32> = self.prompt.iter().chain(self.generated.keys()).copied().collect();
            seen.sort_unstable();
            seen.dedup();
            for token in seen {
                if let Some(logit) = logits.get_mut(token as usize) {
                    *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
                }
            }
        }
        for (&token, &count) in &self.generated {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit -= self.params.presence_penalty + self.params.frequency_penalty * count as f32;
            }
        }
    }

    fn draw(&mut self, logits: &[f32], top: f32) -> u32 {
        let weight =
            |&logit: &f32| if logit.is_nan() { 0.0 } else { f64::from((logit - top) / self.params.temperature).exp() };
        let mut candidates: Vec<(u32, f64)> = (0..).zip(logits.iter().map(weight)).filter(|c| c.1 > 0.0).collect();
        let total: f64 = candidates.iter().map(|c| c.1).sum();
        if self.params.top_k > 0 {
            keep_largest(&mut candidates, self.params.top_k);
        }
        if self.params.top_p < 1.0 {
            // As usual, top_p applies to what top_k left.
            let total = if self.params.top_k > 0 { candidates.iter().map(|c| c.1).sum() } else { total };
            nucleus(&mut candidates, f64::from(self.params.top_p) * total);
        }
        let total: f64 = candidates.iter().map(|c| c.1).sum();
        let mut left = self.random.unit() * total;
        for &(token, weight) in &candidates {
            left -= weight;
            if left < 0.0 {
                return token;
            }
        }
        // Rounding may leave a trace of `left`; the last candidate owns it. The likeliest token is always a candidate.
        candidates.last().map_or(0, |c| c.0)
    }
}

/// The likeliest token (the first among equals) and its logit; nothing if no logit is finite.
fn argmax(logits: &[f32]) -> Option<(u32, f32)> {
    let mut best: Option<(u32, f32)> = None;
    for (token, &logit) in (0..).zip(logits) {
        if logit.is_finite() && best.is_none_or(|(_, top)| logit > top) {
            best = Some((token, logit));
        }
    }
    best
}

fn by_weight(a: &(u32, f64), b: &(u32, f64)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

fn keep_largest(candidates: &mut Vec<(u32, f64)>, count: usize) {
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, by_weight);
        candidates.truncate(count);
    }
}

/// Keeps the largest weights until they sum to `mass`. Sorts only as many as that takes.
fn nucleus(candidates: &mut Vec<(u32, f64)>, mass: f64) {
    let mut sorted = 128;
    loop {
        let head = sorted.min(candidates.len());
        if head < candidates.len() {
            candidates.select_nth_unstable_by(head, by_weight);
        }
        candidates[..head].sort_unstable_by(by_weight);
        let mut sum = 0.0;
        for (i, candidate) in candidates[..head].iter().enumerate() {
            sum += candidate.1;
            if sum >= mass {
                candidates.truncate(i + 1);
                return;
            }
        }
        if head == candidates.len() {
            return;
        }
        sorted *= 8;
    }
}

/// A small generator whose sequence is fixed by its definition, so that a seed means the same in every version.
#[derive(Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(params: SamplingParams, logits: &[f32], count: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(params, &[]);
        (0..count).map(|_| sampler.next(&mut logits.to_vec()).unwrap()).collect()
    }

    #[test]
    fn greedy_takes_the_first_best_and_skips_what_is_not_a_number() {
        let params = SamplingParams { temperature: 0.0, ..Default::default() };
        assert_eq!(draws(params.clone(), &[f32::NAN, 1.0, 3.0, 3.0, f32::INFINITY], 1), [2]);
        assert!(matches!(Sampler::new(params, &[]).next(&mut [f32::NAN]), Err(BackboneError::NotFinite)));
    }

    #[test]
    fn frequencies_follow_the_distribution() {
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let mut counts = [0; 3];
        for token in draws(SamplingParams { seed: 7, ..Default::default() }, &logits, 20_000) {
            counts[token as usize] += 1;
        }
        for (count, expected) in counts.into_iter().zip([10_000, 6_000, 4_000]) {
            assert!(i32::abs(count - expected) < 300, "{counts:?}");
        }
    }

    #[test]
    fn top_k_and_top_p_cut_the_tail() {
        let logits = [0.1f32.ln(), 0.5f32.ln(), 0.15f32.ln(), 0.25f32.ln()];
        let set = |params| std::collections::BTreeSet::from_iter(draws(params, &logits, 2000));
        assert_eq!(set(SamplingParams { top_k: 2, ..Default::default() }), [1, 3].into());
        assert_eq!(set(SamplingParams { top_p: 0.8, ..Default::default() }), [1, 2, 3].into());
        assert_eq!(set(SamplingParams { top_p: 0.5, ..Default::default() }), [1].into());
    }

    #[test]
    fn the_nucleus_may_be_larger_than_the_first_sort() {
        let mut candidates: Vec<(u32, f64)> = (0..5000).map(|i| (i, 1.0)).collect();
        nucleus(&mut candidates, 3000.0);
        assert_eq!(candidates.len(), 3000);
    }

    #[test]
    fn penalties_and_bias_move_the_choice() {
        let greedy = SamplingParams { temperature: 0.0, ..Default::default() };
        let presence = SamplingParams { presence_penalty: 0.6, ..greedy.clone() };
        assert_eq!(draws(presence, &[1.0, 0.5], 3), [0, 1, 0]);
        let frequency = SamplingParams { frequency_penalty: 0.4, ..greedy.clone() };
        assert_eq!(draws(frequency, &[1.0, 0.5], 4), [0, 0, 1, 0]);
        let bias = SamplingParams { logit_bias: vec![(1, 100.0), (99, 1.0)], ..greedy };
        assert_eq!(draws(bias, &[1.0, 0.5], 1), [1]);
        let params = SamplingParams { repetition_penalty: 3.0, ..greedy };
        assert_eq!(Sampler::new(params, &[0]).next(&mut [1.0, 0.5]).unwrap(), 1);
    }

    #[test]
    fn a_seed_repeats() {
        let logits: Vec<f32> = (0..100).map(|i| (i % 7) as f32).collect();
        let with = |seed| draws(SamplingParams { seed, ..Default::default() }, &logits, 20);
        assert_eq!(with(1), with(1));
        assert_ne!(with(1), with(2));
    }
}
