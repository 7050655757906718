use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::DeployError;

/// The output folder of a deployment.
#[derive(Debug, Clone)]
pub(crate) struct OutputFolder(PathBuf);

impl OutputFolder {
    /// The folder at `path`, made when missing.
    pub(crate) fn open(path: &Path) -> Result<Self, DeployError> {
        std::fs::create_dir_all(path).map_err(|source| DeployError::Write { path: path.into(), source })?;
        Ok(Self(path.into()))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Reads a file, or `None` if it does not exist.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, DeployError> {
        let path = self.path(name);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(DeployError::Read { path, reason: error.to_string() }),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| DeployError::Read { path, reason: error.to_string() })
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: &str) -> Result<(), DeployError> {
        let path = self.path(name);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(DeployError::Write { path, source }),
            _ => Ok(()),
        }
    }

    /// Writes a file so that at any moment it is the old one or the new one, never a part.
    pub(crate) fn write(&self, name: &str, value: &impl Serialize) -> Result<(), DeployError> {
        let path = self.path(name);
        let partial = self.path(&format!(".{name}.partial"));
        let write = || {
            let mut file = File::create(&partial)?;
            serde_json::to_writer_pretty(&mut file, value)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&partial, &path)
        };
        write().map_err(|source| DeployError::Write { path: path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let out = OutputFolder::open(&folder.path().join("a/b")).unwrap();
        assert_eq!(out.read::<u8>("x.json").unwrap(), None);
        out.write("x.json", &7).unwrap();
        out.write("x.json", &8).unwrap();
        assert_eq!(out.read::<u8>("x.json").unwrap(), Some(8));
        assert_eq!(std::fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1);
        std::fs::write(out.path("x.json"), "not json").unwrap();
        assert!(matches!(out.read::<u8>("x.json"), Err(DeployError::Read { .. })));
    }
}
