use std::{
    collections::BTreeMap,
    io::{BufReader, Read, Seek, SeekFrom},
};

use super::{Array, GgmlType, Value, reader::Reader};
use crate::BackboneError;

/// Tensor names are at most this long (GGUF specification).
const MAX_NAME: usize = 64;
const MAX_DIMENSIONS: u32 = 4;
const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_ALIGNMENT: u64 = 1 << 16;

/// Where a tensor lies and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Sizes, slowest dimension first (the file has them the other way round): a weight is `[out, in]`.
    pub shape: Vec<u64>,
    /// The format of its elements.
    pub ggml_type: GgmlType,
    /// Bytes from the start of the file.
    pub offset: u64,
    /// Bytes it takes.
    pub size: u64,
}

/// A parsed GGUF file: metadata and tensor positions in memory, tensor data read on demand.
#[derive(Debug)]
pub struct Gguf<R> {
    source: R,
    /// Metadata by key.
    pub metadata: BTreeMap<String, Value>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, TensorInfo>,
}

impl<R: Read + Seek> Gguf<R> {
    /// Reads and checks the header. Nothing of the tensors' data is read yet.
    pub fn parse(mut source: R) -> Result<Self, BackboneError> {
        let len = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        let mut reader = Reader::new(BufReader::with_capacity(1 << 16, &mut source), len);
        let magic = reader.array("magic number")?;
        if &magic != b"GGUF" {
            return Err(BackboneError::NotGguf(magic));
        }
        let version = reader.u32("version")?;
        if version != 3 {
            return Err(BackboneError::UnsupportedVersion(version));
        }
        let tensor_count = reader.u64("tensor count")?;
        let metadata_count = reader.u64("metadata count")?;
        // The smallest entry has an empty key and one byte; the smallest tensor an empty name and one dimension.
        reader.expect("metadata", metadata_count, 8 + 4 + 1)?;
        reader.expect("tensor table", tensor_count, 8 + 4 + 8 + 4 + 8)?;

        let mut metadata = BTreeMap::new();
        for _ in 0..metadata_count {
            let key = reader.string("metadata key")?;
            let value = Value::read(&mut reader)?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(malformed("metadata", format!("{key:?} occurs twice")));
            }
        }
        let alignment = alignment(&metadata)?;
        let mut tensors = BTreeMap::new();
        for _ in 0..tensor_count {
            let (name, info) = tensor_info(&mut reader, alignment)?;
            if tensors.insert(name.clone(), info).is_some() {
                return Err(malformed("tensor table", format!("{name:?} occurs twice")));
            }
        }
        let data = reader.position().next_multiple_of(alignment);
        place(&mut tensors, data, len)?;
        Ok(Self { source, metadata, tensors })
    }

    /// All values of a tensor and its shape, slowest dimension first.
    pub fn read_f32(&mut self, name: &str) -> Result<(Vec<f32>, Vec<u64>), BackboneError> {
        let info = self.tensors.get(name).ok_or_else(|| BackboneError::MissingTensor(name.to_owned()))?;
        self.source.seek(SeekFrom::Start(info.offset))?;
        // `parse` saw that the file has these bytes.
        let mut bytes = Vec::with_capacity(info.size as usize);
        let read = Read::by_ref(&mut self.source).take(info.size).read_to_end(&mut bytes)? as u64;
        if read != info.size {
            return Err(BackboneError::Truncated {
                what: "tensor data",
                offset: info.offset,
                needed: info.size,
                available: read,
            });
        }
        Ok((info.ggml_type.dequantize(&bytes), info.shape.clone()))
    }
}

impl<R> Gguf<R> {
    /// A required string.
    pub fn string(&self, key: &str) -> Result<&str, BackboneError> {
        match self.metadata.get(key) {
            Some(Value::String(value)) => Ok(value),
            _ => Err(metadata_error(key, "a string")),
        }
    }

    /// A required whole number below 2^32, signed or not.
    pub fn u32(&self, key: &str) -> Result<u32, BackboneError> {
        let number = match self.metadata.get(key) {
            Some(&Value::Unsigned(value)) => u32::try_from(value).ok(),
            Some(&Value::Signed(value)) => u32::try_from(value).ok(),
            _ => None,
        };
        number.ok_or_else(|| metadata_error(key, "a whole number below 2^32"))
    }

