//! The command line.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use clap::{Args, Parser, Subcommand};
use openledger_logging::LogArgs;
use openledger_node::Retention;

use crate::{
    admin_args::{AdminArgs, AskArgs},
    rpc_args::RpcArgs,
};

/// What to try first, below `openledger --help`.
const EXAMPLES: &str = "\
Examples:
  openledger devnet                                  everything on this machine, with a demo
  openledger help sequencer                          what a sequencer needs, with an example
  openledger verifier --config configs/verifier.toml --print-config
  openledger db stats --datadir ./verifier           heads and sizes of a node that is stopped
  openledger completions bash > ~/.local/share/bash-completion/completions/openledger";

/// OpenLedger: an Ethereum L2 that pays the people whose data made a model better, for every answer that the model gives.
#[derive(Debug, Parser)]
#[command(name = "openledger", version, propagate_version = true, max_term_width = 110, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Take options from this TOML file: `http-port = 9545` is --http-port 9545. Flags and environment go before it; `configs/`
    /// has a file for each kind of node
    #[arg(long, global = true, env = "OPENLEDGER_CONFIG", value_name = "FILE", help_heading = "Configuration")]
    pub(crate) config: Option<PathBuf>,
    /// Print the options as they would be used, each with where it comes from, and exit
    #[arg(long, global = true, help_heading = "Configuration")]
    pub(crate) print_config: bool,
    #[command(flatten)]
    pub(crate) logging: LogArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Produce blocks, post them to L1, propose output roots, and serve the JSON-RPC
    ///
    /// There is one sequencer. It needs the two files that `openledger deploy` writes, an L1, and the key of the account that
    /// pays for batches. Everything it acknowledges is on disk first: it can be killed at any moment and started again with
    /// the same arguments.
    ///
    /// Example:
    ///   openledger deploy --l1-rpc http://127.0.0.1:8545 --out ./chain …
    ///   openledger sequencer --datadir ./sequencer --genesis ./chain/genesis.json \
    ///       --rollup-config ./chain/rollup.json --l1-rpc http://127.0.0.1:8545 --batcher-key-file ./batcher.key
    #[command(verbatim_doc_comment)]
    Sequencer(SequencerArgs),
    /// Derive the chain from L1 alone, check the sequencer's claims, and serve the JSON-RPC
    ///
    /// A verifier trusts nobody: it reads the batches from L1, executes every transaction again, and reports the first block
    /// that differs from what the sequencer posted (log, `openledger_faults`, GET /health).
    ///
    /// Example:
    ///   openledger verifier --datadir ./verifier --genesis ./chain/genesis.json \
    ///       --rollup-config ./chain/rollup.json --l1-rpc http://127.0.0.1:8545
    #[command(verbatim_doc_comment)]
    Verifier(NodeArgs),
    /// Serve the chain to wallets and tools: a verifier that has the newest blocks too, and forwards transactions
    ///
    /// L1 decides what the chain is, as for a verifier. Blocks that L1 does not hold yet come from the node at --unsafe-rpc; each is
    /// executed, and taken only with the hash that comes out. If L1 prescribes others, they give way. Any node of the chain will do
    /// as a source, another `openledger node` as well. Without the two URLs this is `openledger verifier`.
    ///
    /// Example:
    ///   openledger node --datadir ./node --genesis ./chain/genesis.json --rollup-config ./chain/rollup.json \
    ///       --l1-rpc http://127.0.0.1:8545 --unsafe-rpc http://127.0.0.1:9545 --sequencer-http http://127.0.0.1:9545
    #[command(verbatim_doc_comment)]
    Node(ReplicaArgs),
    /// Write a genesis into a data directory, and say its hash and state root
    ///
    /// Nodes do this by themselves at their first start. Use it to see what a genesis.json of your own makes: its `alloc` may hold
    /// any accounts; the hash belongs into rollup.json as `genesis.l2.hash`. A directory that holds another genesis is left as it is.
    ///
    /// Example:
    ///   openledger init --genesis ./chain/genesis.json --datadir ./verifier
    #[command(verbatim_doc_comment)]
    Init(InitArgs),
    /// Look at, check, or shrink the database of a node that is stopped
    ///
    /// Example:
    ///   openledger db stats --datadir ./verifier
    ///   openledger db check --datadir ./verifier
    ///   openledger db prune --datadir ./verifier --keep-blocks 100000
    #[command(verbatim_doc_comment)]
    Db(DbArgs),
    /// Ask a node that runs to stop or start making blocks or posting batches, or to log more
    ///
    /// The node was started with --admin-port. What is turned off here is on again after a restart, but for a sequencer that
    /// is started with --stopped.
    ///
    /// Example:
    ///   openledger sequencer --admin-port 9645 …
    ///   openledger admin --datadir ./sequencer stopSequencer
    ///   openledger admin --datadir ./sequencer startSequencer 0x…
    ///   openledger admin --datadir ./sequencer setLogLevel info,openledger_node=debug
    ///   openledger admin --config configs/sequencer.toml nodeInfo
    #[command(verbatim_doc_comment)]
    Admin(AskArgs),
    /// Deploy the L1 contracts and write the L2's genesis.json and rollup.json
    ///
    /// Example:
    ///   openledger deploy --l1-rpc http://127.0.0.1:8545 --deployer-key-file ./deployer.key --out ./chain \
    ///       --batcher 0x… --proposer 0x…
    #[command(verbatim_doc_comment)]
    Deploy(openledger_deploy::DeployArgs),
    /// Start a whole development network: L1, sequencer, verifier, inference server, and the demo
    Devnet(openledger_devnet::DevnetArgs),
    /// Ask one more paid question on a development network that is running
    Demo(openledger_devnet::DemoArgs),
    /// Measure how many transactions a node takes, how soon they are included, and what they cost
    ///
    /// Works with any Ethereum node. Everything is signed before the clock starts; a bounded number of transactions is kept in
    /// flight; afterwards each must have been included exactly once and have succeeded, or there are no figures.
    ///
    /// Example:
    ///   openledger bench --rpc http://127.0.0.1:9545 --scenario transfer,erc20 --transactions 20000
    ///   openledger bench suite --write docs/benchmarks.md
    #[command(verbatim_doc_comment)]
    Bench(openledger_bench::BenchArgs),
    /// Print a script that completes commands and flags in a shell
    ///
    /// Example:
    ///   openledger completions bash > ~/.local/share/bash-completion/completions/openledger
    ///   openledger completions zsh > ~/.zfunc/_openledger
    #[command(verbatim_doc_comment)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What `openledger init` needs.
