use clap::Args;
use std::path::PathBuf;

/// What `openledger devnet` can be told.
#[derive(Clone, Debug, Args)]
pub struct DevnetArgs {
    /// Where the devnet keeps everything: chains, keys' funds, adapters, logs
    #[arg(long, env = "OPENLEDGER_DEVNET_DIR", default_value = ".devnet", value_name = "DIR")]
    pub dir: PathBuf,
    /// Stop after the demo, with exit status 0 only if each of its checks held
    #[arg(long)]
    pub exit: bool,
    /// Start the system without the demo; without a model on chain the inference server serves the backbone only
    #[arg(long, conflicts_with = "exit")]
    pub no_demo: bool,

    /// Port of the L1's JSON-RPC
    #[arg(long, env = "OPENLEDGER_L1_PORT", default_value_t = 8545, value_name = "PORT", help_heading = "Ports")]
    pub l1_port: u16,
    /// Port of the sequencer's JSON-RPC, HTTP and WebSocket
    #[arg(long, env = "OPENLEDGER_L2_PORT", default_value_t = 9545, value_name = "PORT", help_heading = "Ports")]
    pub l2_port: u16,
    /// Port of the verifier's JSON-RPC, HTTP and WebSocket
    #[arg(long, env = "OPENLEDGER_VERIFIER_PORT", default_value_t = 9546, value_name = "PORT", help_heading = "Ports")]
    pub verifier_port: u16,
    /// Port of the inference server
    #[arg(
        long,
        env = "OPENLEDGER_INFERENCE_PORT",
        default_value_t = 8080,
        value_name = "PORT",
        help_heading = "Ports"
    )]
    pub inference_port: u16,

    /// anvil, the L1
    #[arg(long, env = "OPENLEDGER_ANVIL", default_value = "anvil", value_name = "PROGRAM", help_heading = "Programs")]
    pub anvil: PathBuf,
    /// The inference server [default: `openlora` beside this program]
    #[arg(long, env = "OPENLEDGER_OPENLORA", value_name = "PROGRAM", help_heading = "Programs")]
    pub openlora: Option<PathBuf>,
    /// Folder of the compiled contracts, as `forge build` writes it
    #[arg(
        long,
        env = "OPENLEDGER_ARTIFACTS",
        default_value = "contracts/out",
        value_name = "DIR",
        help_heading = "Programs"
    )]
    pub artifacts: PathBuf,

    /// Test hook: the sequencer posts a wrong state from this L2 block on
    #[arg(long, hide = true, value_name = "BLOCK")]
    pub unsafe_corrupt_state_at: Option<u64>,

    /// What the model is made of.
    #[command(flatten)]
    pub training: TrainingArgs,
    /// What the demo asks.
    #[command(flatten)]
    pub inference: InferenceArgs,
}

/// What the demo's datanet and model are made of.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Datanet and model")]
pub struct TrainingArgs {
    /// The datanet's data: JSON lines with a question, an answer and a contributor [default: the construction-law Q&A that
    /// `make setup` fetched]
    #[arg(long, env = "OPENLEDGER_DATA", value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// The field that names the contributor of a datum [default: contributor, or else category]
    #[arg(long, value_name = "FIELD")]
    pub contributor_field: Option<String>,
    /// Use at most so many data, as even over the contributors as can be; more give a better model and take longer
    #[arg(long, env = "OPENLEDGER_DATA_LIMIT", default_value_t = 120, value_name = "N")]
    pub data_limit: usize,
    /// Passes of the fine-tuning over the data
    #[arg(long, env = "OPENLEDGER_EPOCHS", default_value_t = 1.0, value_name = "N")]
    pub epochs: f64,
    /// The backbone, a GGUF file [default: SmolLM2-135M-Instruct, which `make setup` fetched]
    #[arg(long, env = "OPENLEDGER_BACKBONE", value_name = "FILE")]
    pub backbone: Option<PathBuf>,
}

/// One paid inference.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Inference")]
pub struct InferenceArgs {
    /// What to ask [default: the first question of the datanet]
    #[arg(long, value_name = "TEXT")]
    pub question: Option<String>,
    /// The longest answer, in tokens
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=2048))]
    pub max_tokens: u32,
}

/// What `openledger demo` can be told: one more paid inference on a devnet that is running.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Where the devnet keeps everything
    #[arg(long, env = "OPENLEDGER_DEVNET_DIR", default_value = ".devnet", value_name = "DIR")]
    pub dir: PathBuf,
    /// What to ask.
    #[command(flatten)]
    pub inference: InferenceArgs,
}
