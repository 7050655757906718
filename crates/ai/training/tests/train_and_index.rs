//! The whole way on a tiny random model: train, interrupt, go on, index, ask.

use std::{
    fs,
    num::NonZeroU16,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use alloy_primitives::B256;
use openledger_backbone::{Backbone, testing::write_tiny_gguf};
use openledger_influence::{Index, LoraParameters, query_gradient};
use openledger_lora::LoraAdapter;
use openledger_training::{
    DATASET_FILE, Dataset, Error, Event, Hyperparameters, IndexArgs, Preparation, TrainArgs, run_indexing,
    run_training, tokenize,
};
use tch::Device;
use tempfile::TempDir;

fn workspace() -> (TempDir, TrainArgs) {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_tiny_gguf(at("tiny.gguf"), 5).unwrap();
    let rows: String = (0..12)
        .map(|i| {
            let (name, word) = [("ann", "stone"), ("bob", "water"), ("cy", "timber")][i % 3];
            format!("{{\"q\":\"what {i}?\",\"a\":\"{word} {word} {i}\",\"category\":\"{name}\"}}\n")
        })
        .collect();
    fs::write(at("data.jsonl"), rows).unwrap();
    let args = TrainArgs {
        model: at("tiny.gguf"),
        dataset: at("data.jsonl"),
        output: at("adapter"),
        preparation: Preparation::default(),
        hyperparameters: Hyperparameters {
            epochs: 4.0,
            rank: 4,
            learning_rate: 1e-2,
            max_tokens: 96,
            evaluation_share: 0.2,
            batch_size: 3,
            ..Hyperparameters::default()
        },
        checkpoint_every: 2,
        fresh: false,
        threads: NonZeroU16::new(2),
    };
    (folder, args)
}

fn index_args(train: &TrainArgs, threads: u16) -> IndexArgs {
    let (model, adapter) = (train.model.clone(), train.output.clone());
    IndexArgs { model, adapter, batch_size: 2, threads: NonZeroU16::new(threads) }
}

fn file(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

#[test]
fn the_loss_falls_and_the_data_are_found_again() {
    let (_folder, args) = workspace();
    let mut lines = Vec::new();
    let report = run_training(&args, &mut |event| lines.push(event.to_string())).unwrap();
    assert_eq!((report.data, report.evaluation_data, report.steps.len()), (10, 2, 16));
    let mean = |steps: &[openledger_training::StepRecord]| {
        steps.iter().map(|s| f64::from(s.loss)).sum::<f64>() / steps.len() as f64
    };
    assert!(mean(&report.steps[12..]) < 0.8 * mean(&report.steps[..4]), "{:?}", report.steps);
    assert_eq!(report.evaluations.iter().map(|e| e.step).collect::<Vec<_>>(), [0, 8, 16]);
    assert!(report.evaluations.is_sorted_by(|a, b| a.loss > b.loss));
    assert!(lines.iter().any(|line| line.starts_with("step   16/16")), "{lines:?}");

    // What was written is an adapter with that hash, and the root is that of the data beside it.
    let backbone = Backbone::load(&args.model, Device::Cpu).unwrap();
    let adapter = LoraAdapter::load(&args.output, backbone.model.config(), Device::Cpu).unwrap();
    assert_eq!(B256::from(adapter.content_hash()), report.adapter);
    let dataset = Dataset::open(&args.output.join(DATASET_FILE)).unwrap();
    assert_eq!(dataset.root(), report.dataset_root);

    // Asked with its own text, each datum helps (a negative influence), and nearly always most of all.
    let summary = run_indexing(&index_args(&args, 1), &mut |_| ()).unwrap();
    let index = Index::open(&args.output).unwrap();
    index.verify().unwrap();
    index.expect(report.backbone, report.adapter, Some(report.dataset_root)).unwrap();
    assert_eq!((summary.data, summary.commitment), (10, index.header().commitment));
    let parameters = LoraParameters::of(&adapter).unwrap();
    let chat = backbone.chat.as_ref().unwrap();
    let mut first = 0;
    for datum in dataset.data() {
        let example = tokenize(&backbone, chat, datum, 96).unwrap();
        let (prompt, completion) = example.tokens().split_at(example.tokens().len() - example.completion());
        let query = query_gradient(&backbone.model, &parameters, prompt, completion, 96).unwrap();
        let scores = index.score(&query).unwrap();
        assert!(scores[datum.id as usize] < 0.0);
        let best = (0..scores.len()).min_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        first += usize::from(best == datum.id as usize);
        assert_eq!(index.data()[datum.id as usize].content_hash, datum.content_hash());
    }
    assert!(first >= 9, "{first} of 10");

    // Nothing is done twice.
    let before = file(&args.output, "training_report.json");
    let mut events = Vec::new();
    assert_eq!(run_training(&args, &mut |event| events.push(event.clone())).unwrap(), report);
    run_indexing(&index_args(&args, 1), &mut |event| events.push(event.clone())).unwrap();
    assert!(matches!(events[..], [Event::AlreadyDone { .. }, Event::AlreadyDone { .. }]), "{events:?}");
    assert_eq!(file(&args.output, "training_report.json"), before);
}

/// Runs and panics in the middle of the `n`-th step or gradient, which leaves the files as a kill would.
fn interrupted(run: impl FnOnce(&mut dyn FnMut(&Event)), n: usize) {
    let mut seen = 0;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        run(&mut |event| {
            seen += usize::from(matches!(event, Event::Step { .. } | Event::Indexed { .. }));
            assert!(seen < n, "interrupted here");
        });
    }));
    assert!(outcome.is_err());
}

