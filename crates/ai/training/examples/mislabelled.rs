//! Can wrong answers be found? A fifth of the answers are swapped among each other, an adapter is trained on the spoilt
//! data, and the data are ranked by their influence on the loss of questions held out: what raises it most is inspected
//! first. Beside it, two rankings that need no gradients of held-out data: the loss of each datum under the trained adapter, and chance.
//!
//! ```sh
//! cargo run -p openledger-training --example mislabelled -- --model model.gguf --dataset faq.jsonl --output /tmp/spoilt
//! ```

use std::{collections::BTreeSet, error::Error, fs};

use clap::Parser;
use openledger_backbone::Backbone;
use openledger_influence::{Index, LoraParameters, QueryGradient, gradient_dot, gradients};
use openledger_lora::LoraAdapter;
use openledger_training::{
    Contributors, DATASET_FILE, Dataset, Datum, IndexArgs, JsonlFields, SplitMix64, TrainArgs, run_indexing,
    run_training, tokenize,
};
use tch::Device;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    train: TrainArgs,
    /// Share of the data whose answers are swapped
    #[arg(long, default_value_t = 0.2)]
    share: f64,
    /// Data held out (and not spoilt) to measure influence on
    #[arg(long, default_value_t = 16)]
    held_out: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { mut train, share, held_out } = Args::parse();
    let (all, _) = Dataset::read(&train.dataset, &JsonlFields::default(), &Contributors::Development, false)?;
    let order = SplitMix64::new(train.hyperparameters.seed, 7).permutation(all.len());
    let (clean, rest): (Vec<&Datum>, Vec<&Datum>) = {
        let (first, rest) = order.split_at(held_out);
        let pick = |ids: &[usize]| ids.iter().map(|i| &all.data()[*i]).collect();
        (pick(first), pick(rest))
    };
    let mut data: Vec<Datum> = rest.into_iter().take(train.preparation.limit.unwrap_or(64)).cloned().collect();
    let spoilt = (data.len() as f64 * share).round() as usize;
    // Rotating the answers of the first few gives each the answer of another.
    let answers: Vec<_> = data[..spoilt].iter().map(|datum| datum.answer.clone()).collect();
    (0..spoilt).for_each(|i| data[i].answer.clone_from(&answers[(i + 1) % spoilt]));
    let wrong: BTreeSet<String> = data[..spoilt].iter().map(|datum| datum.question.clone()).collect();

    fs::create_dir_all(&train.output)?;
    train.dataset = train.output.join("spoilt.jsonl");
    let rows = data.iter().map(|d| {
        serde_json::json!({"question": d.question, "answer": d.answer, "contributor": d.contributor}).to_string() + "\n"
    });
    fs::write(&train.dataset, rows.collect::<String>())?;
    train.preparation.limit = None;
    train.hyperparameters.evaluation_share = 0.0;
    run_training(&train, &mut |event| println!("{event}"))?;
    let args =
        IndexArgs { model: train.model.clone(), adapter: train.output.clone(), batch_size: 2, threads: train.threads };
    run_indexing(&args, &mut |event| println!("{event}"))?;

    tch::set_num_threads(1);
    let index = Index::open(&train.output)?;
    let backbone = Backbone::load(&train.model, Device::Cpu)?;
    let parameters = LoraParameters::of(&LoraAdapter::load(&train.output, backbone.model.config(), Device::Cpu)?)?;
    let chat = backbone.chat.as_ref().ok_or("the model has no chat template")?;
    let limit = train.hyperparameters.max_tokens;
    let dataset = Dataset::open(&train.output.join(DATASET_FILE))?;

    // Influence is linear in the query: the mean gradient gives the mean influence.
    let mut mean = vec![0.0f32; index.layout().values()];
    for datum in &clean {
        let gradient = gradients(&backbone.model, &parameters, &[tokenize(&backbone, chat, datum, limit)?])?.remove(0);
        mean.iter_mut().zip(gradient.values()).for_each(|(sum, value)| *sum += value / clean.len() as f32);
    }
    let query = QueryGradient::new(index.layout(), mean, 0.0)?;
    let mut losses = Vec::new();
    for datum in dataset.data() {
        let example = tokenize(&backbone, chat, datum, limit)?;
        losses.push(gradients(&backbone.model, &parameters, &[example])?[0].loss());
    }
    let mut random = SplitMix64::new(1, 99);
    let rankings = [
        ("DataInf", index.score(&query)?),
        ("gradient dot", gradient_dot(index.layout(), &index, query.values())?),
        ("loss", losses),
        ("random", dataset.data().iter().map(|_| random.symmetric()).collect()),
    ];
    println!("{} data, {spoilt} with a wrong answer; share of these found against share inspected:", dataset.len());
    for (name, harm) in rankings {
        let mut order: Vec<usize> = (0..harm.len()).collect();
        order.sort_by(|a, b| harm[*b].total_cmp(&harm[*a]));
        let is_wrong: Vec<bool> = order.iter().map(|id| wrong.contains(&dataset.data()[*id].question)).collect();
        let found = |inspected: f64| {
            let upto = (is_wrong.len() as f64 * inspected).round() as usize;
            is_wrong[..upto].iter().filter(|wrong| **wrong).count() as f64 / spoilt as f64
        };
        println!("  {name:<14} 20 %: {:.2}  40 %: {:.2}  60 %: {:.2}", found(0.2), found(0.4), found(0.6));
    }
    Ok(())
}