    /// A required float.
    pub fn f64(&self, key: &str) -> Result<f64, BackboneError> {
        match self.metadata.get(key) {
            Some(&Value::Float(value)) => Ok(value),
            _ => Err(metadata_error(key, "a float")),
        }
    }

    /// An optional boolean.
    pub fn bool_or(&self, key: &str, default: bool) -> Result<bool, BackboneError> {
        match self.metadata.get(key) {
            None => Ok(default),
            Some(&Value::Bool(value)) => Ok(value),
            Some(_) => Err(metadata_error(key, "a boolean")),
        }
    }

    /// A required list of strings.
    pub fn strings(&self, key: &str) -> Result<&[String], BackboneError> {
        match self.metadata.get(key) {
            Some(Value::Array(Array::String(values))) => Ok(values),
            _ => Err(metadata_error(key, "a list of strings")),
        }
    }
}

fn alignment(metadata: &BTreeMap<String, Value>) -> Result<u64, BackboneError> {
    match metadata.get("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(&Value::Unsigned(value)) if value.is_power_of_two() && (8..=MAX_ALIGNMENT).contains(&value) => Ok(value),
        Some(other) => Err(malformed("general.alignment", format!("{other:?} is not a power of two from 8 to 65536"))),
    }
}

/// One row of the tensor table. `offset` still counts from the start of the data section.
fn tensor_info<Q: Read>(reader: &mut Reader<Q>, alignment: u64) -> Result<(String, TensorInfo), BackboneError> {
    let name = reader.string("tensor name")?;
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(malformed("tensor name", format!("it has {} bytes, 1 to {MAX_NAME} are allowed", name.len())));
    }
    let dimensions = reader.u32("tensor dimensions")?;
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(malformed("tensor table", format!("{name:?} has {dimensions} dimensions")));
    }
    let mut shape = (0..dimensions).map(|_| reader.u64("tensor dimension")).collect::<Result<Vec<_>, _>>()?;
    let ggml_type = reader.u32("tensor type")?;
    let ggml_type = GgmlType::from_u32(ggml_type)
        .ok_or_else(|| BackboneError::UnsupportedTensorType { name: name.clone(), ggml_type })?;
    let offset = reader.u64("tensor offset")?;
    if !offset.is_multiple_of(alignment) {
        return Err(malformed("tensor table", format!("{name:?} begins at {offset}, not a multiple of {alignment}")));
    }
    let (elements, bytes) = ggml_type.block();
    if !shape[0].is_multiple_of(elements) {
        return Err(malformed("tensor table", format!("{name:?}: rows of {} are not whole blocks", shape[0])));
    }
    let size = shape
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(size))
        .filter(|&count| count > 0)
        .and_then(|count| (count / elements).checked_mul(bytes))
        .ok_or_else(|| malformed("tensor table", format!("{name:?} has an impossible shape {shape:?}")))?;
    shape.reverse();
    Ok((name, TensorInfo { shape, ggml_type, offset, size }))
}

/// Makes offsets count from the start of the file and sees that tensors lie within it, apart from each other.
fn place(tensors: &mut BTreeMap<String, TensorInfo>, data: u64, len: u64) -> Result<(), BackboneError> {
    let mut by_offset: Vec<(&String, &mut TensorInfo)> = tensors.iter_mut().collect();
    by_offset.sort_by_key(|(_, info)| info.offset);
    let mut end = data;
    for (name, info) in by_offset {
        let offset = data.checked_add(info.offset);
        let stop = offset.and_then(|offset| offset.checked_add(info.size));
        let (Some(offset), Some(stop)) = (offset, stop) else {
            return Err(malformed("tensor table", format!("{name:?} lies beyond 2^64")));
        };
        if stop > len {
            let available = len.saturating_sub(offset);
            return Err(BackboneError::Truncated { what: "tensor data", offset, needed: info.size, available });
        }
        if offset < end {
            return Err(malformed("tensor table", format!("{name:?} overlaps the tensor before it")));
        }
        info.offset = offset;
        end = stop;
    }
    Ok(())
}

fn malformed(what: &'static str, detail: String) -> BackboneError {
    BackboneError::Malformed { what, detail }
}

fn metadata_error(key: &str, expected: &'static str) -> BackboneError {
    BackboneError::Metadata { key: key.to_owned(), expected }
}
