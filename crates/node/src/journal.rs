//! The transactions that wait, on disk: what was acknowledged is not lost when the process is killed.
//!
//! A record (`openledger_txpool::journal`) is written before the transaction is acknowledged. A torn record at the end, left by a
//! crash in the middle of a write, was never acknowledged and is cut off. The file is rewritten with what still waits when it
//! has grown.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use alloy_primitives::Bytes;
use openledger_txpool::journal::{decode, encode};

/// Rewriting is worth it above this size.
const REWRITE_ABOVE: u64 = 16 * 1024 * 1024;

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
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
        Ok((Self { path: path.to_owned(), file, length }, journal.transactions))
    }

    /// Appends one transaction. It survives the end of this process when this returns, and the loss of power from the next
    /// [`Journal::sync`] on.
    pub(crate) fn append(&mut self, transaction: &[u8]) -> io::Result<()> {
        let mut record = Vec::new();
        encode(transaction, &mut record);
        if let Err(error) = self.file.write_all(&record) {
            // A half-written record would hide everything after it.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error);
        }
        self.length += record.len() as u64;
        Ok(())
    }

    /// Waits until everything appended is on the disk itself.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Whether the file is large enough to be rewritten.
    pub(crate) const fn is_large(&self) -> bool {
        self.length > REWRITE_ABOVE
    }

    /// Replaces the content, atomically, with `transactions`.
    pub(crate) fn rewrite(&mut self, transactions: impl Iterator<Item = Bytes>) -> io::Result<()> {
        let temporary = self.path.with_extension("new");
        let mut writer = BufWriter::new(File::create(&temporary)?);
        let mut length = 0;
        let mut record = Vec::new();
        for transaction in transactions {
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
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, old) = Journal::open(&path).unwrap();
        assert!(old.is_empty());
        journal.append(b"one").unwrap();
        journal.append(b"two").unwrap();
        drop(journal);
        let (mut journal, old) = Journal::open(&path).unwrap();
        assert_eq!(old, [Bytes::from_static(b"one"), Bytes::from_static(b"two")]);
        journal.rewrite([Bytes::from_static(b"two")].into_iter()).unwrap();
        journal.append(b"three").unwrap();
        drop(journal);
        let (_, old) = Journal::open(&path).unwrap();
        assert_eq!(old, [Bytes::from_static(b"two"), Bytes::from_static(b"three")]);
    }

    #[test]
    fn appending_goes_on_after_a_torn_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(b"kept").unwrap();
        journal.append(b"torn").unwrap();
        drop(journal);
        let length = std::fs::metadata(&path).unwrap().len();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
        let (mut journal, old) = Journal::open(&path).unwrap();
        assert_eq!(old, [Bytes::from_static(b"kept")]);
        journal.append(b"next").unwrap();
        drop(journal);
        let (_, old) = Journal::open(&path).unwrap();
        assert_eq!(old, [Bytes::from_static(b"kept"), Bytes::from_static(b"next")]);
    }
}
