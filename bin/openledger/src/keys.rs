//! Private keys come from a file or from the environment, never from the command line (other users see it in `ps`).

use std::path::Path;

use alloy_signer_local::PrivateKeySigner;
use anyhow::{Context as _, Result, bail};

/// Reads the key named by `file`, or else by the environment variable `variable`. The key itself is never part of an error.
pub(crate) fn read(file: Option<&Path>, variable: &str) -> Result<Option<PrivateKeySigner>> {
    let (text, source) = match (file, std::env::var(variable)) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the key file {} cannot be read", path.display()))?;
            (text, path.display().to_string())
        }
        (None, Ok(text)) => (text, variable.to_owned()),
        (None, Err(_)) => return Ok(None),
    };
    match text.trim().parse() {
        Ok(key) => Ok(Some(key)),
        Err(_) => bail!("{source} does not hold a private key: 64 hex digits are expected, with or without 0x"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_key_is_refused_without_showing_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0xdeadbeef-not-a-key").unwrap();
        let error = format!("{:#}", read(Some(file.path()), "UNUSED").unwrap_err());
        assert!(error.contains("does not hold a private key"));
        assert!(!error.contains("deadbeef"));
    }

    #[test]
    fn a_key_may_end_with_a_newline() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("0x{}\n", "11".repeat(32))).unwrap();
        assert!(read(Some(file.path()), "UNUSED").unwrap().is_some());
    }

    #[test]
    fn no_key_is_no_error() {
        assert!(read(None, "OPENLEDGER_TEST_UNSET_KEY").unwrap().is_none());
    }
}
