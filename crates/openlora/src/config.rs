use std::{net::IpAddr, path::PathBuf};

use alloy_primitives::{Address, address};

use crate::engine::EngineConfig;

/// `InferenceLedger`'s predeploy.
const LEDGER: Address = address!("4f4c000000000000000000000000000000000001");
/// `ModelRegistry`'s predeploy.
const REGISTRY: Address = address!("4f4c000000000000000000000000000000000002");

/// `openlora serve`: answers over HTTP as OpenAI's API does, and settles paid answers on OpenLedger.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// The backbone, a GGUF file (Llama architecture; F32, F16, Q8_0, Q4_1, Q4_0)
    #[arg(long, value_name = "FILE", env = "OPENLORA_MODEL")]
    pub model: PathBuf,
    /// Folder of adapters: `NAME/adapter_model.safetensors` is served as `MODEL:NAME`. New ones are found without a restart
    #[arg(long, value_name = "FOLDER", env = "OPENLORA_ADAPTERS")]
    pub adapters: Option<PathBuf>,
    /// Address to listen on; anything but the loopback makes the server public
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", env = "OPENLORA_HOST")]
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080, env = "OPENLORA_PORT")]
    pub port: u16,
    /// Limits of the engine
    #[command(flatten)]
    pub limits: LimitArgs,
    /// How answers are paid
    #[command(flatten)]
    pub payment: PaymentArgs,
}

/// How much the server takes on at once.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Answers generated together
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub max_batch: usize,
    /// Requests that may wait; more get status 429
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub max_queue: usize,
    /// Tokens of prompts that one step may add to the batch
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub prefill_tokens: usize,
    /// Memory for keys and values of running answers, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    pub kv_cache_mib: usize,
    /// Memory for adapters, in MiB; unused ones leave when it is full
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub adapter_cache_mib: usize,
    /// CPU threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZero<u16>>,
    /// Longest answer where a request does not say, in tokens
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub default_max_tokens: usize,
    /// Most tokens, prompt and answer, that an answer's influences are computed through; memory grows by about 2 MiB for each
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub attribution_tokens: usize,
}

/// Payment by escrow on the L2. Without `--l2-rpc` everything is served for nothing.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Payment")]
pub struct PaymentArgs {
    /// JSON-RPC of an OpenLedger node: models that are registered there with a price are answered against payment
    #[arg(long, value_name = "URL", env = "OPENLORA_L2_RPC", requires = "operator_key_file")]
    pub l2_rpc: Option<String>,
    /// File with the operator's private key (hex): it signs receipts and sends settlements. It must be registered with the ledger
    #[arg(long, value_name = "FILE", env = "OPENLORA_OPERATOR_KEY_FILE", requires = "l2_rpc")]
    pub operator_key_file: Option<PathBuf>,
    /// Where receipts are kept until they are settled and after
    #[arg(
        long,
        visible_alias = "data-dir",
        value_name = "FOLDER",
        default_value = "openlora-data",
        env = "OPENLORA_DATADIR"
    )]
    pub datadir: PathBuf,
    /// The InferenceLedger contract
    #[arg(long, value_name = "ADDRESS", default_value_t = LEDGER)]
    pub ledger: Address,
    /// The ModelRegistry contract
    #[arg(long, value_name = "ADDRESS", default_value_t = REGISTRY)]
    pub registry: Address,
    /// Seconds that an authorisation must still be valid when a request arrives: time to answer and to settle
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub min_validity: u64,
    /// Seconds between settlements; receipts that arrive in between share a transaction
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub settle_every: u64,
    /// Most receipts in one settlement
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub settle_batch: usize,
}

impl LimitArgs {
    pub(crate) fn engine(&self) -> EngineConfig {
        EngineConfig {
            max_batch: self.max_batch.max(1),
            max_queue: self.max_queue.max(1),
            prefill_tokens: self.prefill_tokens.max(1),
            kv_bytes: self.kv_cache_mib.saturating_mul(1 << 20),
            adapter_bytes: self.adapter_cache_mib.saturating_mul(1 << 20),
            threads: self.threads.map_or(0, |threads| threads.get().into()),
        }
    }
}
