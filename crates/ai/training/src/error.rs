use std::path::PathBuf;

use crate::RowError;

/// What can go wrong in training and indexing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a file operation. Run again: training goes on from the last checkpoint.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb phrase.
        action: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Rows of the dataset cannot be used. Mend them, or pass `--skip-bad-rows`.
    #[error("{} of the rows of {} cannot be used (--skip-bad-rows leaves them out):{}", rows.len(), path.display(), list(rows))]
    Rows {
        /// The dataset.
        path: PathBuf,
        /// All of them; the message shows the first ten.
        rows: Vec<RowError>,
    },
    /// Nothing to train on.
    #[error("{} holds no usable row: {hint}", path.display())]
    Empty {
        /// The dataset.
        path: PathBuf,
        /// What to change.
        hint: String,
    },
    /// The file that maps contributors to addresses is not a JSON object of names and addresses.
    #[error("{}: {reason}; expected {{\"name\": \"0x…\", …}}", path.display())]
    Contributors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A contributor without an address. Nobody is paid by guess.
    #[error("no address for the contributor {name:?}; add it to the file given with --contributors")]
    UnknownContributor {
        /// The name in the dataset.
        name: String,
    },
    /// A parameter outside its range.
    #[error("{name} = {value}: {rule}")]
    Parameter {
        /// The flag.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        rule: &'static str,
    },
    /// A file written by an earlier step is damaged or belongs to another run.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The backbone has no chat template, so questions and answers cannot be laid out.
    #[error("{} has no chat template; use an instruction-tuned model", model.display())]
    NoChatTemplate {
        /// The GGUF file.
        model: PathBuf,
    },
    /// The loss is not finite although steps were skipped. Lower `--learning-rate`.
    #[error(
        "training diverged at step {step}: {skipped} steps in a row had no finite loss or gradient; lower --learning-rate"
    )]
    Diverged {
        /// The step.
        step: usize,
        /// Steps left out before giving up.
        skipped: usize,
    },
    /// The backbone's file or forward pass.
    #[error(transparent)]
    Backbone(#[from] openledger_backbone::BackboneError),
    /// The adapter's files.
    #[error(transparent)]
    Lora(#[from] openledger_lora::LoraError),
    /// Gradients or their index.
    #[error(transparent)]
    Influence(#[from] openledger_influence::Error),
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

    pub(crate) fn damaged(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), reason: reason.into() }
    }
}

fn list(rows: &[RowError]) -> String {
    let mut text: String = rows.iter().take(10).map(|row| format!("\n  line {}: {}", row.line, row.reason)).collect();
    if rows.len() > 10 {
        text += &format!("\n  … and {} more", rows.len() - 10);
    }
    text
}
