use std::{num::NonZeroU16, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Contributors, Error, JsonlFields, Result, ScheduleKind};

/// `openlora train`: fine-tunes a LoRA adapter on questions and answers.
#[derive(Clone, Debug, clap::Args)]
pub struct TrainArgs {
    /// The backbone, a GGUF file
    #[arg(long, value_name = "FILE", env = "OPENLORA_MODEL")]
    pub model: PathBuf,
    /// The data, one JSON object for each line with a question, an answer and a contributor
    #[arg(long, value_name = "FILE")]
    pub dataset: PathBuf,
    /// Folder for the adapter: adapter_config.json and adapter_model.safetensors (as PEFT has them), dataset.jsonl,
    /// training_report.json. Run again with the same settings to go on after an interruption
    #[arg(long, value_name = "FOLDER")]
    pub output: PathBuf,
    /// How the dataset is read
    #[command(flatten)]
    pub preparation: Preparation,
    /// How the adapter is trained
    #[command(flatten)]
    pub hyperparameters: Hyperparameters,
    /// Save a checkpoint after this many steps
    #[arg(long, value_name = "STEPS", default_value_t = 10)]
    pub checkpoint_every: usize,
    /// Forget earlier results and checkpoints in the output folder
    #[arg(long)]
    pub fresh: bool,
    /// Threads, each of which runs its own passes; the result does not depend on their number [default: one for each core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroU16>,
}

/// How the rows of a dataset become data.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Preparation {
    /// Member of a row that holds the question [default: question, q, instruction or prompt]
    #[arg(long, value_name = "NAME")]
    pub question_field: Option<String>,
    /// Member of a row that holds the answer [default: answer, a, output, completion or response]
    #[arg(long, value_name = "NAME")]
    pub answer_field: Option<String>,
    /// Member of a row that names the contributor [default: contributor or category]
    #[arg(long, value_name = "NAME")]
    pub contributor_field: Option<String>,
    /// JSON object of contributors' names and addresses. Without it each name gets a development address that nobody
    /// has the key to: for development networks only
    #[arg(long, value_name = "FILE")]
    pub contributors: Option<PathBuf>,
    /// Use at most this many data, as even over the contributors as can be
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Leave rows out that cannot be used, instead of stopping
    #[arg(long)]
    pub skip_bad_rows: bool,
}

impl Preparation {
    pub(crate) fn fields(&self) -> JsonlFields {
        let mut fields = JsonlFields::default();
        for (names, chosen) in [
            (&mut fields.question, &self.question_field),
            (&mut fields.answer, &self.answer_field),
            (&mut fields.contributor, &self.contributor_field),
        ] {
            if let Some(name) = chosen {
                *names = vec![name.clone()];
            }
        }
        fields
    }

    pub(crate) fn addresses(&self) -> Result<Contributors> {
        match &self.contributors {
            Some(path) => Contributors::open(path),
            None => Ok(Contributors::Development),
        }
    }
}

