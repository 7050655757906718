use std::{io, path::PathBuf};

use alloy_primitives::B256;
use openledger_deploy::DeployError;

/// Why nothing was measured. A run whose transactions were not all included and successful has no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The URL of a node cannot be read.
    #[error("{url} is not the URL of a JSON-RPC over HTTP: {reason}")]
    Url {
        /// The text.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node did not answer, or not what was asked.
    #[error("{url}: {method}: {reason}")]
    Rpc {
        /// The node.
        url: String,
        /// What was asked.
        method: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// The node refused a transaction. Lower `--in-flight` if its pool is full.
    #[error("{url} refused transaction {hash}: {reason}")]
    Refused {
        /// The node.
        url: String,
        /// The transaction.
        hash: B256,
        /// What the node said.
        reason: String,
    },
    /// The node included too little of what it had accepted.
    #[error("{url}: {left} transactions of the {part} were in no block after {seconds} s")]
    Slow {
        /// The node.
        url: String,
        /// What was going on.
        part: &'static str,
        /// Transactions that wait.
        left: usize,
        /// How long was waited.
        seconds: u64,
    },
    /// A transaction is not where, or not what, it should be.
    #[error("{url}: transaction {hash} {what}")]
    Wrong {
        /// The node.
        url: String,
        /// The transaction.
        hash: B256,
        /// What is wrong with it.
        what: String,
    },
    /// An option asks for what cannot be done.
    #[error("{0}")]
    Options(String),
    /// The execution without a node failed.
    #[error("execution in process: {0}")]
    Execution(String),
    /// The contracts are not compiled, or the L2 could not be deployed.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// A program of the suite does not run.
    #[error("{name} ({}): {reason}", program.display())]
    Process {
        /// Our name for it.
        name: &'static str,
        /// The program.
        program: PathBuf,
        /// What happened, with the end of its log.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Ctrl-C, or SIGTERM.
    #[error("stopped before the measurement was done")]
    Interrupted,
}

impl BenchError {
    /// Names the file of an I/O error.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
