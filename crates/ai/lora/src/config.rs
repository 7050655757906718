use openledger_backbone::Projection;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::LoraError;

const MAX_RANK: usize = 1024;

/// What `adapter_config.json` says, as far as the arithmetic depends on it.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterConfig {
    /// Rank of the update.
    pub r: usize,
    /// Numerator of the scaling.
    pub lora_alpha: f64,
    /// Rank-stabilised: the scaling's denominator is `√r` instead of `r`.
    pub use_rslora: bool,
    /// The linear layers that are adapted, sorted, each once.
    pub target_modules: Vec<Projection>,
    /// Probability with which training drops an input of A. Serving does not use it.
    pub lora_dropout: f64,
    /// Name of the backbone it was trained on, for people.
    pub base_model: Option<String>,
}

/// The fields of PEFT's file that are read. Others do not change what the adapter computes.
#[derive(Deserialize)]
struct Raw {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    target_modules: Value,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    lora_dropout: f64,
    #[serde(default)]
    base_model_name_or_path: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Fields of newer or other methods: they must be absent, null, false, empty or as here.
const NEUTRAL: [(&str, &str); 12] = [
    ("use_dora", ""),
    ("fan_in_fan_out", ""),
    ("rank_pattern", ""),
    ("alpha_pattern", ""),
    ("modules_to_save", ""),
    ("bias", "none"),
    ("lora_bias", ""),
    ("layer_replication", ""),
    ("trainable_token_indices", ""),
    ("target_parameters", ""),
    ("use_qalora", ""),
    ("alora_invocation_tokens", ""),
];

impl AdapterConfig {
    /// `adapter_config.json` from its bytes.
    pub fn from_json(bytes: &[u8]) -> Result<Self, LoraError> {
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| LoraError::Config(error.to_string()))?;
        if raw.peft_type != "LORA" {
            return Err(LoraError::Config(format!("peft_type {:?} is not \"LORA\"", raw.peft_type)));
        }
        for (field, neutral) in NEUTRAL {
            if raw.others.get(field).is_some_and(|value| !is_neutral(value, neutral)) {
                return Err(LoraError::Config(format!("{field:?} is set, which is not supported")));
            }
        }
        let modules: Vec<String> = serde_json::from_value(raw.target_modules)
            .map_err(|_| LoraError::Config("\"target_modules\" must be a list of module names".into()))?;
        let target_modules = modules
            .iter()
            .map(|name| {
                Projection::from_module(name).ok_or_else(|| {
                    LoraError::Config(format!("target module {name:?} is not a linear layer of a block"))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Self {
            r: raw.r,
            lora_alpha: raw.lora_alpha,
            use_rslora: raw.use_rslora,
            target_modules,
            lora_dropout: raw.lora_dropout,
            base_model: raw.base_model_name_or_path,
        }
        .checked()
    }

    /// The file's content, with what PEFT needs to load it.
    pub fn to_json(&self) -> String {
        let modules: Vec<&str> = self.target_modules.iter().map(|projection| projection.module()).collect();
        let value = json!({
            "base_model_name_or_path": self.base_model,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "lora_alpha": number(self.lora_alpha),
            "lora_dropout": self.lora_dropout,
            "modules_to_save": null,
            "peft_type": "LORA",
            "r": self.r,
            "target_modules": modules,
            "task_type": "CAUSAL_LM",
            "use_rslora": self.use_rslora,
        });
        format!("{value:#}\n")
    }

    /// Sorts the target modules and sees that all values make sense.
    pub fn checked(mut self) -> Result<Self, LoraError> {
        if !(1..=MAX_RANK).contains(&self.r) {
            return Err(LoraError::Config(format!("rank {} is not within 1 to {MAX_RANK}", self.r)));
        }
        if !self.scaling().is_finite() {
            return Err(LoraError::Config(format!("lora_alpha {} is not a usable number", self.lora_alpha)));
        }
        self.target_modules.sort_unstable();
        self.target_modules.dedup();
        if self.target_modules.is_empty() {
            return Err(LoraError::Config("\"target_modules\" is empty".into()));
        }
        Ok(self)
    }

    /// Factor of the update: `lora_alpha / r`, or `lora_alpha / √r`.
    pub fn scaling(&self) -> f64 {
        let r = self.r as f64;
        self.lora_alpha / if self.use_rslora { r.sqrt() } else { r }
    }

    /// What of this the safetensors header repeats, so that the content hash covers it.
    pub(crate) fn stamp(&self) -> String {
        json!({"lora_alpha": number(self.lora_alpha), "r": self.r, "use_rslora": self.use_rslora}).to_string()
    }
}

/// PEFT writes a whole alpha as an integer.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

fn is_neutral(value: &Value, neutral: &str) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text == neutral,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEFT: &str = r#"{"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["v_proj", "q_proj"],
        "bias": "none", "use_dora": false, "rank_pattern": {}, "modules_to_save": null, "peft_version": "0.17.0"}"#;

    #[test]
    fn a_file_of_peft_is_read_and_written_back() {
        let config = AdapterConfig::from_json(PEFT.as_bytes()).unwrap();
        assert_eq!(config.target_modules, [Projection::Q, Projection::V]);
        assert_eq!(config.scaling(), 2.0);
        assert_eq!(AdapterConfig::from_json(config.to_json().as_bytes()).unwrap(), config);
    }

    #[test]
    fn rank_stabilised_scaling_divides_by_the_root() {
        let text = PEFT.replace("\"r\": 8", "\"r\": 16, \"use_rslora\": true");
        assert_eq!(AdapterConfig::from_json(text.as_bytes()).unwrap().scaling(), 4.0);
    }

    #[test]
    fn what_would_change_the_arithmetic_is_refused() {
        for (from, to) in [
            ("\"use_dora\": false", "\"use_dora\": true"),
            ("\"bias\": \"none\"", "\"bias\": \"all\""),
            ("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 4}"),
            ("\"r\": 8", "\"r\": 0"),
            ("\"r\": 8", "\"r\": 99999"),
            ("\"lora_alpha\": 16", "\"lora_alpha\": null"),
            ("[\"v_proj\", \"q_proj\"]", "\"all-linear\""),
            ("[\"v_proj\", \"q_proj\"]", "[\"lm_head\"]"),
            ("[\"v_proj\", \"q_proj\"]", "[]"),
            ("LORA", "IA3"),
        ] {
            let text = PEFT.replace(from, to);
            assert!(matches!(AdapterConfig::from_json(text.as_bytes()), Err(LoraError::Config(_))), "{to}");
        }
    }
}
