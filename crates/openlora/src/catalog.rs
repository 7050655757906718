use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use alloy_primitives::B256;
use openledger_influence::Index;
use openledger_lora::{CONFIG_FILE, WEIGHTS_FILE};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tracing::{info, warn};

const MAX_NAME: usize = 64;

/// The adapters in a folder, found anew whenever someone asks for one.
#[derive(Debug)]
pub(crate) struct Catalog {
    folder: Option<PathBuf>,
    backbone: B256,
    entries: Mutex<BTreeMap<String, Entry>>,
}

/// An adapter on disk.
#[derive(Debug, Clone)]
pub(crate) struct AdapterEntry {
    pub(crate) folder: PathBuf,
    /// SHA-256 of its weights file.
    pub(crate) hash: B256,
    /// When the file was written, in Unix seconds.
    pub(crate) created: u64,
    /// Its gradients, where they have been indexed.
    pub(crate) index: Option<Arc<Index>>,
}

/// What told the file apart when it was hashed.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Stamp(SystemTime, u64);

#[derive(Debug)]
struct Entry {
    adapter: AdapterEntry,
    weights: Stamp,
    /// Of the index's header when it was opened or failed to open.
    index: Option<Stamp>,
}

impl Catalog {
    pub(crate) fn new(folder: Option<PathBuf>, backbone: B256) -> Self {
        Self { folder, backbone, entries: Mutex::default() }
    }

    /// The adapter with this name as it is on disk now. Reads files: not for the async threads.
    pub(crate) fn get(&self, name: &str) -> Option<AdapterEntry> {
        let folder = self.folder.as_ref().filter(|_| is_name(name))?.join(name);
        let mut entries = self.entries.lock();
        let found = self.refresh(name, &folder, entries.remove(name))?;
        let adapter = found.adapter.clone();
        entries.insert(name.to_owned(), found);
        Some(adapter)
    }

    /// All adapters by name.
    pub(crate) fn list(&self) -> BTreeMap<String, AdapterEntry> {
        let Some(folder) = &self.folder else { return BTreeMap::new() };
        let names =
            fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok());
        names.filter_map(|name| self.get(&name).map(|entry| (name, entry))).collect()
    }

    fn refresh(&self, name: &str, folder: &Path, known: Option<Entry>) -> Option<Entry> {
        let path = folder.join(WEIGHTS_FILE);
        let weights = stamp(&path)?;
        stamp(&folder.join(CONFIG_FILE))?;
        let mut entry = match known {
            Some(entry) if entry.weights == weights => entry,
            _ => {
                let hash = hash(&path).inspect_err(|error| warn!(name, %error, "an adapter cannot be read")).ok()?;
                info!(name, %hash, "adapter found");
                let created = weights.0.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
                let adapter = AdapterEntry { folder: folder.into(), hash, created, index: None };
                Entry { adapter, weights, index: None }
            }
        };
        let index = stamp(&folder.join("gradients").join("index.json"));
        if index != entry.index {
            entry.index = index;
            entry.adapter.index = index.and_then(|_| self.open_index(name, &entry.adapter));
        }
        Some(entry)
    }

    fn open_index(&self, name: &str, adapter: &AdapterEntry) -> Option<Arc<Index>> {
        let index = Index::open(&adapter.folder).and_then(|index| {
            index.expect(self.backbone, adapter.hash, None)?;
            Ok(index)
        });
        match index {
            Ok(index) => {
                info!(name, data = index.len(), "gradient index opened");
                Some(Arc::new(index))
            }
            Err(error) => {
                warn!(name, %error, "the adapter's gradient index cannot be used: its answers have no attribution");
                None
            }
        }
    }
}

/// A folder name that can stand in a model name and cannot lead out of the adapters' folder.
fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(Stamp(metadata.modified().ok()?, metadata.len()))
}

fn hash(path: &Path) -> io::Result<B256> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(B256::from_slice(&hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_appear_change_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::new(Some(folder.path().into()), B256::ZERO);
        assert!(catalog.list().is_empty());
        let law = folder.path().join("law");
        fs::create_dir(&law).unwrap();
        fs::write(law.join(CONFIG_FILE), "{}").unwrap();
        assert!(catalog.get("law").is_none(), "weights are missing");
        fs::write(law.join(WEIGHTS_FILE), "one").unwrap();
        let first = catalog.get("law").unwrap();
        assert_eq!(first.hash, B256::from_slice(&Sha256::digest("one")));
        assert!(first.index.is_none());
        fs::write(law.join(WEIGHTS_FILE), "three").unwrap();
        assert_ne!(catalog.get("law").unwrap().hash, first.hash);
        fs::remove_dir_all(&law).unwrap();
        assert!(catalog.get("law").is_none());
    }

    #[test]
    fn names_cannot_leave_the_folder() {
        for bad in ["", ".", "..", "../law", "a/b", ".hidden", "a\0", "é", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert!(is_name("law-v1.2_b"));
    }
}
