/// What can go wrong between a GGUF file and the next token.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// The operating system could not read the file.
    #[error("cannot read the model file: {0}")]
    Io(#[from] std::io::Error),
    /// The first four bytes are not `GGUF`.
    #[error("this is not a GGUF file (it begins with {0:02x?})")]
    NotGguf([u8; 4]),
    /// A version other than 3, little-endian.
    #[error(
        "GGUF version {0} is not supported (version 3, little-endian, is): convert the file with a newer llama.cpp"
    )]
    UnsupportedVersion(u32),
    /// Something is said to reach past the end of the file: it is cut short or made up.
    #[error(
        "the file is cut short or its header is wrong: {what} at byte {offset} needs {needed} bytes, {available} are left"
    )]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it begins, in bytes from the start of the file.
        offset: u64,
        /// The bytes it needs.
        needed: u64,
        /// The bytes left in the file.
        available: u64,
    },
    /// The header breaks a rule of the format.
    #[error("malformed GGUF header, {what}: {detail}")]
    Malformed {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A tensor in a format that is not dequantised here.
    #[error("tensor {name:?} has ggml type {ggml_type}; supported are F32 (0), F16 (1), Q4_0 (2), Q4_1 (3), Q8_0 (8)")]
    UnsupportedTensorType {
        /// The tensor's name.
        name: String,
        /// Its ggml type number.
        ggml_type: u32,
    },
    /// The model needs a tensor that the file lacks.
    #[error("the file has no tensor {0:?}")]
    MissingTensor(String),
    /// A tensor's shape does not follow from the model's metadata.
    #[error("tensor {name:?} has shape {actual:?}, the metadata call for {expected:?}")]
    TensorShape {
        /// The tensor's name.
        name: String,
        /// Rows before columns.
        expected: Vec<u64>,
        /// Rows before columns.
        actual: Vec<u64>,
    },
    /// The model needs a metadata entry that the file lacks, or that has another type.
    #[error("metadata entry {key:?} is missing or is not {expected}")]
    Metadata {
        /// Its key.
        key: String,
        /// The type or range it should have.
        expected: &'static str,
    },
    /// The file is sound but describes a model that this code does not run.
    #[error("unsupported model: {0}")]
    UnsupportedModel(String),
    /// The vocabulary cannot express the text, or is inconsistent.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The chat template could not be rendered with these messages.
    #[error("chat template: {0}")]
    Template(String),
    /// More tokens than the model's context holds.
    #[error("{tokens} tokens do not fit in the model's context of {context}")]
    ContextExceeded {
        /// Tokens asked for, the cached ones included.
        tokens: usize,
        /// The model's limit.
        context: usize,
    },
    /// A caller's tensor or token has the wrong shape or range.
    #[error("invalid input: {0}")]
    InvalidInput(String),
    /// The logits hold no finite value: the weights are broken.
    #[error("the model answered with logits that are not numbers")]
    NotFinite,
    /// libtorch refused an operation (out of memory, most often).
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}
