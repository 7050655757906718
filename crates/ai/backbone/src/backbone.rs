use std::{fs::File, io, io::Read, path::Path, sync::Arc};

use sha2::{Digest, Sha256};
use tch::Device;
use tracing::info;

use crate::{BackboneError, ChatTemplate, Llama, LlamaConfig, Tokenizer, gguf::Gguf};

/// Everything a GGUF file holds: weights, tokenizer and chat template, under the file's content hash.
#[derive(Debug)]
pub struct Backbone {
    /// The file's name without directories and without `.gguf`, in lower case, without a quantisation suffix.
    pub name: String,
    /// SHA-256 of the file's bytes.
    pub content_hash: [u8; 32],
    /// The forward pass.
    pub model: Llama,
    /// Text to tokens and back.
    pub tokenizer: Arc<Tokenizer>,
    /// Messages to text, where the file has a template.
    pub chat: Option<Arc<ChatTemplate>>,
}

impl Backbone {
    /// Reads a file and puts its weights on `device`.
    pub fn load(path: impl AsRef<Path>, device: Device) -> Result<Self, BackboneError> {
        let path = path.as_ref();
        let mut gguf = Gguf::parse(File::open(path)?)?;
        let tokenizer = Tokenizer::from_gguf(&gguf)?;
        let chat = ChatTemplate::from_gguf(&gguf, &tokenizer)?;
        let config = LlamaConfig::from_gguf(&gguf, tokenizer.len())?;
        let model = Llama::load(&mut gguf, config, device)?;
        let name = name_of(path);
        let content_hash = content_hash(File::open(path)?)?;
        info!(name, hash = hex::encode(content_hash), layers = model.config().layers, "backbone loaded");
        Ok(Self { name, content_hash, model, tokenizer: Arc::new(tokenizer), chat: chat.map(Arc::new) })
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().to_lowercase());
    match name.rsplit_once('.') {
        Some((base, suffix)) if ["q", "f", "iq", "bf"].iter().any(|kind| suffix.starts_with(kind)) => base.to_owned(),
        _ => name,
    }
}

fn content_hash(mut file: impl Read) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher)?;
    Ok(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_drops_the_quantisation() {
        assert_eq!(name_of(Path::new("models/SmolLM2-135M-Instruct.Q4_1.gguf")), "smollm2-135m-instruct");
        assert_eq!(name_of(Path::new("tiny.gguf")), "tiny");
        assert_eq!(name_of(Path::new("llama-3.2.gguf")), "llama-3.2");
    }
}
