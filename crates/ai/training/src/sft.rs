//! Supervised fine-tuning of LoRA matrices. The objective is the mean over the data of each datum's mean loss over its
//! completion's tokens: exactly what DataInf differentiates.

use std::fs;

use alloy_primitives::B256;
use openledger_backbone::Backbone;
use openledger_influence::{Example, LoraParameters, completion_losses};
use serde::Serialize;
use tch::{Device, Kind, Tensor};

use crate::{
    AdamW, ContributorSummary, DATASET_FILE, Dataset, Error, EvaluationRecord, Event, Hyperparameters, ReadSummary,
    Result, Schedule, SplitMix64, StepRecord, TrainArgs, TrainingReport, adapter,
    checkpoint::{Checkpoints, State},
    examples, files, optimizer,
    progress::Pace,
    workers::Workers,
};

/// Steps in a row without a finite loss before training gives up.
const MAX_SKIPPED: usize = 3;

/// Trains an adapter and writes it with its dataset and report; goes on after an interruption. An output folder that
/// holds the result of the same settings is left as it is.
pub fn run_training(args: &TrainArgs, progress: &mut dyn FnMut(&Event)) -> Result<TrainingReport> {
    let hyperparameters = &args.hyperparameters;
    hyperparameters.check()?;
    let (dataset, summary) = Dataset::read(
        &args.dataset,
        &args.preparation.fields(),
        &args.preparation.addresses()?,
        args.preparation.skip_bad_rows,
    )?;
    report_left_out(&summary, progress);
    let dataset = dataset.limited(args.preparation.limit.unwrap_or(usize::MAX));
    let (training, evaluation) = dataset.split(hyperparameters.evaluation_share, hyperparameters.seed);
    if training.is_empty() {
        let hint = "nothing is left to train on; raise --limit or lower --evaluation-share".into();
        return Err(Error::Empty { path: args.dataset.clone(), hint });
    }

    fs::create_dir_all(&args.output).map_err(Error::io("create", &args.output))?;
    let _lock = files::lock(&args.output)?;
    let checkpoints = Checkpoints::new(&args.output);
    if args.fresh {
        checkpoints.clear()?;
        files::remove(&args.output.join(crate::REPORT_FILE))?;
    }
    let backbone = Backbone::load(&args.model, Device::cuda_if_available())?;
    let plan = plan(hyperparameters, &training, &evaluation, backbone.content_hash.into());
    if let Some(report) = TrainingReport::open(&args.output)?
        && report.plan == plan
        && adapter::content_hash(&args.output).is_ok_and(|hash| hash == report.adapter)
    {
        progress(&Event::AlreadyDone { what: "the adapter" });
        return Ok(report);
    }
    files::remove(&args.output.join(crate::REPORT_FILE))?;

    let no_template = || Error::NoChatTemplate { model: args.model.clone() };
    let chat = backbone.chat.as_ref().ok_or_else(no_template)?;
    let limit = hyperparameters.max_tokens.min(backbone.model.config().context);
    let examples = examples::tokenize_all(&backbone, chat, training.data(), limit)?;
    let held_out = examples::tokenize_all(&backbone, chat, evaluation.data(), limit)?;
    let parameters = adapter::initialize(&backbone.model, hyperparameters)?;
    progress(&Event::Prepared {
        data: training.len(),
        evaluation: evaluation.len(),
        contributors: training.contributors().len(),
        tokens: examples.iter().map(|example| example.tokens().len()).sum(),
        completion_tokens: examples.iter().map(Example::completion).sum(),
        parameters: parameters.layout().values(),
        dataset_root: training.root(),
    });

    let workers = Workers::new(&backbone.model, &parameters, args.threads);
    let mut trainer = Trainer::new(workers, parameters, hyperparameters, &examples)?;
    let mut state = State { plan, ..State::default() };
    if let Some(found) = checkpoints.load(plan, &trainer.parameters.tensors(), &mut trainer.optimizer)? {
        progress(&Event::Resumed { done: found.step, total: trainer.steps });
        state = found;
    }
    trainer.run(&mut state, &held_out, &checkpoints, args.checkpoint_every.max(1), progress)?;

    files::write_atomically(&args.output.join(DATASET_FILE), &training.to_jsonl())?;
    let adapter = adapter::save(&args.output, &trainer.parameters, backbone.model.config(), &backbone.name)?;
    let contributors = training.contributors();
    let report = TrainingReport {
        plan,
        backbone: backbone.content_hash.into(),
        adapter,
        dataset_root: training.root(),
        data: training.len(),
        evaluation_data: evaluation.len(),
        contributors: contributors
            .iter()
            .map(|(name, (address, data))| ContributorSummary { name: (*name).into(), address: *address, data: *data })
            .collect(),
        hyperparameters: hyperparameters.clone(),
        steps: state.steps,
        evaluations: state.evaluations,
        skipped_steps: state.skipped_steps,
        seconds: state.seconds as f32,
        tokens: state.tokens,
    };
    report.write(&args.output)?;
    checkpoints.clear()?;
    Ok(report)
}