/// What shapes the result of a training run; written to its report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(rename_all = "camelCase")]
pub struct Hyperparameters {
    /// Passes over the data
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub epochs: f64,
    /// Data in one step
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub batch_size: usize,
    /// Data in one forward and backward pass; a step's passes run beside each other on the threads there are, and memory
    /// grows with their size
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub micro_batch_size: usize,
    /// Peak learning rate; the default suits the small default backbone, larger ones want less
    #[arg(long, value_name = "RATE", default_value_t = 5e-3)]
    pub learning_rate: f64,
    /// How the learning rate falls
    #[arg(long, value_enum, default_value_t)]
    pub schedule: ScheduleKind,
    /// Share of the steps in which the learning rate climbs to its peak
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub warmup_ratio: f64,
    /// Weight decay of AdamW
    #[arg(long, value_name = "RATE", default_value_t = 0.0)]
    pub weight_decay: f64,
    /// Largest norm of the gradient; larger ones are scaled down to it
    #[arg(long, value_name = "NORM", default_value_t = 1.0)]
    pub max_gradient_norm: f64,
    /// Rank of the adapter
    #[arg(long, value_name = "R", default_value_t = 8)]
    pub rank: usize,
    /// The adapter is scaled by alpha / rank
    #[arg(long, value_name = "ALPHA", default_value_t = 16.0)]
    pub alpha: f64,
    /// Linear layers that the adapter changes: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values_t = ["q_proj".to_owned(), "v_proj".to_owned()])]
    pub targets: Vec<String>,
    /// Most tokens of one datum, prompt and answer together; longer answers are cut
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub max_tokens: usize,
    /// Share of the data held out to measure the loss on; they are not trained on and get no influence
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub evaluation_share: f64,
    /// Measure the loss on held-out data after this many steps, besides before the first and after the last; 0 for only then
    #[arg(long, value_name = "STEPS", default_value_t = 8)]
    pub evaluate_every: usize,
    /// Seed of the adapter's first values, the split and the order of the data
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl Default for Hyperparameters {
    fn default() -> Self {
        Self {
            epochs: 1.0,
            batch_size: 4,
            micro_batch_size: 2,
            learning_rate: 5e-3,
            schedule: ScheduleKind::default(),
            warmup_ratio: 0.1,
            weight_decay: 0.0,
            max_gradient_norm: 1.0,
            rank: 8,
            alpha: 16.0,
            targets: vec!["q_proj".into(), "v_proj".into()],
            max_tokens: 256,
            evaluation_share: 0.1,
            evaluate_every: 8,
            seed: 0,
        }
    }
}

impl Hyperparameters {
    /// Fails on a value outside its range.
    pub fn check(&self) -> Result<()> {
        let check = |ok: bool, name, value: String, rule| match ok {
            true => Ok(()),
            false => Err(Error::Parameter { name, value, rule }),
        };
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let size = |value: usize| (1..=1 << 16).contains(&value);
        check(positive(self.epochs), "--epochs", self.epochs.to_string(), "must be above 0")?;
        check(size(self.batch_size), "--batch-size", self.batch_size.to_string(), "must be 1 to 65536")?;
        let micro = self.micro_batch_size;
        check(size(micro), "--micro-batch-size", micro.to_string(), "must be 1 to 65536")?;
        check(positive(self.learning_rate), "--learning-rate", self.learning_rate.to_string(), "must be above 0")?;
        check(share(self.warmup_ratio), "--warmup-ratio", self.warmup_ratio.to_string(), "must be 0 to 1")?;
        let decay = self.weight_decay;
        check(decay.is_finite() && decay >= 0.0, "--weight-decay", decay.to_string(), "must be 0 or above")?;
        let norm = self.max_gradient_norm;
        check(positive(norm), "--max-gradient-norm", norm.to_string(), "must be above 0")?;
        check((1..=1024).contains(&self.rank), "--rank", self.rank.to_string(), "must be 1 to 1024")?;
        check(positive(self.alpha), "--alpha", self.alpha.to_string(), "must be above 0")?;
        check(
            !self.targets.is_empty(),
            "--targets",
            String::new(),
            "name at least one linear layer, e.g. q_proj,v_proj",
        )?;
        check(self.max_tokens >= 2, "--max-tokens", self.max_tokens.to_string(), "must be 2 or above")?;
        let held_out = self.evaluation_share;
        check((0.0..=0.9).contains(&held_out), "--evaluation-share", held_out.to_string(), "must be 0 to 0.9")
    }
}

/// `openlora index`: stores the gradient of each datum that an adapter was trained on.
#[derive(Clone, Debug, clap::Args)]
pub struct IndexArgs {
    /// The backbone, a GGUF file: the same that the adapter was trained on
    #[arg(long, value_name = "FILE", env = "OPENLORA_MODEL")]
    pub model: PathBuf,
    /// The adapter's folder, as `openlora train` made it; the index is written to `gradients` in it. Run again to go
    /// on after an interruption
    #[arg(long, value_name = "FOLDER")]
    pub adapter: PathBuf,
    /// Data in one forward and backward pass; memory grows with it
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub batch_size: usize,
    /// Threads, each of which runs its own passes; the result does not depend on their number [default: one for each core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroU16>,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        train: TrainArgs,
    }

    #[test]
    fn the_defaults_of_the_command_line_are_the_defaults() {
        let parse = |more: &[&str]| {
            let line = ["train", "--model", "m", "--dataset", "d", "--output", "o"].iter().chain(more).copied();
            Command::try_parse_from(line).map(|command| command.train)
        };
        assert_eq!(parse(&[]).unwrap().hyperparameters, Hyperparameters::default());
        let targets = parse(&["--targets", "q_proj,up_proj"]).unwrap().hyperparameters.targets;
        assert_eq!(targets, ["q_proj", "up_proj"]);
        assert!(parse(&["--rank", "x"]).is_err());
    }

    #[test]
    fn values_outside_their_range_are_named() {
        Hyperparameters::default().check().unwrap();
        for (bad, flag) in [
            (Hyperparameters { epochs: 0.0, ..Default::default() }, "--epochs"),
            (Hyperparameters { learning_rate: f64::NAN, ..Default::default() }, "--learning-rate"),
            (Hyperparameters { batch_size: 0, ..Default::default() }, "--batch-size"),
            (Hyperparameters { evaluation_share: 1.0, ..Default::default() }, "--evaluation-share"),
            (Hyperparameters { targets: vec![], ..Default::default() }, "--targets"),
        ] {
            assert!(bad.check().unwrap_err().to_string().starts_with(flag), "{flag}");
        }
    }
}
