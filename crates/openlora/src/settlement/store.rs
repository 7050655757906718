use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::B256;
use parking_lot::Mutex;
use tracing::warn;

use super::record::{Record, Status};
use crate::ServeError;

const PENDING: &str = "pending";
const DONE: &str = "done";

/// Receipts on disk, one file each: `pending/` until they are settled (or never can be), then `done/xx/`.
///
/// A file appears whole or not at all, and a receipt is in `done/` before it leaves `pending/`: whenever the process
/// dies, every receipt that was given out is found again.
#[derive(Debug)]
pub(crate) struct ReceiptStore {
    folder: PathBuf,
    pending: Mutex<BTreeMap<B256, Arc<Record>>>,
    /// Held so that no other server uses the folder.
    _lock: File,
}

impl ReceiptStore {
    pub(crate) fn open(datadir: &Path) -> Result<Self, ServeError> {
        let folder = datadir.join("receipts");
        let failed = |path: &Path, reason: String| ServeError::Data { path: path.into(), reason };
        for part in [PENDING, DONE] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(|error| failed(&path, error.to_string()))?;
        }
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(|error| failed(&path, error.to_string()))?;
        lock.try_lock().map_err(|_| failed(&path, "another server uses it".into()))?;
        let mut pending = BTreeMap::new();
        let entries = fs::read_dir(folder.join(PENDING)).map_err(|error| failed(&folder, error.to_string()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                // Half-written by a process that died: the receipt in it was never given out.
                let _ = fs::remove_file(&path);
                continue;
            }
            let record: Record = fs::read(&path)
                .and_then(|bytes| Ok(serde_json::from_slice(&bytes)?))
                .map_err(|error| failed(&path, error.to_string()))?;
            if done_path(&folder, &record.request_id).exists() {
                fs::remove_file(&path).map_err(|error| failed(&path, error.to_string()))?;
            } else {
                pending.insert(record.request_id, Arc::new(record));
            }
        }
        Ok(Self { folder, pending: Mutex::new(pending), _lock: lock })
    }

    /// Keeps a receipt; when this returns, it survives a power failure.
    pub(crate) async fn put(self: &Arc<Self>, record: Record) -> io::Result<()> {
        let store = Arc::clone(self);
        run(move || {
            write(&pending_path(&store.folder, &record.request_id), &record)?;
            store.pending.lock().insert(record.request_id, Arc::new(record));
            Ok(())
        })
        .await
    }

    /// Keeps a receipt's new state; settled and failed ones leave the pending.
    pub(crate) async fn update(self: &Arc<Self>, record: Record) -> io::Result<()> {
        if matches!(record.settlement.status, Status::Pending | Status::Submitted) {
            return self.put(record).await;
        }
        let store = Arc::clone(self);
        run(move || {
            let id = record.request_id;
            write(&done_path(&store.folder, &id), &record)?;
            fs::remove_file(pending_path(&store.folder, &id))?;
            store.pending.lock().remove(&id);
            Ok(())
        })
        .await
    }

    /// Receipts that are not settled, oldest first.
    pub(crate) fn pending(&self) -> Vec<Arc<Record>> {
        let mut records: Vec<_> = self.pending.lock().values().cloned().collect();
        records.sort_by_key(|record| (record.created, record.request_id));
        records
    }

    pub(crate) fn pending_count(&self) -> usize {
        self.pending.lock().len()
    }

    /// A receipt by the id of its request.
    pub(crate) async fn get(self: &Arc<Self>, request: B256) -> Option<Arc<Record>> {
        if let Some(record) = self.pending.lock().get(&request) {
            return Some(Arc::clone(record));
        }
        let path = done_path(&self.folder, &request);
        let read = run(move || Ok(serde_json::from_slice::<Record>(&fs::read(path)?)?)).await;
        match read {
            Ok(record) => Some(Arc::new(record)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                warn!(%request, %error, "a receipt cannot be read");
                None
            }
        }
    }

    pub(crate) async fn contains(self: &Arc<Self>, request: &B256) -> bool {
        if self.pending.lock().contains_key(request) {
            return true;
        }
        let path = done_path(&self.folder, request);
        run(move || Ok(path.exists())).await.unwrap_or(true)
    }
}

fn pending_path(folder: &Path, request: &B256) -> PathBuf {
    folder.join(PENDING).join(format!("{request}.json"))
}

/// A folder for each of 256 beginnings, so that none grows too large.
fn done_path(folder: &Path, request: &B256) -> PathBuf {
    folder.join(DONE).join(format!("{:02x}", request[0])).join(format!("{request}.json"))
}

fn write(path: &Path, record: &Record) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        if let Some(above) = folder.parent() {
            File::open(above)?.sync_all()?;
        }
    }
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(record)?)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

/// Files are slow: not on the async threads.
async fn run<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
