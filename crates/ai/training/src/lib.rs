#![doc = include_str!("../README.md")]

mod adapter;
mod args;
mod checkpoint;
mod dataset;
mod error;
mod examples;
mod files;
mod indexing;
mod optimizer;
mod progress;
mod random;
mod report;
mod schedule;
mod sft;
mod workers;

pub use args::{Hyperparameters, IndexArgs, Preparation, TrainArgs};
pub use dataset::{
    Contributors, DATASET_FILE, Dataset, Datum, JsonlFields, ReadSummary, RowError, development_address,
};
pub use error::{Error, Result};
pub use examples::tokenize;
pub use indexing::{IndexSummary, run_indexing};
pub use optimizer::AdamW;
pub use progress::Event;
pub use random::SplitMix64;
pub use report::{ContributorSummary, EvaluationRecord, REPORT_FILE, StepRecord, TrainingReport};
pub use schedule::{Schedule, ScheduleKind};
pub use sft::run_training;
