use clap::{Parser, Subcommand};
use openledger_openlora::ServeArgs;
use openledger_training::{IndexArgs, TrainArgs};

use openledger_logging::LogArgs;

/// Serves language models with LoRA adapters, and pays the people whose data made an answer better.
///
/// Begin with `train` (an adapter from questions and answers), then `index` (the gradients of its data), then `serve`.
#[derive(Debug, Parser)]
#[command(name = "openlora", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) logging: LogArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer over HTTP as OpenAI's API does; with --l2-rpc, against payment
    ///
    /// Try it: curl localhost:8080/v1/models
    Serve(Box<ServeArgs>),
    /// Fine-tune a LoRA adapter on a JSONL file of questions and answers
    ///
    /// The output folder can be served at once. Interrupted, the same command goes on where it was.
    Train(Box<TrainArgs>),
    /// Store the gradient of each datum that an adapter was trained on, so that its answers can be attributed
    ///
    /// Interrupted, the same command goes on where it was.
    Index(IndexArgs),
}
