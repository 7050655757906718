use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use alloy_primitives::B256;

use super::{DatumEntry, FOLDER, GRADIENTS, HEADER, Header, Identity, RECORDS, Record, TABLE, commitment_root, sha256};
use crate::{Error, GradientLayout, GradientRows, QueryGradient, Result, Statistics, influences};

/// Largest header accepted: some 10⁵ matrices.
const MAX_HEADER: u64 = 16 << 20;
/// Longest line of the datum table accepted.
const MAX_LINE: usize = 64 << 10;

/// A finished gradient index, open for scoring. Gradients stay on disk and are read in chunks; the table, the norms and
/// the commitments are in memory. Cheap to share between threads behind an `Arc`: scoring takes `&self`.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    header: Header,
    layout: GradientLayout,
    statistics: Statistics,
    commitments: Vec<B256>,
    table: Vec<DatumEntry>,
    gradients: File,
}

impl Index {
    /// Opens the index in the adapter's folder (`parent/gradients`). Every length is checked against the header, and the
    /// table and the records against their hashes; the gradients themselves are checked by [`verify`](Self::verify).
    pub fn open(parent: impl AsRef<Path>) -> Result<Self> {
        let path = parent.as_ref().join(FOLDER);
        if !path.join(HEADER).is_file() {
            return Err(Error::Missing { path });
        }
        let header: Header = serde_json::from_slice(&read_bounded(&path.join(HEADER), MAX_HEADER)?)
            .map_err(|error| Error::corrupt(path.join(HEADER), error.to_string()))?;
        let wrong = |reason: String| Error::corrupt(path.join(HEADER), reason);
        if header.version != Header::VERSION || header.dtype != Header::DTYPE {
            return Err(wrong(format!("version {} with {} is unknown here", header.version, header.dtype)));
        }
        let layout = GradientLayout::new(header.plan.matrices.clone()).map_err(|error| wrong(error.to_string()))?;
        if layout.count() == 0 {
            return Err(wrong("it has no matrices".into()));
        }
        let n = header.plan.data as usize;

        // Lengths first, so that what is read next is no larger than a file that is really there.
        let record_size = Record::size(layout.count());
        let expected = |row: usize| (n as u64).checked_mul(row as u64).ok_or_else(|| wrong("sizes overflow".into()));
        let gradients = open_sized(&path.join(GRADIENTS), expected(layout.values() * 2)?)?;
        let mut records = Vec::new();
        open_sized(&path.join(RECORDS), expected(record_size)?)?
            .read_to_end(&mut records)
            .map_err(Error::io("read", path.join(RECORDS)))?;
        if records.len() != n * record_size || sha256(&records) != header.records_sha256 {
            return Err(Error::corrupt(path.join(RECORDS), "its SHA-256 is not the header's"));
        }
        let mut commitments = Vec::with_capacity(n);
        let mut norms = Vec::with_capacity(n * layout.count());
        for record in records.chunks_exact(record_size) {
            commitments.push(B256::from_slice(&record[..32]));
            norms.extend(record[32..].as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)));
        }
        if commitment_root(commitments.iter().copied()) != header.commitment {
            return Err(wrong("its commitment is not the root of the records".into()));
        }
        let statistics =
            Statistics::new(&layout, norms).map_err(|error| Error::corrupt(path.join(RECORDS), error.to_string()))?;
        let table = read_table(&path.join(TABLE), n, header.plan.table_sha256)?;
        Ok(Self { path, header, layout, statistics, commitments, table, gradients })
    }

    /// What the index says about itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Fails unless the index was made for this backbone and adapter (SHA-256 of their files) and, where given, for
    /// this dataset root. Call it before serving: influences of another model are meaningless.
    pub fn expect(&self, backbone: B256, adapter: B256, dataset_root: Option<B256>) -> Result<()> {
        let Identity { backbone: b, adapter: a, dataset_root: d, .. } = &self.header.plan.identity;
        for (what, expected, found) in
            [("backbone", backbone, *b), ("adapter", adapter, *a), ("dataset", dataset_root.unwrap_or(*d), *d)]
        {
            if expected != found {
                return Err(Error::Mismatch { what, expected: expected.to_string(), found: found.to_string() });
            }
        }
        Ok(())
    }

    /// Number of data.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no data.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The data in order of their ids; scores have the same order.
    pub fn data(&self) -> &[DatumEntry] {
        &self.table
    }

    /// The order of the values in a gradient.
    pub fn layout(&self) -> &GradientLayout {
        &self.layout
    }

    /// Norms and λ.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Commitment to each datum's gradient: SHA-256 of its id (4 bytes, big-endian) and its stored bytes.
    pub fn commitments(&self) -> &[B256] {
        &self.commitments
    }

    /// DataInf influence of each datum on the query, in order of datum ids; **negative means that the datum lowered the
    /// query's loss**. Equal inputs give equal bits, whatever the number of threads. Reads the gradients twice.
    pub fn score(&self, query: &QueryGradient) -> Result<Vec<f64>> {
        influences(&self.layout, self, &self.statistics, query.values())
    }

    /// Reads every gradient and checks it against its commitment and norms. Fails on the first that differs.
    pub fn verify(&self) -> Result<()> {
        let mut row = vec![0; self.layout.values() * 2];
        for (id, commitment) in self.commitments.iter().enumerate() {
            self.read(id, &mut row)?;
            let norms = crate::datainf::squared_norms(&self.layout, &row);
            let stored = &self.statistics.norms()[id * self.layout.count()..][..self.layout.count()];
            if Record::commitment(id as u32, &row) != *commitment || norms != stored {
                let reason = format!("the gradient of datum {id} is not the one committed to");
                return Err(Error::corrupt(self.path.join(GRADIENTS), reason));
            }
        }
        Ok(())
    }
}

