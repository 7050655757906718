//! The operator's port: the flags of a node, and the command that asks it.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

/// Port that [`AdminCommand`]s go to when none is given.
const PORT: u16 = 9645;
/// Name of the file with the secret in the data directory.
const SECRET_FILE: &str = "jwt.hex";

/// Over these flags in `--help`. Not for all that follow: a command's own flags may stand behind.
const HEADING: &str = "Administration";

/// Where `admin_` is.
#[derive(Debug, Clone, Args)]
pub(crate) struct AdminArgs {
    /// Port of admin_ over HTTP, by which an operator stops and starts sequencing and batches and changes what is logged: see
    /// `openledger help admin`. A node without it has no such port; `openledger admin` asks 9645
    #[arg(help_heading = HEADING, long, global = true, env = "OPENLEDGER_ADMIN_PORT", value_name = "PORT")]
    admin_port: Option<u16>,
    /// Address of admin_. There is no TLS: leave it on this machine, and come by ssh
    #[arg(help_heading = HEADING, long, global = true, env = "OPENLEDGER_ADMIN_ADDR", default_value = "127.0.0.1",
          value_name = "IP")]
    admin_addr: IpAddr,
    /// File with the secret (32 bytes in hex, as jwt.hex of geth and op-node) by which tokens for admin_ are signed. A node makes it
    /// when it is missing, for its own user to read [default: jwt.hex in the data directory]
    #[arg(help_heading = HEADING, long, global = true, env = "OPENLEDGER_ADMIN_JWT_SECRET", value_name = "FILE")]
    admin_jwt_secret: Option<PathBuf>,
}

impl AdminArgs {
    /// Where a node serves; nowhere unless a port was given.
    pub(crate) fn served(&self) -> Option<SocketAddr> {
        self.admin_port.map(|port| SocketAddr::new(self.admin_addr, port))
    }

    /// Where to ask.
    pub(crate) fn asked(&self) -> SocketAddr {
        SocketAddr::new(self.admin_addr, self.admin_port.unwrap_or(PORT))
    }

    /// Where the secret of the node with this data directory is.
    pub(crate) fn secret_file(&self, datadir: &Path) -> PathBuf {
        self.admin_jwt_secret.clone().unwrap_or_else(|| datadir.join(SECRET_FILE))
    }
}

/// What `openledger admin` needs.
#[derive(Debug, Clone, Args)]
pub(crate) struct AskArgs {
    /// The data directory of the node, where its secret is
    #[arg(
        long,
        global = true,
        alias = "data-dir",
        env = "OPENLEDGER_DATADIR",
        default_value = ".",
        value_name = "DIR"
    )]
    pub(crate) datadir: PathBuf,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

/// What to ask for: the methods of `admin_`.
#[derive(Debug, Clone, Subcommand)]
#[command(rename_all = "camelCase")]
pub(crate) enum AdminCommand {
    /// Print what the node is, and the hash of its newest block
    NodeInfo,
    /// Print the node's peers: none, nodes know each other by URL only
    Peers,
    /// Change what the node logs until its next start
    SetLogLevel {
        /// As for --log: error, warn, info, debug, trace, off, or levels by module as in `info,openledger_node=debug`
        level: String,
    },
    /// Print whether the node makes blocks
    SequencerActive,
    /// Make no more blocks; prints the hash of the last one. Transactions are still taken, and wait
    StopSequencer,
    /// Make blocks again
    StartSequencer {
        /// Hash of the newest block, which stopSequencer and nodeInfo print: by it you say that you know what you build on
        head: String,
    },
    /// Post no more batches to L1. Those on their way go on
    StopBatcher,
    /// Post batches again
    StartBatcher,
    /// Post all blocks that L1 does not hold yet, without waiting for more
    FlushBatcher,
}

impl AdminCommand {
    /// Method and parameters.
    pub(crate) fn call(&self) -> (&'static str, Vec<&str>) {
        match self {
            Self::NodeInfo => ("admin_nodeInfo", vec![]),
            Self::Peers => ("admin_peers", vec![]),
            Self::SetLogLevel { level } => ("admin_setLogLevel", vec![level]),
            Self::SequencerActive => ("admin_sequencerActive", vec![]),
            Self::StopSequencer => ("admin_stopSequencer", vec![]),
            Self::StartSequencer { head } => ("admin_startSequencer", vec![head]),
            Self::StopBatcher => ("admin_stopBatcher", vec![]),
            Self::StartBatcher => ("admin_startBatcher", vec![]),
            Self::FlushBatcher => ("admin_flushBatcher", vec![]),
        }
    }
}
