use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
};

use openledger_backbone::{Backbone, ChatTemplate};
use openledger_influence::{Example, LoraParameters};
use openledger_training::{Datum, SplitMix64, tokenize};
use tch::{Kind, Tensor};

/// A datum or a query as the baselines see it.
pub(crate) struct Text {
    words: Vec<String>,
    /// Mean of the last hidden states over the completion.
    hidden: Vec<f32>,
}

impl Text {
    pub(crate) fn of(
        backbone: &Backbone,
        chat: &ChatTemplate,
        parameters: &LoraParameters,
        datum: &Datum,
        limit: usize,
    ) -> Result<Self, Box<dyn Error>> {
        Self::new(backbone, parameters, &tokenize(backbone, chat, datum, limit)?)
    }

    pub(crate) fn new(
        backbone: &Backbone,
        parameters: &LoraParameters,
        example: &Example,
    ) -> Result<Self, Box<dyn Error>> {
        let _no_grad = tch::no_grad_guard();
        let tokens: Vec<i64> = example.tokens().iter().map(|token| i64::from(*token)).collect();
        let hidden = backbone.model.hidden(&Tensor::from_slice(&tokens).unsqueeze(0), parameters)?.squeeze_dim(0);
        let prompt = (tokens.len() - example.completion()) as i64;
        let mean = hidden.narrow(0, prompt, example.completion() as i64).mean_dim(0, false, Kind::Float);
        let text = backbone.tokenizer.decode(example.tokens()).to_lowercase();
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        Ok(Self { words: words.map(str::to_owned).collect(), hidden: Vec::try_from(mean)? })
    }
}

pub(crate) struct Baselines {
    rarity: BTreeMap<String, f64>,
    data: Vec<(BTreeMap<String, f64>, Vec<f32>)>,
}

impl Baselines {
    pub(crate) fn new(data: Vec<Text>) -> Self {
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        for text in &data {
            for word in text.words.iter().collect::<BTreeSet<_>>() {
                *counts.entry(word.clone()).or_default() += 1.0;
            }
        }
        let n = data.len() as f64;
        let rarity = counts.into_iter().map(|(word, count)| (word, ((1.0 + n) / (1.0 + count)).ln() + 1.0)).collect();
        let vectors = data.iter().map(|text| (tf_idf(&text.words, &rarity), text.hidden.clone())).collect();
        Self { rarity, data: vectors }
    }

    pub(crate) fn scores(&self, query: &Text) -> Vec<(&'static str, Vec<f64>)> {
        let words = tf_idf(&query.words, &self.rarity);
        let similar = |other: &BTreeMap<String, f64>| {
            other.iter().filter_map(|(word, weight)| words.get(word).map(|own| own * weight)).sum::<f64>()
        };
        let mut random = SplitMix64::new(query.words.len() as u64, 99);
        vec![
            ("TF-IDF", self.data.iter().map(|(other, _)| similar(other)).collect()),
            ("RepSim", self.data.iter().map(|(_, other)| cosine(&query.hidden, other)).collect()),
            ("random", self.data.iter().map(|_| random.symmetric()).collect()),
        ]
    }
}

fn tf_idf(words: &[String], rarity: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let mut weights: BTreeMap<String, f64> = BTreeMap::new();
    for word in words {
        if let Some(rarity) = rarity.get(word) {
            *weights.entry(word.clone()).or_default() += rarity;
        }
    }
    let norm = weights.values().map(|weight| weight * weight).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    weights.values_mut().for_each(|weight| *weight /= norm);
    weights
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
