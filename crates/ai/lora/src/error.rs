use std::path::PathBuf;

/// What can be wrong with an adapter.
#[derive(Debug, thiserror::Error)]
pub enum LoraError {
    /// A file is missing or cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is larger than any adapter should be.
    #[error("{path} has {bytes} bytes, at most {limit} are read")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// `adapter_config.json` is not valid or asks for something that is not supported.
    #[error("adapter_config.json: {0}")]
    Config(String),
    /// The safetensors container is broken.
    #[error("adapter_model.safetensors: {0}")]
    Container(#[from] safetensors::SafeTensorError),
    /// A tensor does not belong in an adapter for this backbone.
    #[error("tensor {name:?}: {detail}")]
    Tensor {
        /// Its name in the file.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Every adapter in memory is in use, so there is no room for another: ask again when requests have ended.
    #[error("{needed} bytes are needed for the adapter, {budget} is the budget and {pinned} are in use")]
    OutOfBudget {
        /// Bytes the adapter takes.
        needed: usize,
        /// The budget.
        budget: usize,
        /// Bytes of adapters that requests hold.
        pinned: usize,
    },
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}
