use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use crate::{
    BenchError,
    load::Pace,
    measure::Options,
    plan::Scenario,
    stage::{Node, State},
};

/// Transactions of a light load in a second.
const LIGHT: u32 = 100;

/// What `openledger bench` can be told.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct BenchArgs {
    /// What to do instead of measuring nodes that run.
    #[command(subcommand)]
    pub command: Option<BenchCommand>,
    /// JSON-RPC of a node, over HTTP; may be repeated, the nodes are measured one after the other
    #[arg(long = "rpc", value_name = "URL", required = true)]
    pub rpc: Vec<String>,
    /// Process of the node, to count its processor time; one for each --rpc, in the same order
    #[arg(long = "pid", value_name = "PID")]
    pub pids: Vec<u32>,
    /// Data directory of the node, to see it grow; one for each --rpc, in the same order
    #[arg(long = "datadir", value_name = "DIR")]
    pub datadirs: Vec<PathBuf>,
    /// File with the private key (hex) of the account that pays for everything; or put the key itself in
    /// OPENLEDGER_FUNDER_KEY [default: the first account of anvil and of the devnet]
    #[arg(long, value_name = "FILE")]
    pub funder_key_file: Option<PathBuf>,
    /// How much is sent, and how.
    #[command(flatten)]
    pub load: LoadArgs,
}

/// Subcommands of `openledger bench`.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchCommand {
    /// Start a sequencer and anvil, measure both in one run, and write the table of the book
    ///
    /// Everything runs on this machine: an L1 (anvil) with the sequencer on it, then anvil as the peer, mining by interval and
    /// by transaction, each with an empty and with a filled state; and the floor, which is signature recovery and execution of
    /// the same transactions in this process. All processes are ended at the end, on Ctrl-C too.
    ///
    /// Example:
    ///   openledger bench suite --write docs/benchmarks.md
    #[command(verbatim_doc_comment)]
    Suite(SuiteArgs),
}

/// How much is sent, and how.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct LoadArgs {
    /// What to measure; may be repeated or separated by commas
    #[arg(long = "scenario", value_delimiter = ',', value_enum, value_name = "NAME",
          default_values_t = [Scenario::Transfer, Scenario::Scattered, Scenario::Light, Scenario::Erc20, Scenario::Create,
                              Scenario::Settle])]
    pub scenarios: Vec<Scenario>,
    /// Transfers to sign for each scenario; contract creations are a twentieth of it, light transfers and
    /// settlements a hundredth
    #[arg(long, default_value_t = 320_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub transactions: u32,
    /// Send for so long at most
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub seconds: u64,
    /// Wait so much longer, at most, for what was sent to be included
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub wait: u64,
    /// Accounts that send
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub senders: u32,
    /// Accounts that receive
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub recipients: u32,
    /// Accounts that scattered transfers go to; in the suite, those of the filled state
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub spread: u32,
    /// Connections that send at the same time
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub connections: u32,
    /// Transactions in one HTTP request
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub batch: u32,
    /// Transactions sent and not yet included, at most. More than two blocks hold keeps the node busy; the time to inclusion
    /// grows with it
    #[arg(long, default_value_t = 80_000, value_name = "N")]
    pub in_flight: u32,
    /// Where forge left the compiled contracts (`make contracts`)
    #[arg(long, env = "OPENLEDGER_ARTIFACTS", default_value = "contracts/out", value_name = "DIR")]
    pub artifacts: PathBuf,
}

/// What `openledger bench suite` can be told.
#[derive(Clone, Debug, Args)]
pub struct SuiteArgs {
    /// Page of the book to write the table into, between its markers [default: the table is only printed]
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Accounts of the filled state
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub accounts: u32,
    /// Nodes to measure; may be repeated or separated by commas
    #[arg(long = "node", value_delimiter = ',', value_enum, value_name = "NAME",
          default_values_t = [Node::Openledger, Node::AnvilInterval, Node::AnvilAutomine])]
    pub nodes: Vec<Node>,
    /// States that they begin with; may be repeated or separated by commas
    #[arg(long = "state", value_delimiter = ',', value_enum, value_name = "NAME", default_values_t = [State::Empty, State::Filled])]
    pub states: Vec<State>,
    /// anvil
    #[arg(long, env = "OPENLEDGER_ANVIL", default_value = "anvil", value_name = "PROGRAM")]
    pub anvil: PathBuf,
    /// The node under test [default: this program]
    #[arg(long, value_name = "PROGRAM")]
    pub openledger: Option<PathBuf>,
    /// How much is sent, and how.
    #[command(flatten)]
    pub load: LoadArgs,
}

impl LoadArgs {
    /// How a scenario is measured: what is larger than a transfer is sent in smaller number.
    pub(crate) fn options(&self, scenario: Scenario) -> Options {
        let parts = match scenario {
            Scenario::Transfer | Scenario::Scattered | Scenario::Erc20 => 1,
            Scenario::Create => 20,
            Scenario::Light | Scenario::Settle => 100,
        };
        // The connections together send LIGHT in a second.
        let every = Duration::from_secs(1) * self.connections / LIGHT;
        let (batch, every) = match scenario {
            Scenario::Light => (1, Some(every)),
            _ => (self.batch, None),
        };
        Options {
            transactions: (self.transactions as usize).div_ceil(parts),
            senders: self.senders as usize,
            connections: self.connections as usize,
            recipients: if scenario == Scenario::Scattered { self.spread } else { self.recipients } as usize,
            pace: Pace {
                batch: batch as usize,
                in_flight: self.in_flight as usize,
                every,
                send_for: Duration::from_secs(self.seconds),
                wait_for: Duration::from_secs(self.wait),
            },
        }
    }

    /// What no range of a single value says.
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        if self.in_flight < self.batch {
            return Err(BenchError::Options(format!(
                "--in-flight {} is less than one request holds: raise it, or lower --batch {}",
                self.in_flight, self.batch
            )));
        }
        Ok(())
    }
}