#[test]
fn an_interrupted_run_ends_in_the_same_bytes_on_any_number_of_threads() {
    let (_folder, whole) = workspace();
    let expected = run_training(&whole, &mut |_| ()).unwrap();
    let expected_index = run_indexing(&index_args(&whole, 2), &mut |_| ()).unwrap();

    let torn = TrainArgs { output: whole.output.with_file_name("torn"), threads: NonZeroU16::new(1), ..whole.clone() };
    interrupted(|progress| drop(run_training(&torn, progress)), 5);
    interrupted(|progress| drop(run_training(&torn, progress)), 8);
    let mut resumed = Vec::new();
    let report = run_training(&torn, &mut |event| {
        if let Event::Resumed { done, .. } = event {
            resumed.push(*done);
        }
    });
    let report = report.unwrap();
    assert_eq!(resumed, [10], "after 4 steps, then after 6 more");
    assert_eq!((report.adapter, &report.steps), (expected.adapter, &expected.steps));
    assert!(!torn.output.join("checkpoints").exists());

    interrupted(|progress| drop(run_indexing(&index_args(&torn, 1), progress)), 3);
    assert!(Index::open(&torn.output).is_err(), "no half an index");
    let index = run_indexing(&index_args(&torn, 1), &mut |_| ()).unwrap();
    assert_eq!(index.commitment, expected_index.commitment);
    for name in ["index.json", "records.bin", "gradients.bf16", "data.jsonl"] {
        let inside = Path::new("gradients").join(name);
        let name = inside.to_str().unwrap();
        assert_eq!(file(&torn.output, name), file(&whole.output, name), "{name}");
    }
}

#[test]
fn what_cannot_work_is_said() {
    let (_folder, args) = workspace();
    let missing = run_indexing(&index_args(&args, 1), &mut |_| ()).unwrap_err();
    assert!(missing.to_string().contains("openlora train"), "{missing}");

    let with = |change: fn(&mut TrainArgs)| {
        let mut changed = args.clone();
        change(&mut changed);
        run_training(&changed, &mut |_| ()).unwrap_err()
    };
    let diverged = with(|args| (args.hyperparameters.learning_rate, args.hyperparameters.warmup_ratio) = (1e39, 0.0));
    assert!(matches!(diverged, Error::Diverged { .. }), "{diverged}");
    let target = with(|args| args.hyperparameters.targets = vec!["lm_head".into()]);
    assert!(target.to_string().contains("lm_head"), "{target}");
    let short = with(|args| args.hyperparameters.max_tokens = 12);
    assert!(short.to_string().contains("no completion token"), "{short}");
    let model = with(|args| args.model = "nowhere.gguf".into());
    assert!(matches!(model, Error::Backbone(_)), "{model}");

    // An adapter that is not the one of the report is not indexed under its name.
    run_training(&args, &mut |_| ()).unwrap();
    let weights = args.output.join("adapter_model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    let altered = run_indexing(&index_args(&args, 1), &mut |_| ()).unwrap_err();
    assert!(altered.to_string().contains("not the one of the report"), "{altered}");
    fs::write(args.output.join(DATASET_FILE), "").unwrap();
    assert!(matches!(run_indexing(&index_args(&args, 1), &mut |_| ()), Err(Error::Damaged { .. })));
}
