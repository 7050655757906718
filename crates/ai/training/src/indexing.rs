use std::path::PathBuf;

use alloy_primitives::B256;
use openledger_backbone::Backbone;
use openledger_influence::{DatumEntry, Identity, Index, IndexBuilder, PREVIEW_CHARS, gradients};
use tch::Device;

use crate::{
    DATASET_FILE, Dataset, Datum, Error, Event, IndexArgs, REPORT_FILE, Result, TrainingReport, adapter, examples,
    progress::Pace, workers::Workers,
};

/// What an indexing run made or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSummary {
    /// The adapter's folder, for [`Index::open`].
    pub adapter: PathBuf,
    /// Number of data.
    pub data: usize,
    /// Values in each gradient.
    pub values: usize,
    /// Merkle root over the gradients.
    pub commitment: B256,
}

/// Computes and stores the gradient of each datum that an adapter was trained on; goes on after an interruption. An
/// index of the same adapter that is already there is left as it is.
pub fn run_indexing(args: &IndexArgs, progress: &mut dyn FnMut(&Event)) -> Result<IndexSummary> {
    if args.batch_size == 0 {
        return Err(Error::Parameter { name: "--batch-size", value: "0".into(), rule: "must be 1 or above" });
    }
    let report_path = args.adapter.join(REPORT_FILE);
    let report = TrainingReport::open(&args.adapter)?
        .ok_or_else(|| Error::damaged(&report_path, "not there; make the adapter with `openlora train`"))?;
    let dataset_path = args.adapter.join(DATASET_FILE);
    let dataset = Dataset::open(&dataset_path)?;
    if dataset.root() != report.dataset_root {
        return Err(Error::damaged(dataset_path, "its Merkle root is not the report's; train again with --fresh"));
    }
    let adapter_hash = adapter::content_hash(&args.adapter)?;
    if adapter_hash != report.adapter {
        return Err(Error::damaged(
            &args.adapter,
            "the adapter is not the one of the report; train again with --fresh",
        ));
    }
    let backbone = Backbone::load(&args.model, Device::cuda_if_available())?;
    if report.backbone != B256::from(backbone.content_hash) {
        return Err(Error::damaged(&args.model, "the adapter was trained on another backbone; name that one"));
    }
    let limit = report.hyperparameters.max_tokens.min(backbone.model.config().context);
    let identity = Identity {
        backbone: report.backbone,
        adapter: adapter_hash,
        dataset_root: report.dataset_root,
        max_tokens: limit as u32,
    };
    if let Ok(index) = Index::open(&args.adapter)
        && index.header().plan.identity == identity
    {
        progress(&Event::AlreadyDone { what: "the gradient index" });
        return Ok(summary(args, &index));
    }

    let chat = backbone.chat.as_ref().ok_or_else(|| Error::NoChatTemplate { model: args.model.clone() })?;
    let examples = examples::tokenize_all(&backbone, chat, dataset.data(), limit)?;
    let parameters = adapter::load(&args.adapter, &backbone.model)?;
    let table: Vec<_> = dataset.data().iter().map(entry).collect();
    let mut builder = IndexBuilder::open(&args.adapter, identity, parameters.layout().clone(), &table)?;
    progress(&Event::Prepared {
        data: dataset.len(),
        evaluation: 0,
        contributors: dataset.contributors().len(),
        tokens: examples.iter().map(|example| example.tokens().len()).sum(),
        completion_tokens: examples.iter().map(|example| example.completion()).sum(),
        parameters: parameters.layout().values(),
        dataset_root: report.dataset_root,
    });
    if builder.next() > 0 {
        progress(&Event::Resumed { done: builder.next(), total: builder.len() });
    }
    let mut workers = Workers::new(&backbone.model, &parameters, args.threads);
    let mut pace = Pace::new();
    while builder.next() < builder.len() {
        // Batches begin at multiples of their size, also after an interruption: a batch's padding changes its
        // gradients in the last bits, and an index should not depend on when it was interrupted.
        let first = builder.next() - builder.next() % args.batch_size;
        let round: Vec<_> = examples[first..].chunks(args.batch_size).take(workers.count()).collect();
        let tokens = round.iter().flat_map(|batch| batch.iter()).map(|example| example.tokens().len()).sum();
        let found = workers.map(round, |worker, batch| Ok(gradients(&worker.model, &worker.parameters, batch)?))?;
        let new: Vec<_> = found.into_iter().flatten().skip(builder.next() - first).collect();
        for gradient in &new {
            builder.push(gradient.values())?;
        }
        pace.add(tokens, new.len());
        progress(&Event::Indexed {
            done: builder.next(),
            total: builder.len(),
            loss: new.iter().map(|gradient| gradient.loss()).sum::<f64>() / new.len() as f64,
            tokens_per_second: pace.tokens_per_second(),
            remaining: pace.remaining(builder.len() - builder.next()),
        });
    }
    Ok(summary(args, &builder.finish()?))
}

fn summary(args: &IndexArgs, index: &Index) -> IndexSummary {
    IndexSummary {
        adapter: args.adapter.clone(),
        data: index.data().len(),
        values: index.layout().values(),
        commitment: index.header().commitment,
    }
}

fn entry(datum: &Datum) -> DatumEntry {
    DatumEntry {
        id: datum.id,
        contributor: datum.address,
        contributor_name: datum.contributor.clone(),
        content_hash: datum.content_hash(),
        preview: datum.question.chars().take(PREVIEW_CHARS).collect(),
    }
}
