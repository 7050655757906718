use std::path::{Path, PathBuf};

use alloy::primitives::{Bytes, hex};
use serde::Deserialize;

use crate::DeployError;

/// The output folder of `forge build`.
#[derive(Debug, Clone)]
pub struct Artifacts(PathBuf);

#[derive(Deserialize)]
struct Artifact {
    bytecode: Code,
}

#[derive(Deserialize)]
struct Code {
    object: String,
}

impl Artifacts {
    /// The artifacts in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The creation code of `contract`, which stands in the source file `file`, followed by its ABI-encoded constructor
    /// arguments.
    pub fn creation_code(&self, file: &str, contract: &str, arguments: &[u8]) -> Result<Bytes, DeployError> {
        let path = self.0.join(file).join(contract).with_extension("json");
        let mut code = read(&path).map_err(|reason| DeployError::Artifact { path, reason })?;
        code.extend_from_slice(arguments);
        Ok(code.into())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let artifact: Artifact = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let code = hex::decode(&artifact.bytecode.object).map_err(|error| format!("its bytecode is not hex: {error}"))?;
    if code.is_empty() { Err("it has no bytecode: an interface or an abstract contract".into()) } else { Ok(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_artifact_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = Artifacts::new(folder.path()).creation_code("A.sol", "A", &[]).unwrap_err().to_string();
        assert!(error.contains("A.sol/A.json") && error.contains("make contracts"), "{error}");
    }

    #[test]
    fn arguments_follow_the_code() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("A.sol")).unwrap();
        let write = |object: &str| {
            let text = format!(r#"{{"abi": [], "bytecode": {{"object": "{object}"}}}}"#);
            std::fs::write(folder.path().join("A.sol/A.json"), text).unwrap();
        };
        let artifacts = Artifacts::new(folder.path());
        write("0x6001");
        assert_eq!(artifacts.creation_code("A.sol", "A", &[7]).unwrap(), Bytes::from_static(&[0x60, 1, 7]));
        write("0x");
        assert!(artifacts.creation_code("A.sol", "A", &[]).is_err());
        write("0x60__$00$__");
        assert!(artifacts.creation_code("A.sol", "A", &[]).is_err());
    }
}
