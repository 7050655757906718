//! Logits, losses and gradients with an adapter on the real model, against values recorded from Hugging Face PEFT by
//! `scripts/reference/peft_gradients.py`, which loaded the very files that are written here.

use std::{env, path::PathBuf};

use openledger_backbone::{Backbone, Projection};
use openledger_influence::{Example, LoraParameters, gradients};
use openledger_lora::{AdapterConfig, LoraAdapter, LoraWeights, Weights};
use serde::Deserialize;
use tch::{Device, Tensor};

/// Both sides compute in `f32` from equal weights, in another order: relative to the largest value.
const TOLERANCE: f64 = 1e-3;

#[derive(Deserialize)]
struct Recorded {
    backbone_sha256: String,
    adapter_sha256: String,
    examples: Vec<RecordedExample>,
}

#[derive(Deserialize)]
struct RecordedExample {
    prompt: Vec<u32>,
    completion: Vec<u32>,
    loss: f64,
    /// Position, token and logit.
    logits: Vec<(i64, i64, f64)>,
    /// For some matrices: name, norm of the gradient, its first eight values.
    gradients: Vec<(String, f64, Vec<f64>)>,
}

/// `$OPENLEDGER_GGUF`, or the model where the set-up script puts it.
fn backbone() -> Option<Backbone> {
    let under = |base: &str, rest: &str| env::var_os(base).map(|folder| PathBuf::from(folder).join(rest));
    let home = under("OPENLEDGER_HOME", "")
        .or_else(|| under("XDG_CACHE_HOME", "openledger"))
        .or_else(|| under("HOME", ".cache/openledger"))?;
    let file = home.join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let path = env::var_os("OPENLEDGER_GGUF").map_or(file, PathBuf::from);
    path.exists().then(|| Backbone::load(path, Device::Cpu).unwrap())
}

/// The same values on every machine: integers mixed and scaled.
fn adapter(backbone: &Backbone) -> LoraAdapter {
    let target_modules = vec![Projection::Q, Projection::V, Projection::Gate];
    let config = AdapterConfig {
        r: 4,
        lora_alpha: 8.0,
        use_rslora: false,
        target_modules: target_modules.clone(),
        lora_dropout: 0.0,
        base_model: None,
    };
    let mut state = 1u32;
    let mut matrix = |rows: i64, columns: i64| {
        let mut value = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / (1 << 24) as f32 - 0.5) * 0.0625
        };
        let values: Vec<f32> = (0..rows * columns).map(|_| value()).collect();
        Tensor::from_slice(&values).view([rows, columns])
    };
    let shape = backbone.model.config();
    let mut weights = Weights::new();
    for layer in 0..shape.layers {
        for projection in &target_modules {
            let (out, width) = shape.projection_shape(*projection);
            weights.insert((layer, *projection), LoraWeights { a: matrix(4, width), b: matrix(out, 4) });
        }
    }
    LoraAdapter::new(config, &weights, shape).unwrap()
}

fn hex(bytes: [u8; 32]) -> String {
    alloy_primitives::hex::encode(bytes)
}

#[test]
fn logits_losses_and_gradients_are_those_of_peft() {
    tch::set_num_threads(1);
    let Some(backbone) = backbone() else {
        println!("skipped: no model; the set-up script fetches it");
        return;
    };
    let recorded: Recorded = serde_json::from_str(include_str!("data/peft.json")).unwrap();
    assert_eq!(hex(backbone.content_hash), recorded.backbone_sha256, "the values were recorded with another file");
    let adapter = adapter(&backbone);
    assert_eq!(hex(adapter.content_hash()), recorded.adapter_sha256, "the values were recorded with another adapter");
    let parameters = LoraParameters::of(&adapter).unwrap();
    let examples: Vec<_> = recorded
        .examples
        .iter()
        .map(|example| Example::new(&example.prompt, &example.completion, 256).unwrap())
        .collect();
    // One batch of different lengths: padding is exercised too.
    let found = gradients(&backbone.model, &parameters, &examples).unwrap();
    for ((expected, example), found) in recorded.examples.iter().zip(&examples).zip(&found) {
        assert!((found.loss() - expected.loss).abs() < 1e-4 * expected.loss, "{} {}", found.loss(), expected.loss);
        let tokens: Vec<i64> = example.tokens().iter().map(|token| i64::from(*token)).collect();
        let logits =
            tch::no_grad(|| backbone.model.forward(&Tensor::from_slice(&tokens).unsqueeze(0), &parameters).unwrap());
        for (position, token, logit) in &expected.logits {
            let found = logits.double_value(&[0, *position, *token]);
            assert!((found - logit).abs() < 2e-3, "position {position}, token {token}: {found} against {logit}");
        }
        let matrices = parameters.layout().matrices();
        for (name, norm, first) in &expected.gradients {
            let l = matrices.iter().position(|matrix| matrix.name == *name).unwrap();
            let values = &found.values()[parameters.layout().range(l)];
            let own = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            assert!((own - norm).abs() < TOLERANCE * norm, "{name}: norm {own} against {norm}");
            for (value, expected) in values.iter().zip(first) {
                assert!((f64::from(*value) - expected).abs() < TOLERANCE * norm, "{name}: {value} against {expected}");
            }
        }
    }
}

/// First half of a new recording: writes the adapter and the texts' tokens into `$OPENLEDGER_REFERENCE`.
#[test]
#[ignore = "writes what scripts/reference/peft_gradients.py reads"]
fn write_the_adapter_for_peft() {
    let folder = PathBuf::from(env::var_os("OPENLEDGER_REFERENCE").expect("a folder to write to"));
    let backbone = backbone().expect("the model");
    adapter(&backbone).save(&folder).unwrap();
    let texts = [
        (
            "<|im_start|>user\nWho owns the wall between two houses?<|im_end|>\n<|im_start|>assistant\n",
            "Both neighbours, in equal parts.",
        ),
        (
            "<|im_start|>user\nHow deep?<|im_end|>\n<|im_start|>assistant\n",
            "At least 1.2 m below ground, so that frost does not lift it.\n",
        ),
    ];
    let encode = |text: &str| backbone.tokenizer.encode(text, true).unwrap();
    let tokens: Vec<_> = texts.iter().map(|(prompt, completion)| (encode(prompt), encode(completion))).collect();
    std::fs::write(folder.join("tokens.json"), serde_json::to_vec(&tokens).unwrap()).unwrap();
}
