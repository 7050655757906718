use crate::supervisor::ProcessError;
use alloy::primitives::B256;
use std::{io, path::PathBuf};

/// Why the devnet or its demo stopped. Each says what happened and what to do; none of them leaves a process behind.
#[derive(Debug, thiserror::Error)]
pub enum DevnetError {
    /// Another program listens there.
    #[error("port {port} (the {name}) is taken: stop what listens there, or choose another with {flag} PORT")]
    PortTaken {
        /// Whose port it is.
        name: &'static str,
        /// The port.
        port: u16,
        /// The flag that sets it.
        flag: &'static str,
    },
    /// Two of our own would share a port.
    #[error("{first} and {second} are both {port}: give each its own port")]
    SamePort {
        /// One flag.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// The port they share.
        port: u16,
    },
    /// Another devnet runs in the same folder.
    #[error("a devnet is already running in {}: use it, stop it (Ctrl-C where it runs), or choose another --dir", .0.display())]
    AlreadyRunning(PathBuf),
    /// `openledger demo` needs a devnet.
    #[error("no devnet is running in {}: start one with `make devnet`", .0.display())]
    NotRunning(PathBuf),
    /// Something that `make setup` or `make build` makes is not there.
    #[error("{what} is missing at {}: run `{remedy}`", path.display())]
    Missing {
        /// What it is.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// The command that makes it.
        remedy: &'static str,
    },
    /// The devnet's folder and its L1 don't belong together, for instance because one of them was removed by hand.
    #[error("the L1 has no contract at {address}, which {} names: run `make clean-devnet` and start again", file.display())]
    ForeignL1 {
        /// The contract that was looked for.
        address: alloy::primitives::Address,
        /// The file that names it.
        file: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is there but does not say what it should.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where there is one.
        reason: String,
    },
    /// A process could not be started or kept running.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Something did not happen in time.
    #[error("waited {seconds} s for {what}; {hint}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long, in seconds.
        seconds: u64,
        /// Where to look.
        hint: String,
    },
    /// A node's RPC answered with an error, or not at all.
    #[error("{node}: {reason}")]
    Rpc {
        /// Which node.
        node: &'static str,
        /// What it said.
        reason: String,
    },
    /// A transaction was included and failed.
    #[error("{what} failed: transaction {hash} was reverted")]
    Reverted {
        /// What the transaction was to do.
        what: &'static str,
        /// Its hash.
        hash: B256,
    },
    /// The inference server refused or broke off.
    #[error("the inference server: {0}")]
    Inference(String),
    /// Ctrl-C before the demo was done, where its result was wanted.
    #[error("stopped before the demo was done")]
    Interrupted,
    /// One of the demo's checks did not hold: this is what `--exit` is for.
    #[error("check failed: {0}")]
    Check(String),
}

impl DevnetError {
    /// Names the file of an I/O error.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
