//! The real model against values recorded from independent implementations by `scripts/reference/logits.py`.

use std::{env, path::PathBuf};

use openledger_backbone::{Backbone, ChatMessage, KvCache, NoDelta, Sequence};
use serde::Deserialize;
use tch::{Device, Tensor};

/// Largest difference of a logit. Both sides compute in f32 from the same dequantised weights, in another order; logits
/// reach about 20 here.
const TOLERANCE: f64 = 2e-3;

#[derive(Deserialize)]
struct Recorded {
    sha256: String,
    tokenizer: Vec<Encoded>,
    chat: Vec<Chat>,
    logits: Vec<Logits>,
}

#[derive(Deserialize)]
struct Encoded {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Chat {
    messages: Vec<ChatMessage>,
    prompt: String,
}

#[derive(Deserialize)]
struct Logits {
    prompt: String,
    ids: Vec<u32>,
    rows: Vec<Row>,
    greedy: Vec<u32>,
}

#[derive(Deserialize)]
struct Row {
    position: i64,
    top: Vec<(i64, f64)>,
    at: Vec<(i64, f64)>,
}

/// `$OPENLEDGER_GGUF`, or the model where the set-up script puts it.
fn model() -> Option<PathBuf> {
    let under = |base: &str, rest: &str| env::var_os(base).map(|folder| PathBuf::from(folder).join(rest));
    let home = under("OPENLEDGER_HOME", "")
        .or_else(|| under("XDG_CACHE_HOME", "openledger"))
        .or_else(|| under("HOME", ".cache/openledger"))?;
    let path = env::var_os("OPENLEDGER_GGUF")
        .map_or_else(|| home.join("models/SmolLM2-135M-Instruct.Q4_1.gguf"), PathBuf::from);
    path.exists().then_some(path)
}

#[test]
fn tokens_prompts_and_logits_agree_with_independent_implementations() {
    let Some(path) = model() else {
        eprintln!("SKIPPED: the backbone is not there; run the set-up or set OPENLEDGER_GGUF");
        return;
    };
    // Several threads spin for each other while other tests want the cores: one is faster then.
    tch::set_num_threads(1);
    let recorded: Recorded = serde_json::from_str(include_str!("data/smollm2-135m-instruct.json")).unwrap();
    let backbone = Backbone::load(path, Device::Cpu).unwrap();
    let hash: String = backbone.content_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, recorded.sha256, "the values were recorded on another file");

    for Encoded { text, ids } in &recorded.tokenizer {
        assert_eq!(&backbone.tokenizer.encode(text, true).unwrap(), ids, "{text:?}");
    }
    for Chat { messages, prompt } in &recorded.chat {
        assert_eq!(&backbone.chat.as_ref().unwrap().render(messages, true).unwrap(), prompt);
    }
    for Logits { prompt, ids, rows, greedy } in &recorded.logits {
        assert_eq!(&backbone.tokenizer.encode(prompt, true).unwrap(), ids);
        let tokens = Tensor::from_slice(&ids.iter().map(|&id| i64::from(id)).collect::<Vec<_>>()).unsqueeze(0);
        let logits = tch::no_grad(|| backbone.model.forward(&tokens, &NoDelta)).unwrap();
        for Row { position, top, at } in rows {
            let row = logits.get(0).get(*position);
            for &(token, expected) in top.iter().chain(at) {
                let actual = row.double_value(&[token]);
                assert!((actual - expected).abs() < TOLERANCE, "{prompt:?} {position} {token}: {actual} {expected}");
            }
            assert_eq!(row.argmax(0, false).int64_value(&[]), top[0].0);
        }
        let mut cache = KvCache::new(backbone.model.config(), Device::Cpu);
        let (mut next, mut answer) = (ids.clone(), Vec::new());
        while answer.len() < greedy.len() {
            let logits = backbone.model.step(&mut [Sequence { tokens: &next, cache: &mut cache }], &NoDelta).unwrap();
            next = vec![logits.argmax(-1, false).int64_value(&[0]) as u32];
            answer.push(next[0]);
        }
        assert_eq!(&answer, greedy, "{prompt:?}");
    }
}
