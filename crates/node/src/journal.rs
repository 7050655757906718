//! The transactions that wait, on disk: what was acknowledged is not lost when the process is killed.
//!
//! A record (`openledger_txpool::journal`) is written before the transaction is acknowledged. Whoever comes while a write is going
//! on waits together with the others for the next one: many transactions share a write. A torn record at the end, left by a
//! crash in the middle of a write, was never acknowledged and is cut off. The file is rewritten with what still waits when it
//! has grown.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use alloy_primitives::Bytes;
use openledger_txpool::journal::{Record, decode, encode};
use parking_lot::{Condvar, Mutex, MutexGuard};

/// Rewriting is worth it above this size, if half of it or more is new.
const REWRITE_ABOVE: u64 = 16 * 1024 * 1024;

/// An open journal, for many threads.
#[derive(Debug)]
pub(crate) struct Journal {
    next: Mutex<Group>,
    written: Condvar,
    file: Mutex<JournalFile>,
}

/// Records that will be written together.
#[derive(Debug, Default)]
struct Group {
    records: Vec<u8>,
    outcome: Arc<OnceLock<Result<(), (io::ErrorKind, String)>>>,
    /// Whether somebody writes the group before this one.
    writing: bool,
}

#[derive(Debug)]
struct JournalFile {
    path: PathBuf,
    file: File,
    length: u64,
    /// Length after it was rewritten last.
    least: u64,
}

impl Journal {
    /// Opens or creates the journal and returns the transactions in it, in the order they came.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Bytes>)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let journal = decode(&content);
        let length = journal.valid_bytes as u64;
        if journal.valid_bytes < content.len() {
            tracing::warn!(
                bytes = content.len() - journal.valid_bytes,
                "the transaction journal ends in a torn record, which was never acknowledged: cut off"
            );
            file.set_len(length)?;
        }
        file.seek(SeekFrom::Start(length))?;
        let file = Mutex::new(JournalFile { path: path.to_owned(), file, length, least: 0 });
        Ok((Self { next: Mutex::default(), written: Condvar::new(), file }, journal.transactions))
    }

    /// Appends transactions. They survive the end of this process when this returns, and the loss of power from the next
    /// [`Journal::sync`] on.
    pub(crate) fn append<'a>(&self, transactions: impl IntoIterator<Item = &'a Record>) -> io::Result<()> {
        let mut group = self.next.lock();
        transactions.into_iter().for_each(|transaction| encode(transaction, &mut group.records));
        let outcome = group.outcome.clone();
        loop {
            if let Some(outcome) = outcome.get() {
                return outcome.clone().map_err(|(kind, reason)| io::Error::new(kind, reason));
            }
            if group.writing {
                self.written.wait(&mut group);
                continue;
            }
            // Nobody writes: this thread does, for all that came so far. The next group gathers meanwhile.
            let Group { records, outcome, .. } =
                std::mem::replace(&mut *group, Group { writing: true, ..Group::default() });
            let result = MutexGuard::unlocked(&mut group, || self.file.lock().append(&records));
            // Only who took the group sets its outcome.
            let _ = outcome.set(result.map_err(|error| (error.kind(), error.to_string())));
            group.writing = false;
            self.written.notify_all();
        }
    }

    /// Waits until everything appended is on the disk itself.
    pub(crate) fn sync(&self) -> io::Result<()> {
        // On a handle of its own: appending goes on meanwhile.
        let file = self.file.lock().file.try_clone()?;
        file.sync_data()
    }

    /// Whether the file is large enough to be rewritten.
    pub(crate) fn is_large(&self) -> bool {
        let file = self.file.lock();
        file.length > REWRITE_ABOVE && file.length / 2 > file.least
    }

    /// Replaces the content, atomically, with the transactions that `waiting` gives. It is asked when nothing can be appended
    /// any more, so that whatever was appended before is among them if it still waits.
    pub(crate) fn rewrite<T: Iterator<Item = Record>>(&self, waiting: impl FnOnce() -> T) -> io::Result<()> {
        self.file.lock().rewrite(waiting)
    }
}

impl JournalFile {
    fn append(&mut self, records: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(records) {
            // A half-written record would hide everything after it.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error);
        }
        self.length += records.len() as u64;
        Ok(())
    }

    fn rewrite<T: Iterator<Item = Record>>(&mut self, waiting: impl FnOnce() -> T) -> io::Result<()> {
        let temporary = self.path.with_extension("new");
        let mut writer = BufWriter::new(File::create(&temporary)?);
        let mut length = 0;
        let mut record = Vec::new();
        for transaction in waiting() {
            record.clear();
            encode(&transaction, &mut record);
            writer.write_all(&record)?;
            length += record.len() as u64;
        }
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.path)?;
        self.file = file;
        self.length = length;
        self.least = length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(raw: &[u8]) -> Record {
        Bytes::copy_from_slice(raw).into()
    }

    #[test]
    fn what_was_appended_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (journal, old) = Journal::open(&path).unwrap();
        assert!(old.is_empty());
        journal.append(&[record(b"one")]).unwrap();
        journal.append(&[record(b"two")]).unwrap();
        drop(journal);
        let (journal, old) = Journal::open(&path).unwrap();
        assert_eq!(old, [Bytes::from_static(b"one"), Bytes::from_static(b"two")]);
        journal.rewrite(|| [record(b"two")].into_iter()).unwrap();
        journal.append(&[record(b"three")]).unwrap();
        drop(journal);
        let (_, old) = Journal::open(&path).unwrap();
        assert_eq!(old, [Bytes::from_static(b"two"), Bytes::from_static(b"three")]);
    }

    #[test]
    fn appending_goes_on_after_a_torn_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (journal, _) = Journal::open(&path).unwrap();
        journal.append(&[record(b"kept")]).unwrap();
        journal.append(&[record(b"torn")]).unwrap();
        drop(journal);
        let length = std::fs::metadata(&path).unwrap().len();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
        let (journal, old) = Journal::open(&path).unwrap();
        assert_eq!(old, [Bytes::from_static(b"kept")]);
        journal.append(&[record(b"next")]).unwrap();
        drop(journal);
        let (_, old) = Journal::open(&path).unwrap();
        assert_eq!(old, [Bytes::from_static(b"kept"), Bytes::from_static(b"next")]);
    }

    #[test]
    fn many_threads_share_writes_and_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (journal, _) = Journal::open(&path).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let journal = &journal;
                scope.spawn(move || (0..50).for_each(|number| journal.append(&[record(&[thread, number])]).unwrap()));
            }
        });
        drop(journal);
        let (_, mut found) = Journal::open(&path).unwrap();
        // Of each thread in its order.
        found.sort_by_key(|record| record[0]);
        let expected: Vec<_> =
            (0..8).flat_map(|thread| (0..50).map(move |number| Bytes::from(vec![thread, number]))).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn whoever_shared_a_failed_write_hears_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (journal, _) = Journal::open(&path).unwrap();
        // A file that cannot be written: opened for reading.
        journal.file.lock().file = File::open(&path).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| journal.append(&[record(b"lost")]).unwrap_err());
            }
        });
    }
}
