//! From arguments to running services.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::CommandFactory as _;
use openledger_node::{Node, NodeConfig, ReplicaConfig, Role, SequencerConfig};
use openledger_primitives::RollupConfig;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    admin,
    args::{Cli, Command, NodeArgs, ReplicaArgs, SequencerArgs},
    db, keys, open_files,
};

/// Port of a sequencer's RPC when none is given.
const SEQUENCER_PORT: u16 = 9545;
/// Port of any other node's RPC when none is given.
const REPLICA_PORT: u16 = 9546;

/// Runs a command to its end.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Sequencer(args) => sequencer(&args).await,
        Command::Verifier(args) => replica(&args, ReplicaConfig::default()).await,
        Command::Node(ReplicaArgs { node, unsafe_rpc, sequencer_http }) => {
            replica(&node, ReplicaConfig { unsafe_rpc, sequencer_http }).await
        }
        Command::Admin(args) => admin::run(&args).await,
        Command::Init(args) => db::init(&args),
        Command::Db(args) => db::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "openledger", &mut std::io::stdout());
            Ok(())
        }
        Command::Deploy(args) => Ok(openledger_deploy::run(args).await?),
        Command::Devnet(args) => Ok(openledger_devnet::devnet(args).await?),
        Command::Demo(args) => Ok(openledger_devnet::demo(args).await?),
        Command::Bench(args) => {
            let funder = keys::read(args.funder_key_file.as_deref(), "OPENLEDGER_FUNDER_KEY")?;
            Ok(openledger_bench::bench(args, funder).await?)
        }
    }
}

async fn replica(args: &NodeArgs, config: ReplicaConfig) -> Result<()> {
    serve(node_config(args, REPLICA_PORT, Role::Replica(config))?).await
}

async fn sequencer(args: &SequencerArgs) -> Result<()> {
    if args.stopped && args.node.admin.served().is_none() {
        bail!("a sequencer that is --stopped at its start needs --admin-port: nothing else can start it");
    }
    let batcher_key = keys::read(args.batcher_key_file.as_deref(), "OPENLEDGER_BATCHER_KEY")?
        .context("a sequencer needs the key of the account that posts batches: give --batcher-key-file, or set OPENLEDGER_BATCHER_KEY")?;
    let proposer_key = keys::read(args.proposer_key_file.as_deref(), "OPENLEDGER_PROPOSER_KEY")?;
    if proposer_key.is_none() {
        tracing::warn!("no proposer key: output roots are not proposed, and withdrawals cannot be proven");
    }
    let role = Role::Sequencer(SequencerConfig {
        batcher_key,
        proposer_key,
        max_channel_duration: args.max_channel_duration,
        max_pending_tx: args.max_pending_tx.into(),
        l1_confirmations: args.l1_confirmations,
        stopped: args.stopped,
        corrupt_state_at: args.unsafe_corrupt_state_at,
    });
    serve(node_config(&args.node, SEQUENCER_PORT, role)?).await
}

fn node_config(args: &NodeArgs, default_port: u16, role: Role) -> Result<NodeConfig> {
    let rollup: RollupConfig = read_json(&args.rollup_config, "rollup configuration")?;
    Ok(NodeConfig {
        datadir: args.datadir.clone(),
        genesis: read_json(&args.genesis, "genesis")?,
        history: args.retention(rollup.block_time),
        rollup,
        l1_rpc: args.l1_rpc.clone(),
        rpc_address: args.socket(default_port),
        limits: args.rpc.limits(),
        admin: admin::config(&args.admin, &args.datadir)?,
        role,
    })
}

/// Reads one of the files that describe a chain.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, what: &str) -> Result<T> {
    let bytes = std::fs::read(path).with_context(|| {
        format!("the {what} file {} cannot be read (`openledger deploy` writes it)", path.display())
    })?;
    serde_json::from_slice(&bytes).with_context(|| format!("the {what} file {} is not valid", path.display()))
}

/// Runs a node until it fails or the process is told to stop.
async fn serve(config: NodeConfig) -> Result<()> {
    open_files::raise_limit();
    let node = Node::start(config).await?;
    tracing::info!(rpc = %node.rpc_address(), "serving JSON-RPC over HTTP and WebSocket");
    if let Some(admin) = node.admin_address() {
        tracing::info!(%admin, "serving the admin API");
    }
    let mut signals = Signals::new()?;
    tokio::select! {
        name = signals.next() => tracing::info!("told to stop ({name}): finishing what is under way"),
        () = node.failed() => {}
    }
    tokio::select! {
        stopped = node.stop() => Ok(stopped?),
        name = signals.next() => {
            tracing::warn!("told to stop again ({name}): ending at once. What was acknowledged is on disk");
            // Nothing shall run any more, destructors included. A node may be killed at any time.
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
            std::future::pending().await
        }
    }
}

/// What tells a process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let handler = |kind| signal(kind).context("no handler for SIGTERM and Ctrl-C could be set");
        Ok(Self { terminate: handler(SignalKind::terminate())?, interrupt: handler(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "Ctrl-C",
        }
    }
}
