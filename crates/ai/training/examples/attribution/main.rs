//! How good is the attribution? Trains an adapter on a dataset, indexes it, and asks who is found:
//!
//! 1. **own datum**: the query is a training question with its answer. At which rank is that datum, and its contributor?
//! 2. **own answer**: the same question, but the completion is what the adapted model itself answers, as when serving.
//! 3. **held out**: the query is a question that was not trained on. Are the data of its contributor above the others (AUC)?
//!
//! Each beside random numbers, TF-IDF, hidden-state similarity (RepSim) and gradient dot products.
//!
//! ```sh
//! cargo run -p openledger-training --example attribution -- --model model.gguf --dataset faq.jsonl --output /tmp/adapter
//! ```

mod baselines;
mod metrics;

use std::{error::Error, time::Instant};

use baselines::{Baselines, Text};
use clap::Parser;
use metrics::Table;
use openledger_backbone::{Backbone, KvCache, Llama, Sequence};
use openledger_influence::{Example, Index, LoraParameters, QueryGradient, gradient_dot, query_gradient};
use openledger_lora::LoraAdapter;
use openledger_training::{
    Contributors, Dataset, IndexArgs, JsonlFields, TrainArgs, run_indexing, run_training, tokenize,
};
use tch::Device;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    train: TrainArgs,
    /// Queries of each kind
    #[arg(long, default_value_t = 12)]
    queries: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { train, queries } = Args::parse();
    let report = run_training(&train, &mut |event| println!("{event}"))?;
    println!("trained in {:.0} s, {:.0} tok/s", report.seconds, report.tokens as f32 / report.seconds);
    let args =
        IndexArgs { model: train.model.clone(), adapter: train.output.clone(), batch_size: 2, threads: train.threads };
    let start = Instant::now();
    run_indexing(&args, &mut |event| println!("{event}"))?;
    println!("indexed in {:.0} s", start.elapsed().as_secs_f64());

    tch::set_num_threads(1);
    let index = Index::open(&train.output)?;
    let backbone = Backbone::load(&train.model, Device::Cpu)?;
    let adapter = LoraAdapter::load(&train.output, backbone.model.config(), Device::Cpu)?;
    let parameters = LoraParameters::of(&adapter)?;
    let chat = backbone.chat.as_ref().ok_or("the model has no chat template")?;
    let limit = report.hyperparameters.max_tokens;
    let dataset = Dataset::open(&train.output.join(openledger_training::DATASET_FILE))?;
    let fields = JsonlFields::default();
    let (all, _) = Dataset::read(&train.dataset, &fields, &Contributors::Development, train.preparation.skip_bad_rows)?;
    let trained = |question: &str| dataset.data().iter().any(|datum| datum.question == question);
    let known = dataset.contributors();

    let texts = dataset.data().iter().map(|datum| Text::of(&backbone, chat, &parameters, datum, limit));
    let baselines = Baselines::new(texts.collect::<Result<_, _>>()?);
    let step = dataset.len().div_ceil(queries);
    let mut tables = [Table::new("own datum"), Table::new("own answer"), Table::new("held out")];
    let mut scoring = Vec::new();
    for datum in dataset.data().iter().step_by(step) {
        let example = tokenize(&backbone, chat, datum, limit)?;
        let (prompt, completion) = example.tokens().split_at(example.tokens().len() - example.completion());
        let gradient = query_gradient(&backbone.model, &parameters, prompt, completion, limit)?;
        let text = Text::of(&backbone, chat, &parameters, datum, limit)?;
        let is_relevant = |id: usize| dataset.data()[id].address == datum.address;
        let own = Some(datum.id as usize);
        tables[0].add(own, is_relevant, &all_scores(&index, &baselines, &gradient, &text, &mut scoring)?);

        let answer = generate(&backbone.model, &parameters, prompt, &backbone, limit - prompt.len())?;
        let gradient = query_gradient(&backbone.model, &parameters, prompt, &answer, limit)?;
        let text = Text::new(&backbone, &parameters, &Example::new(prompt, &answer, limit)?)?;
        tables[1].add(own, is_relevant, &all_scores(&index, &baselines, &gradient, &text, &mut scoring)?);
    }
    let unseen = all.data().iter().filter(|d| !trained(&d.question) && known.contains_key(d.contributor.as_str()));
    let unseen: Vec<_> = unseen.collect();
    for datum in unseen.iter().step_by(unseen.len().div_ceil(queries).max(1)) {
        let example = tokenize(&backbone, chat, datum, limit)?;
        let (prompt, completion) = example.tokens().split_at(example.tokens().len() - example.completion());
        let gradient = query_gradient(&backbone.model, &parameters, prompt, completion, limit)?;
        let text = Text::of(&backbone, chat, &parameters, datum, limit)?;
        let is_relevant = |id: usize| dataset.data()[id].address == datum.address;
        tables[2].add(None, is_relevant, &all_scores(&index, &baselines, &gradient, &text, &mut scoring)?);
    }
    println!("{} data, {} contributors", dataset.len(), known.len());
    tables.iter().for_each(|table| println!("{table}"));
    scoring.sort_by(f64::total_cmp);
    println!("scoring one query against the index: median {:.1} ms", scoring[scoring.len() / 2] * 1e3);
    Ok(())
}

/// A method and its score of each datum.
type Scores = (&'static str, Vec<f64>);

/// Scores of all methods, higher meaning more relevant.
fn all_scores(
    index: &Index,
    baselines: &Baselines,
    gradient: &QueryGradient,
    text: &Text,
    scoring: &mut Vec<f64>,
) -> Result<Vec<Scores>, Box<dyn Error>> {
    let start = Instant::now();
    let influences = index.score(gradient)?;
    scoring.push(start.elapsed().as_secs_f64());
    let negated = |scores: Vec<f64>| scores.into_iter().map(|score| -score).collect::<Vec<_>>();
    let dots = negated(gradient_dot(index.layout(), index, gradient.values())?);
    let norms = index.statistics().norms().chunks(index.layout().count()).map(|norms| norms.iter().sum::<f64>().sqrt());
    let cosines = dots.iter().zip(norms).map(|(dot, norm)| dot / norm).collect();
    let mut all = vec![("DataInf", negated(influences)), ("gradient dot", dots), ("gradient cosine", cosines)];
    all.extend(baselines.scores(text));
    Ok(all)
}

/// The model's own answer, the likeliest token each time, with the adapter.
fn generate(
    model: &Llama,
    parameters: &LoraParameters,
    prompt: &[u32],
    backbone: &Backbone,
    limit: usize,
) -> Result<Vec<u32>, Box<dyn Error>> {
    let mut cache = KvCache::new(model.config(), model.device());
    let mut answer = Vec::new();
    let mut tokens = prompt.to_vec();
    while answer.len() < limit.min(48) {
        let logits = model.step(&mut [Sequence { tokens: &tokens, cache: &mut cache }], parameters)?;
        let token = i64::try_from(logits.argmax(-1, false))? as u32;
        answer.push(token);
        tokens = vec![token];
        if backbone.tokenizer.end_of_generation.contains(&token) {
            break;
        }
    }
    Ok(answer)
}