fn report_left_out(summary: &ReadSummary, progress: &mut dyn FnMut(&Event)) {
    for row in summary.skipped.iter().take(10) {
        tracing::warn!(line = row.line, reason = row.reason, "row left out");
    }
    if summary.duplicates + summary.skipped.len() > 0 {
        progress(&Event::LeftOut { bad_rows: summary.skipped.len(), duplicates: summary.duplicates });
    }
}

/// Hash of everything that shapes the result.
fn plan(hyperparameters: &Hyperparameters, training: &Dataset, evaluation: &Dataset, backbone: B256) -> B256 {
    #[derive(Serialize)]
    struct Plan<'a>(&'a Hyperparameters, B256, B256, B256);
    let plan = Plan(hyperparameters, training.root(), evaluation.root(), backbone);
    files::sha256(&serde_json::to_vec(&plan).expect("a plan is plain data"))
}

struct Trainer<'a> {
    workers: Workers,
    parameters: LoraParameters,
    optimizer: AdamW,
    schedule: Schedule,
    hyperparameters: &'a Hyperparameters,
    examples: &'a [Example],
    /// Data in one step.
    step_size: usize,
    steps: usize,
}

impl<'a> Trainer<'a> {
    fn new(
        workers: Workers,
        parameters: LoraParameters,
        hyperparameters: &'a Hyperparameters,
        examples: &'a [Example],
    ) -> Result<Self> {
        let step_size = hyperparameters.batch_size.min(examples.len());
        let steps = (examples.len().div_ceil(step_size) as f64 * hyperparameters.epochs).ceil() as usize;
        let optimizer = AdamW::new(&parameters.tensors(), hyperparameters.weight_decay)?;
        let Hyperparameters { schedule, learning_rate, warmup_ratio, .. } = *hyperparameters;
        let schedule = Schedule::new(schedule, learning_rate, warmup_ratio, steps);
        Ok(Self { workers, parameters, optimizer, schedule, hyperparameters, examples, step_size, steps })
    }