impl GradientRows for Index {
    fn len(&self) -> usize {
        self.table.len()
    }

    // Positional reads rather than a memory map: a file that shrinks under a running server is then an error, not a
    // SIGBUS, and the page cache makes them as fast.
    fn read(&self, first: usize, out: &mut [u8]) -> Result<()> {
        let offset = first as u64 * self.layout.values() as u64 * 2;
        self.gradients.read_exact_at(out, offset).map_err(Error::io("read", self.path.join(GRADIENTS)))
    }
}

fn open_sized(path: &Path, expected: u64) -> Result<File> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let found = file.metadata().map_err(Error::io("look at", path))?.len();
    match found == expected {
        true => Ok(file),
        false => Err(Error::corrupt(path, format!("it has {found} bytes, the header asks for {expected}"))),
    }
}

fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    match bytes.len() as u64 <= limit {
        true => Ok(bytes),
        false => Err(Error::corrupt(path, format!("it is larger than {limit} bytes"))),
    }
}

fn read_table(path: &Path, n: usize, expected: B256) -> Result<Vec<DatumEntry>> {
    let mut reader = BufReader::new(File::open(path).map_err(Error::io("open", path))?);
    let mut hash = <sha2::Sha256 as sha2::Digest>::new();
    let mut table = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line);
        if length.map_err(Error::io("read", path))? == 0 {
            break;
        }
        let at = table.len() + 1;
        if line.len() > MAX_LINE || at > n {
            return Err(Error::corrupt(path, format!("line {at} is too long or too many")));
        }
        sha2::Digest::update(&mut hash, &line);
        let entry: DatumEntry =
            serde_json::from_slice(&line).map_err(|error| Error::corrupt(path, format!("line {at}: {error}")))?;
        if entry.id as usize != table.len() {
            return Err(Error::corrupt(path, format!("line {at} has the id {}", entry.id)));
        }
        table.push(entry);
    }
    if table.len() != n || B256::from_slice(&sha2::Digest::finalize(hash)) != expected {
        return Err(Error::corrupt(path, "its SHA-256 is not the header's"));
    }
    Ok(table)
}
