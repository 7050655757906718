use std::path::PathBuf;

/// What can go wrong while gradients are computed, stored, read or scored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a file operation. Nothing was lost: an interrupted build goes on where it stopped.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb phrase.
        action: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The folder holds no finished index. Make one with `openlora index`.
    #[error("no gradient index in {}; make one with `openlora index`", path.display())]
    Missing {
        /// The folder that was looked in.
        path: PathBuf,
    },
    /// A file of the index is truncated, altered or not an index at all. Index again: it is derived data.
    #[error("the gradient index {} is damaged: {reason}; delete its folder and run `openlora index` again", path.display())]
    Corrupt {
        /// The file concerned.
        path: PathBuf,
        /// The first check that failed.
        reason: String,
    },
    /// The index is sound but was made for another model, adapter or dataset.
    #[error(
        "the gradient index was made for another {what}: it says {found}, expected {expected}; run `openlora index` again"
    )]
    Mismatch {
        /// Which part of the identity differs.
        what: &'static str,
        /// The value wanted.
        expected: String,
        /// The value in the index.
        found: String,
    },
    /// Another process is building this index now.
    #[error("another process is indexing into {}; wait for it to end", path.display())]
    Busy {
        /// The folder that is locked.
        path: PathBuf,
    },
    /// A gradient has another number of values than the layout.
    #[error("a gradient of {found} values does not fit a layout of {expected}")]
    Shape {
        /// Values in the layout.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A NaN or an infinity: the model, the adapter or the datum is unusable, and no score may be made from it.
    #[error("{what} is not finite; the adapter or the datum is unusable")]
    NotFinite {
        /// What was being computed.
        what: String,
    },
    /// The completion has no token left that a loss could be taken on.
    #[error(
        "no completion token to take a loss on ({prompt} prompt tokens, {completion} completion tokens, limit {limit})"
    )]
    EmptyCompletion {
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens of the completion.
        completion: usize,
        /// Most tokens that one sequence may have.
        limit: usize,
    },
    /// More or fewer gradients than the index was begun for.
    #[error("the index is for {expected} data, {found} were given")]
    Count {
        /// Data in the table.
        expected: usize,
        /// Gradients pushed.
        found: usize,
    },
    /// The backbone's forward pass failed.
    #[error("forward pass: {0}")]
    Backbone(#[from] openledger_backbone::BackboneError),
    /// libtorch refused an operation (out of memory, for example).
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn corrupt(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.into(), reason: reason.into() }
    }
}
