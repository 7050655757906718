use std::sync::Arc;

use alloy_primitives::B256;
use openledger_backbone::SamplingParams;

use super::{ApiError, AppState, body::Common};
use crate::{catalog::AdapterEntry, engine::ModelInfo};

/// OpenAI's limit.
const MAX_STOPS: usize = 4;
const MAX_STOP_BYTES: usize = 256;

/// A request whose parameters hold.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) model: String,
    pub(super) adapter: Option<AdapterEntry>,
    /// The text after the chat template.
    pub(super) prompt: String,
    pub(super) tokens: Vec<u32>,
    pub(super) sampling: SamplingParams,
    pub(super) max_tokens: usize,
    pub(super) stop: Vec<String>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) attribution: bool,
}

impl Prepared {
    pub(super) fn adapter_hash(&self) -> B256 {
        self.adapter.as_ref().map_or(B256::ZERO, |adapter| adapter.hash)
    }
}

/// Checks a request's parameters and tokenises its prompt; `render` makes the prompt's text.
pub(super) async fn prepare(
    state: &Arc<AppState>,
    common: Common,
    render: impl FnOnce(&ModelInfo) -> Result<String, ApiError> + Send + 'static,
) -> Result<Prepared, ApiError> {
    if common.n.unwrap_or(1) != 1 {
        return Err(ApiError::unsupported("n"));
    }
    if !matches!(common.logprobs, None | Some(serde_json::Value::Null | serde_json::Value::Bool(false))) {
        return Err(ApiError::unsupported("logprobs"));
    }
    let sampling = sampling(&common, state.engine.info())?;
    let stop = common.stop.map(super::body::Texts::into_vec).unwrap_or_default();
    if stop.len() > MAX_STOPS || stop.iter().any(|text| text.is_empty() || text.len() > MAX_STOP_BYTES) {
        let message = format!("\"stop\" takes up to {MAX_STOPS} texts of 1 to {MAX_STOP_BYTES} bytes");
        return Err(ApiError::invalid(message, "stop"));
    }
    if common.max_tokens == Some(0) {
        return Err(ApiError::invalid("\"max_tokens\" must be at least 1", "max_tokens"));
    }
    // Reading adapters and tokenising a long text take a while: not on the async threads.
    let (shared, model) = (Arc::clone(state), common.model);
    let work = move || {
        let (model, adapter) = find_model(&shared, &model)?;
        let info = shared.engine.info();
        let prompt = render(info)?;
        // A text of megabytes is turned away before it costs the time to tokenise it.
        room(&shared, info.tokenizer.fewest_tokens(prompt.len()))?;
        let failed = |error: openledger_backbone::BackboneError| ApiError::invalid(error.to_string(), "messages");
        let mut tokens: Vec<u32> = info.tokenizer.bos.into_iter().collect();
        tokens.extend(info.tokenizer.encode(&prompt, true).map_err(failed)?);
        if tokens.is_empty() {
            return Err(ApiError::invalid("the prompt is empty", "prompt"));
        }
        Ok((model, adapter, prompt, tokens))
    };
    let (model, adapter, prompt, tokens) =
        tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(error.to_string()))??;
    let room = room(state, tokens.len())?;
    let max_tokens = match common.max_tokens {
        None => state.default_max_tokens.clamp(1, room),
        Some(asked) if asked as usize <= room => asked as usize,
        Some(asked) => {
            let message = format!(
                "the prompt has {} tokens and max_tokens is {asked}, together more than {}; max_tokens can be at most {room}",
                tokens.len(),
                state.engine.max_tokens()
            );
            return Err(ApiError::context_length(message));
        }
    };
    Ok(Prepared {
        model,
        adapter,
        prompt,
        tokens,
        sampling,
        max_tokens,
        stop,
        stream: common.stream.unwrap_or(false),
        include_usage: common.stream_options.unwrap_or_default().include_usage,
        attribution: common.attribution.unwrap_or(false),
    })
}

/// Tokens left for the answer.
fn room(state: &AppState, prompt: usize) -> Result<usize, ApiError> {
    let limit = state.engine.max_tokens();
    match limit.checked_sub(prompt) {
        Some(room) if room > 0 => Ok(room),
        _ => Err(ApiError::context_length(format!(
            "the prompt has {prompt} tokens or more; the context holds {limit}, the answer included. Shorten the messages"
        ))),
    }
}

/// `name` is the backbone, `name:adapter` the backbone with an adapter.
pub(super) fn find_model(state: &AppState, name: &str) -> Result<(String, Option<AdapterEntry>), ApiError> {
    let backbone = &state.engine.info().name;
    let unknown = || ApiError::model_not_found(name);
    match name.split_once(':') {
        None if name == backbone => Ok((name.to_owned(), None)),
        Some((base, adapter)) if base == backbone => {
            Ok((name.to_owned(), Some(state.catalog.get(adapter).ok_or_else(unknown)?)))
        }
        _ => Err(unknown()),
    }
}

fn sampling(common: &Common, info: &ModelInfo) -> Result<SamplingParams, ApiError> {
    let defaults = SamplingParams::default();
    let within = |value: Option<f32>, default: f32, low: f32, high: f32, name: &'static str| match value {
        None => Ok(default),
        Some(value) if (low..=high).contains(&value) => Ok(value),
        Some(value) => Err(ApiError::invalid(format!("{name:?} is {value}, expected {low} to {high}"), name)),
    };
    let mut logit_bias = Vec::new();
    for (token, &bias) in common.logit_bias.iter().flatten() {
        let id = token.parse().ok().filter(|&id: &u32| (id as usize) < info.tokenizer.len());
        let id = id.ok_or_else(|| ApiError::invalid(format!("{token:?} is not a token id"), "logit_bias"))?;
        if !(-100.0..=100.0).contains(&bias) {
            return Err(ApiError::invalid(format!("the bias {bias} is not within -100 to 100"), "logit_bias"));
        }
        logit_bias.push((id, bias));
    }
    let top_p = within(common.top_p, defaults.top_p, 0.0, 1.0, "top_p")?;
    Ok(SamplingParams {
        temperature: within(common.temperature, defaults.temperature, 0.0, 2.0, "temperature")?,
        top_p,
        top_k: common.top_k.unwrap_or(0) as usize,
        repetition_penalty: within(common.repetition_penalty, 1.0, 0.1, 10.0, "repetition_penalty")?,
        frequency_penalty: within(common.frequency_penalty, 0.0, -2.0, 2.0, "frequency_penalty")?,
        presence_penalty: within(common.presence_penalty, 0.0, -2.0, 2.0, "presence_penalty")?,
        logit_bias,
        seed: common.seed.map_or_else(random_seed, |seed| seed as u64),
    })
}

fn random_seed() -> u64 {
    B256::random().as_slice().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
