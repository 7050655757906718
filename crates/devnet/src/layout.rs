//! The folder of a devnet: who keeps what where, and the lock that makes sure that only one devnet does.

use crate::DevnetError;
use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

/// The folder of a devnet and what lies in it.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Makes the folder where it is missing.
    pub fn create(root: &Path) -> Result<Self, DevnetError> {
        fs::create_dir_all(root).map_err(DevnetError::file(root))?;
        let layout = Self::open(root)?;
        for folder in [layout.l1(), layout.chain(), layout.keys(), layout.logs(), layout.datanet(), layout.adapters()] {
            fs::create_dir_all(&folder).map_err(DevnetError::file(&folder))?;
        }
        Ok(layout)
    }

    /// The folder of a devnet that is there.
    pub fn open(root: &Path) -> Result<Self, DevnetError> {
        let root = root.canonicalize().map_err(|_| DevnetError::NotRunning(root.to_owned()))?;
        Ok(Self { root })
    }

    /// The folder itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What users and tools read: endpoints, contracts, accounts.
    pub fn devnet_json(&self) -> PathBuf {
        self.root.join("devnet.json")
    }

    /// anvil's state.
    pub fn l1(&self) -> PathBuf {
        self.root.join("l1")
    }

    /// Genesis, rollup configuration and addresses, as `openledger deploy` writes them.
    pub fn chain(&self) -> PathBuf {
        self.root.join("chain")
    }

    /// Development keys for the processes that sign.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The sequencer's database.
    pub fn sequencer(&self) -> PathBuf {
        self.root.join("sequencer")
    }

    /// The verifier's database.
    pub fn verifier(&self) -> PathBuf {
        self.root.join("verifier")
    }

    /// The inference server's receipts.
    pub fn openlora(&self) -> PathBuf {
        self.root.join("openlora")
    }

    /// The datanet's data with contributors' addresses.
    pub fn datanet(&self) -> PathBuf {
        self.root.join("datanet")
    }

    /// Adapters and their gradient indices, each in a folder of its own.
    pub fn adapters(&self) -> PathBuf {
        self.root.join("adapters")
    }

    /// One log for each process.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Takes the lock of this folder; it is held as long as the file is kept, and freed by the system when the process ends,
    /// however it ends.
    pub fn lock(&self) -> Result<File, DevnetError> {
        let path = self.root.join("devnet.lock");
        let file = File::create(&path).map_err(DevnetError::file(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(DevnetError::AlreadyRunning(self.root.clone())),
            Err(TryLockError::Error(error)) => Err(DevnetError::file(path)(error)),
        }
    }

    /// Whether a devnet runs here.
    pub fn is_running(&self) -> bool {
        matches!(self.lock(), Err(DevnetError::AlreadyRunning(_)))
    }
}

/// Writes a file that is either the old or the new one at every instant.
pub(crate) fn write_atomically(path: &Path, contents: &[u8]) -> Result<(), DevnetError> {
    let partial = path.with_extension("partial");
    fs::write(&partial, contents).map_err(DevnetError::file(&partial))?;
    fs::rename(&partial, path).map_err(DevnetError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_devnet_for_each_folder() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        let lock = layout.lock().unwrap();
        assert!(matches!(layout.lock(), Err(DevnetError::AlreadyRunning(_))));
        assert!(layout.is_running());
        drop(lock);
        assert!(!layout.is_running());
        layout.lock().unwrap();
    }

    #[test]
    fn a_missing_devnet_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let error = Layout::open(&dir.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("make devnet"), "{error}");
    }
}