    fn run(
        &mut self,
        state: &mut State,
        held_out: &[Example],
        checkpoints: &Checkpoints,
        checkpoint_every: usize,
        progress: &mut dyn FnMut(&Event),
    ) -> Result<()> {
        let (seconds, tokens) = (state.seconds, state.tokens);
        let mut pace = Pace::new();
        let mut skipped = 0;
        loop {
            let every = self.hyperparameters.evaluate_every;
            let due = state.step == 0 || state.step == self.steps || (every > 0 && state.step.is_multiple_of(every));
            if due
                && state.evaluations.last().is_none_or(|last| last.step != state.step)
                && let Some(loss) = self.evaluate(held_out)?
            {
                progress(&Event::Evaluated { step: state.step, loss });
                state.evaluations.push(EvaluationRecord { step: state.step, loss: loss as f32 });
            }
            if state.step == self.steps {
                break;
            }
            let batch = self.batch(state.step);
            let record = self.step(state.step, &batch)?;
            state.step += 1;
            let done = batch.iter().map(|example| example.tokens().len()).sum();
            pace.add(done, 1);
            (state.seconds, state.tokens) = (seconds + pace.seconds(), tokens + pace.tokens());
            match record {
                Some(record) => {
                    skipped = 0;
                    state.steps.push(record);
                    progress(&Event::Step {
                        step: record.step,
                        steps: self.steps,
                        loss: record.loss.into(),
                        learning_rate: record.learning_rate.into(),
                        gradient_norm: record.gradient_norm.into(),
                        tokens_per_second: pace.tokens_per_second(),
                        remaining: pace.remaining(self.steps - state.step),
                    });
                }
                None => {
                    skipped += 1;
                    state.skipped_steps += 1;
                    progress(&Event::SkippedStep { step: state.step });
                    if skipped == MAX_SKIPPED {
                        return Err(Error::Diverged { step: state.step, skipped });
                    }
                }
            }
            state.optimizer_step = self.optimizer.state().0;
            if state.step.is_multiple_of(checkpoint_every) || state.step == self.steps {
                checkpoints.save(state, &self.parameters.tensors(), &self.optimizer)?;
            }
        }
        Ok(())
    }

    /// The examples of a step: each pass over the data has its own order, which follows from the seed alone.
    fn batch(&self, step: usize) -> Vec<Example> {
        let per_epoch = self.examples.len().div_ceil(self.step_size);
        let (epoch, index) = (step / per_epoch, step % per_epoch);
        let order = SplitMix64::new(self.hyperparameters.seed, 16 + epoch as u64).permutation(self.examples.len());
        let start = index * self.step_size;
        let end = (start + self.step_size).min(order.len());
        let mut batch: Vec<Example> = order[start..end].iter().map(|i| self.examples[*i].clone()).collect();
        // Like lengths together: less padding.
        batch.sort_by_key(|example| example.tokens().len());
        batch
    }

    /// The parts that go through the model one at a time.
    fn passes<'b>(&self, examples: &'b [Example]) -> Vec<&'b [Example]> {
        examples.chunks(self.hyperparameters.micro_batch_size).collect()
    }

    /// Mean loss of the examples; `None` without examples.
    fn evaluate(&mut self, examples: &[Example]) -> Result<Option<f64>> {
        let losses = self.workers.map(self.passes(examples), |worker, part| {
            let _no_grad = tch::no_grad_guard();
            Ok(f64::try_from(completion_losses(&worker.model, &worker.parameters, part)?.f_sum(Kind::Double)?)?)
        })?;
        Ok((!examples.is_empty()).then(|| losses.iter().sum::<f64>() / examples.len() as f64))
    }

    /// One step of the optimiser; `None` when it was left out because a loss or gradient is not finite.
    fn step(&mut self, step: usize, batch: &[Example]) -> Result<Option<StepRecord>> {
        let size = batch.len() as f64;
        let passes = self.workers.map(self.passes(batch), |worker, part| {
            let losses = completion_losses(&worker.model, &worker.parameters, part)?;
            let loss = losses.f_sum(Kind::Float)?.f_div_scalar(size)?;
            let gradients = Tensor::f_run_backward(&[&loss], &worker.parameters.tensors(), false, false)?;
            Ok((f64::try_from(loss.f_detach()?)?, gradients))
        })?;
        let mut passes = passes.into_iter();
        let (mut loss, mut sums) = passes.next().expect("a step has data");
        for (more, gradients) in passes {
            loss += more;
            for (sum, gradient) in sums.iter_mut().zip(&gradients) {
                let _ = sum.f_add_(gradient)?;
            }
        }
        let gradient_norm = optimizer::clip(&mut sums, self.hyperparameters.max_gradient_norm)?;
        if !loss.is_finite() || !gradient_norm.is_finite() {
            return Ok(None);
        }
        let learning_rate = self.schedule.rate(step);
        self.optimizer.step(&self.parameters.tensors(), &sums, learning_rate)?;
        let (loss, gradient_norm) = (loss as f32, gradient_norm as f32);
        Ok(Some(StepRecord { step: step + 1, loss, learning_rate: learning_rate as f32, gradient_norm }))
    }
}
