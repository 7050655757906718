use std::io::Read;

use crate::BackboneError;

/// Reads little-endian values and knows how much of the file is left.
pub(super) struct Reader<R> {
    inner: R,
    position: u64,
    len: u64,
}

impl<R: Read> Reader<R> {
    pub(super) const fn new(inner: R, len: u64) -> Self {
        Self { inner, position: 0, len }
    }

    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    pub(super) const fn remaining(&self) -> u64 {
        self.len - self.position
    }

    /// Refuses what the file cannot hold: `count` things of at least `size` bytes each.
    pub(super) fn expect(&self, what: &'static str, count: u64, size: u64) -> Result<(), BackboneError> {
        let needed = count.saturating_mul(size);
        if needed > self.remaining() {
            return Err(BackboneError::Truncated { what, offset: self.position, needed, available: self.remaining() });
        }
        Ok(())
    }

    pub(super) fn bytes(&mut self, what: &'static str, count: u64) -> Result<Vec<u8>, BackboneError> {
        self.expect(what, count, 1)?;
        // The file has these bytes, so they fit in memory as far as the file does; the cast holds on 64-bit machines.
        let mut bytes = vec![0; usize::try_from(count).map_err(|_| too_large(what, count))?];
        self.inner.read_exact(&mut bytes)?;
        self.position += count;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], BackboneError> {
        self.expect(what, N as u64, 1)?;
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.position += N as u64;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, BackboneError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, BackboneError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    pub(super) fn string(&mut self, what: &'static str) -> Result<String, BackboneError> {
        let len = self.u64(what)?;
        let bytes = self.bytes(what, len)?;
        String::from_utf8(bytes).map_err(|error| BackboneError::Malformed { what, detail: error.to_string() })
    }
}

fn too_large(what: &'static str, count: u64) -> BackboneError {
    BackboneError::Malformed { what, detail: format!("{count} bytes are more than this machine can address") }
}
