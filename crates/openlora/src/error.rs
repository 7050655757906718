use std::{io, net::SocketAddr, path::PathBuf};

use openledger_backbone::BackboneError;

/// Why the server does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The backbone cannot be used.
    #[error("cannot load the model {path}: {source}", path = path.display())]
    Model {
        /// The GGUF file.
        path: PathBuf,
        /// What is wrong with it.
        source: BackboneError,
    },
    /// The engine's thread could not be started.
    #[error("cannot start the inference thread: {0}")]
    Thread(io::Error),
    /// The engine's thread ended while loading.
    #[error("the inference engine stopped while it was loading the model")]
    EngineStopped,
    /// The port is taken or may not be used.
    #[error("cannot listen on {address}: {source}; choose another with --host and --port")]
    Listen {
        /// Where it wanted to listen.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The HTTP server failed.
    #[error("the HTTP server failed: {0}")]
    Http(io::Error),
    /// The operator's key cannot be read.
    #[error("cannot use the operator's key in {path}: {reason}", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong; never the content.
        reason: String,
    },
    /// Receipts cannot be kept, so nothing may be charged.
    #[error("cannot use the data directory, {path}: {reason}", path = path.display())]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Flags that do not go together.
    #[error("{0}")]
    Arguments(&'static str),
    /// The HTTP client for the L2 node could not be made.
    #[error("cannot make an HTTP client: {0}")]
    Client(reqwest::Error),
}
