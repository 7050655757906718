use std::{
    fs::{self, File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{DatumEntry, FOLDER, GRADIENTS, HEADER, Header, Identity, Index, LOCK, PARTIAL, PLAN, RECORDS, REPLACED};
use super::{Record, TABLE, commitment_root, header::Plan, sha256, write_atomically};
use crate::{Error, GradientLayout, Result, bf16, datainf::squared_norms};

/// Writes an index, datum by datum. Killed at any moment, it goes on after the last whole datum; the finished index
/// appears under its name all at once.
#[derive(Debug)]
pub struct IndexBuilder {
    parent: PathBuf,
    folder: PathBuf,
    layout: GradientLayout,
    plan: Plan,
    gradients: File,
    records: File,
    next: usize,
    row: Vec<u8>,
    _lock: File,
}

impl IndexBuilder {
    /// Begins the index of the adapter in folder `parent`, or goes on with one that was interrupted and has the same
    /// identity, layout and table. `table` has the data in order of their ids, from 0.
    pub fn open(
        parent: impl Into<PathBuf>,
        identity: Identity,
        layout: GradientLayout,
        table: &[DatumEntry],
    ) -> Result<Self> {
        let parent = parent.into();
        let folder = parent.join(PARTIAL);
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let lock = File::create(folder.join(LOCK)).map_err(Error::io("create", folder.join(LOCK)))?;
        lock.try_lock().map_err(|_| Error::Busy { path: folder.clone() })?;

        let count = table.len();
        if u32::try_from(count).is_err() || table.iter().enumerate().any(|(i, datum)| datum.id as usize != i) {
            return Err(Error::corrupt(&folder, "the data's ids are not 0, 1, 2, …"));
        }
        let mut lines = Vec::new();
        for datum in table {
            serde_json::to_writer(&mut lines, datum).expect("a datum entry is plain data");
            lines.push(b'\n');
        }
        let plan =
            Plan { identity, data: count as u32, matrices: layout.matrices().to_vec(), table_sha256: sha256(&lines) };
        let bytes = serde_json::to_vec_pretty(&plan).expect("a plan is plain data");

        let resumes = fs::read(folder.join(PLAN)).is_ok_and(|found| found == bytes);
        if !resumes {
            for name in [PLAN, HEADER, GRADIENTS, RECORDS] {
                remove_file(&folder.join(name))?;
            }
            write_atomically(&folder, TABLE, &lines)?;
            write_atomically(&folder, PLAN, &bytes)?;
        }
        let gradients = open_file(&folder.join(GRADIENTS))?;
        let records = open_file(&folder.join(RECORDS))?;
        let row = Vec::with_capacity(layout.values() * 2);
        let mut builder = Self { parent, folder, layout, plan, gradients, records, next: 0, row, _lock: lock };
        builder.next = builder.whole_rows()?;
        builder.truncate()?;
        if builder.next > 0 {
            tracing::info!(done = builder.next, data = count, "indexing goes on where it stopped");
        }
        Ok(builder)
    }

    /// The id of the datum whose gradient is wanted next; the number of data when all are there.
    pub fn next(&self) -> usize {
        self.next
    }

    /// Number of data in the finished index.
    pub fn len(&self) -> usize {
        self.plan.data as usize
    }

    /// Whether the index is of no data at all.
    pub fn is_empty(&self) -> bool {
        self.plan.data == 0
    }

    /// Appends the gradient of datum [`next`](Self::next), flat in the order of the layout.
    pub fn push(&mut self, gradient: &[f32]) -> Result<()> {
        if gradient.len() != self.layout.values() {
            return Err(Error::Shape { expected: self.layout.values(), found: gradient.len() });
        }
        if self.next == self.len() {
            return Err(Error::Count { expected: self.len(), found: self.next + 1 });
        }
        self.row.clear();
        bf16::encode(gradient, &mut self.row)
            .map_err(|_| Error::NotFinite { what: format!("the gradient of datum {}", self.next) })?;
        let record = Record::encode(self.next as u32, &self.row, &squared_norms(&self.layout, &self.row));
        self.gradients.write_all(&self.row).map_err(Error::io("write", self.folder.join(GRADIENTS)))?;
        self.records.write_all(&record).map_err(Error::io("write", self.folder.join(RECORDS)))?;
        self.next += 1;
        Ok(())
    }

    /// Completes the index, puts it in place of an earlier one and opens it.
    pub fn finish(self) -> Result<Index> {
        if self.next != self.len() {
            return Err(Error::Count { expected: self.len(), found: self.next });
        }
        for (file, name) in [(&self.gradients, GRADIENTS), (&self.records, RECORDS)] {
            file.sync_all().map_err(Error::io("flush", self.folder.join(name)))?;
        }
        let records = fs::read(self.folder.join(RECORDS)).map_err(Error::io("read", self.folder.join(RECORDS)))?;
        let size = Record::size(self.layout.count());
        let header = Header {
            version: Header::VERSION,
            dtype: Header::DTYPE.into(),
            plan: self.plan.clone(),
            commitment: commitment_root(
                records.chunks_exact(size).map(|r| alloy_primitives::B256::from_slice(&r[..32])),
            ),
            records_sha256: sha256(&records),
        };
        let bytes = serde_json::to_vec_pretty(&header).expect("a header is plain data");
        write_atomically(&self.folder, HEADER, &bytes)?;

        let (target, replaced) = (self.parent.join(FOLDER), self.parent.join(REPLACED));
        remove_folder(&replaced)?;
        if target.exists() {
            fs::rename(&target, &replaced).map_err(Error::io("replace", &target))?;
        }
        fs::rename(&self.folder, &target).map_err(Error::io("rename", &self.folder))?;
        File::open(&self.parent).and_then(|folder| folder.sync_all()).map_err(Error::io("flush", &self.parent))?;
        remove_folder(&replaced)?;
        remove_file(&target.join(LOCK))?;
        remove_file(&target.join(PLAN))?;
        Index::open(&self.parent)
    }

    /// How many rows from the first on are on disk unharmed: after a kill the last may be cut off, after a power
    /// failure any may be missing, and the commitments tell.
    fn whole_rows(&self) -> Result<usize> {
        let (row_size, record_size) = (self.layout.values() * 2, Record::size(self.layout.count()));
        let rows = length(&self.gradients, &self.folder)? / row_size.max(1) as u64;
        let records = length(&self.records, &self.folder)? / record_size as u64;
        let present = rows.min(records).min(u64::from(self.plan.data)) as usize;
        let (mut row, mut record) = (vec![0; row_size], vec![0; record_size]);
        for i in 0..present {
            let read = self
                .gradients
                .read_exact_at(&mut row, (i * row_size) as u64)
                .and_then(|()| self.records.read_exact_at(&mut record, (i * record_size) as u64));
            read.map_err(Error::io("read", &self.folder))?;
            if Record::encode(i as u32, &row, &squared_norms(&self.layout, &row)) != record {
                tracing::warn!(datum = i, "this gradient was not wholly written and is computed again");
                return Ok(i);
            }
        }
        Ok(present)
    }

    fn truncate(&mut self) -> Result<()> {
        let (row_size, record_size) = (self.layout.values() * 2, Record::size(self.layout.count()));
        for (file, size) in [(&mut self.gradients, row_size), (&mut self.records, record_size)] {
            let end = (self.next * size) as u64;
            file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(Error::io("cut", &self.folder))?;
        }
        Ok(())
    }
}

fn open_file(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(Error::io("open", path))
}

fn length(file: &File, path: &Path) -> Result<u64> {
    Ok(file.metadata().map_err(Error::io("look at", path))?.len())
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("delete", path)(error)),
        _ => Ok(()),
    }
}

fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("delete", path)(error)),
        _ => Ok(()),
    }
}