#[derive(Debug, Clone, Args)]
pub(crate) struct InitArgs {
    /// The L2 genesis: what `openledger deploy` writes, or one of your own
    #[arg(long, env = "OPENLEDGER_GENESIS", value_name = "FILE")]
    pub(crate) genesis: PathBuf,
    /// Where the node keeps its database; created when missing
    #[arg(long, alias = "data-dir", env = "OPENLEDGER_DATADIR", value_name = "DIR")]
    pub(crate) datadir: PathBuf,
    /// Check as well that the genesis is the one of this rollup configuration
    #[arg(long, env = "OPENLEDGER_ROLLUP_CONFIG", value_name = "FILE")]
    pub(crate) rollup_config: Option<PathBuf>,
}

/// What `openledger db` needs.
#[derive(Debug, Clone, Args)]
pub(crate) struct DbArgs {
    /// The data directory of the node, which must not run
    #[arg(
        long,
        global = true,
        alias = "data-dir",
        env = "OPENLEDGER_DATADIR",
        default_value = ".",
        value_name = "DIR"
    )]
    pub(crate) datadir: PathBuf,
    #[command(subcommand)]
    pub(crate) command: DbCommand,
}

/// What to do with a database.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DbCommand {
    /// Print the heads, the range of states that can be read, and the size of every table
    Stats,
    /// Compute again what every header commits to and who signed, and walk the newest state; name the first wrong block
    ///
    /// Reads the whole database. The exit status is not 0 if something is wrong.
    Check,
    /// Forget old states: `eth_call`, `eth_getProof` and the like at blocks before are refused then. Blocks and receipts stay
    Prune {
        /// How many of the newest blocks keep their state; never fewer than back to the finalized block
        #[arg(long, env = "OPENLEDGER_KEEP_BLOCKS", value_name = "BLOCKS", value_parser = clap::value_parser!(u64).range(1..))]
        keep_blocks: u64,
        /// How many keep the state of the L2ToL1MessagePasser, so that withdrawals can be proven; never fewer than --keep-blocks.
        /// The default is a week of 1 s blocks
        #[arg(long, default_value_t = 604_800, value_name = "BLOCKS")]
        keep_withdrawal_blocks: u64,
    },
}

/// What every node needs.
#[derive(Debug, Clone, Args)]
pub(crate) struct NodeArgs {
    /// Where this node keeps its database; created when missing
    #[arg(long, alias = "data-dir", env = "OPENLEDGER_DATADIR", value_name = "DIR")]
    pub(crate) datadir: PathBuf,
    /// The L2 genesis, as `openledger deploy` writes it
    #[arg(long, env = "OPENLEDGER_GENESIS", value_name = "FILE")]
    pub(crate) genesis: PathBuf,
    /// The rollup configuration (chain ids, block time, L1 contracts), as `openledger deploy` writes it
    #[arg(long, env = "OPENLEDGER_ROLLUP_CONFIG", value_name = "FILE")]
    pub(crate) rollup_config: PathBuf,
    /// JSON-RPC of an L1 node; everything it says is checked against block hashes
    #[arg(long, env = "OPENLEDGER_L1_RPC", value_name = "URL")]
    pub(crate) l1_rpc: String,
    /// Address on which to serve JSON-RPC; 0.0.0.0 opens it to the network
    #[arg(long, env = "OPENLEDGER_HTTP_ADDR", default_value = "127.0.0.1", value_name = "IP")]
    pub(crate) http_addr: IpAddr,
    /// Port of JSON-RPC over HTTP and WebSocket, with GET /health and GET /metrics [default: 9545 sequencer, 9546 others]
    #[arg(long, env = "OPENLEDGER_HTTP_PORT", value_name = "PORT")]
    pub(crate) http_port: Option<u16>,
    /// How many blocks below the newest keep their state: a number, or `archive` for all of them. Older states cannot be read,
    /// traced or proven any more; blocks, receipts and logs stay. What is not finalized is always kept
    #[arg(long, env = "OPENLEDGER_HISTORY_BLOCKS", default_value = "90000", value_name = "N|archive")]
    pub(crate) history_blocks: History,
    /// For how many days withdrawals can be proven: the state of the L2ToL1MessagePasser is kept that long in any case
    #[arg(long, env = "OPENLEDGER_WITHDRAWAL_HISTORY_DAYS", default_value_t = 7, value_name = "DAYS",
          value_parser = clap::value_parser!(u64).range(7..=36_500))]
    pub(crate) withdrawal_history_days: u64,
    #[command(flatten)]
    pub(crate) rpc: RpcArgs,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
}

/// How much of the past a node keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    /// All of it.
    Archive,
    /// The states of so many blocks below the newest.
    Blocks(u64),
}

impl FromStr for History {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "archive" => Ok(Self::Archive),
            number => number
                .parse()
                .map(Self::Blocks)
                .map_err(|_| "give a number of blocks, or `archive` to keep every state".to_owned()),
        }
    }
}

impl NodeArgs {
    /// What to keep of the past on a chain with this block time in seconds; everything if there is no answer.
    pub(crate) fn retention(&self, block_time: u64) -> Option<Retention> {
        let History::Blocks(state) = self.history_blocks else { return None };
        Some(Retention { state, withdrawals: (self.withdrawal_history_days * 86_400).div_ceil(block_time.max(1)) })
    }

    /// The address to serve on.
    pub(crate) fn socket(&self, default_port: u16) -> SocketAddr {
        SocketAddr::new(self.http_addr, self.http_port.unwrap_or(default_port))
    }
}

/// What a replica can have besides.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReplicaArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// JSON-RPC of a node whose newest blocks are taken before L1 holds them; it must serve debug_getRawBlock
    #[arg(long, env = "OPENLEDGER_UNSAFE_RPC", value_name = "URL")]
    pub(crate) unsafe_rpc: Option<String>,
    /// JSON-RPC of the sequencer: eth_sendRawTransaction is forwarded there, and refused without
    #[arg(long, env = "OPENLEDGER_SEQUENCER_HTTP", value_name = "URL")]
    pub(crate) sequencer_http: Option<String>,
}

/// What a sequencer needs besides.
#[derive(Debug, Clone, Args)]
pub(crate) struct SequencerArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// File with the private key (hex) of the account that posts batches; or put the key itself in OPENLEDGER_BATCHER_KEY
    #[arg(long, value_name = "FILE")]
    pub(crate) batcher_key_file: Option<PathBuf>,
    /// File with the private key (hex) of the account that proposes output roots; or OPENLEDGER_PROPOSER_KEY. Without one
    /// no outputs are proposed
    #[arg(long, value_name = "FILE")]
    pub(crate) proposer_key_file: Option<PathBuf>,
    /// Post a batch at the latest when this many L1 blocks have passed since its first block
    #[arg(long, env = "OPENLEDGER_MAX_CHANNEL_DURATION", default_value_t = 2, value_name = "L1_BLOCKS",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_channel_duration: u64,
    /// Have so many batch transactions, of 120,000 bytes at most, on their way to L1 at the same time. A pool of Geth holds
    /// 4 of them for an account even when it is full; raise it where L1 takes more and the metric
    /// openledger_batcher_backlog_bytes grows
    #[arg(long, env = "OPENLEDGER_MAX_PENDING_TX", default_value_t = 4, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_pending_tx: u16,
    /// How many L1 blocks must stand on the L1 block that an L2 block builds on. Raise it on an L1 that reorganises (4 on
    /// Ethereum); 0 lets deposits arrive soonest
    #[arg(long, env = "OPENLEDGER_L1_CONFIRMATIONS", default_value_t = 0, value_name = "L1_BLOCKS")]
    pub(crate) l1_confirmations: u64,
    /// Make no blocks until `openledger admin startSequencer`. Transactions are taken, and wait
    #[arg(long, env = "OPENLEDGER_STOPPED")]
    pub(crate) stopped: bool,
    /// Test hook: from this block on, post a wrong state (1 wei out of nowhere), so that verifiers can be seen to notice
    #[arg(long, env = "OPENLEDGER_UNSAFE_CORRUPT_STATE_AT", hide = true, value_name = "BLOCK")]
    pub(crate) unsafe_corrupt_state_at: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn history_is_a_number_or_archive() {
        let node = |flags: &[&str]| {
            let needed = ["x", "verifier", "--datadir", "d", "--genesis", "g", "--rollup-config", "r", "--l1-rpc", "u"];
            let cli = Cli::try_parse_from(needed.iter().chain(flags)).map_err(|error| error.to_string())?;
            let Command::Verifier(args) = cli.command else { panic!("another command") };
            Ok::<_, String>(args)
        };
        // Seven days of blocks of two seconds.
        let week = Some(Retention { state: 90_000, withdrawals: 302_400 });
        assert_eq!(node(&[]).unwrap().retention(2), week);
        assert_eq!(node(&["--history-blocks", "archive"]).unwrap().retention(2), None);
        let long = node(&["--history-blocks", "5", "--withdrawal-history-days", "14"]).unwrap().retention(1);
        assert_eq!(long, Some(Retention { state: 5, withdrawals: 1_209_600 }));
        assert!(node(&["--history-blocks", "some"]).unwrap_err().contains("`archive`"));
        assert!(node(&["--withdrawal-history-days", "6"]).unwrap_err().contains('7'));
    }
}
