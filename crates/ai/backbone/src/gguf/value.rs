use std::io::Read;

use super::reader::Reader;
use crate::BackboneError;

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An unsigned integer of 8 to 64 bits.
    Unsigned(u64),
    /// A signed integer of 8 to 64 bits.
    Signed(i64),
    /// A float of 32 or 64 bits.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// UTF-8 text.
    String(String),
    /// A list of values of one type.
    Array(Array),
}

/// A list of metadata values, stored by type so that a file cannot make memory grow far past its own size.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// Unsigned integers of 8 to 64 bits. At most eight times their size in the file.
    Unsigned(Vec<u64>),
    /// Signed integers of 8 to 64 bits.
    Signed(Vec<i64>),
    /// Floats of 32 or 64 bits.
    Float(Vec<f64>),
    /// Booleans.
    Bool(Vec<bool>),
    /// Strings.
    String(Vec<String>),
}

const U8: u32 = 0;
const I8: u32 = 1;
const U16: u32 = 2;
const I16: u32 = 3;
const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;
const U64: u32 = 10;
const I64: u32 = 11;
const F64: u32 = 12;

const WHAT: &str = "metadata value";

impl Value {
    pub(super) fn read<R: Read>(reader: &mut Reader<R>) -> Result<Self, BackboneError> {
        let kind = reader.u32("metadata type")?;
        Ok(match kind {
            U8 | U16 | U32 | U64 => Self::Unsigned(unsigned(reader, kind)?),
            I8 | I16 | I32 | I64 => Self::Signed(signed(reader, kind)?),
            F32 | F64 => Self::Float(float(reader, kind)?),
            BOOL => Self::Bool(boolean(reader)?),
            STRING => Self::String(reader.string(WHAT)?),
            ARRAY => Self::Array(Array::read(reader)?),
            other => return Err(unknown(other)),
        })
    }
}

impl Array {
    fn read<R: Read>(reader: &mut Reader<R>) -> Result<Self, BackboneError> {
        let kind = reader.u32("metadata array type")?;
        let count = reader.u64("metadata array length")?;
        let smallest = match kind {
            U8 | I8 | BOOL => 1,
            U16 | I16 => 2,
            U32 | I32 | F32 => 4,
            // A string is at least its length field.
            U64 | I64 | F64 | STRING => 8,
            ARRAY => {
                let detail = "arrays of arrays are not supported".to_owned();
                return Err(BackboneError::Malformed { what: "metadata array", detail });
            }
            other => return Err(unknown(other)),
        };
        reader.expect("metadata array", count, smallest)?;
        Ok(match kind {
            U8 | U16 | U32 | U64 => Self::Unsigned(list(count, || unsigned(reader, kind))?),
            I8 | I16 | I32 | I64 => Self::Signed(list(count, || signed(reader, kind))?),
            F32 | F64 => Self::Float(list(count, || float(reader, kind))?),
            BOOL => Self::Bool(list(count, || boolean(reader))?),
            _ => Self::String(list(count, || reader.string(WHAT))?),
        })
    }
}

fn list<T>(count: u64, mut next: impl FnMut() -> Result<T, BackboneError>) -> Result<Vec<T>, BackboneError> {
    (0..count).map(|_| next()).collect()
}

fn unsigned<R: Read>(reader: &mut Reader<R>, kind: u32) -> Result<u64, BackboneError> {
    Ok(match kind {
        U8 => u64::from(u8::from_le_bytes(reader.array(WHAT)?)),
        U16 => u64::from(u16::from_le_bytes(reader.array(WHAT)?)),
        U32 => u64::from(u32::from_le_bytes(reader.array(WHAT)?)),
        _ => u64::from_le_bytes(reader.array(WHAT)?),
    })
}

fn signed<R: Read>(reader: &mut Reader<R>, kind: u32) -> Result<i64, BackboneError> {
    Ok(match kind {
        I8 => i64::from(i8::from_le_bytes(reader.array(WHAT)?)),
        I16 => i64::from(i16::from_le_bytes(reader.array(WHAT)?)),
        I32 => i64::from(i32::from_le_bytes(reader.array(WHAT)?)),
        _ => i64::from_le_bytes(reader.array(WHAT)?),
    })
}

fn float<R: Read>(reader: &mut Reader<R>, kind: u32) -> Result<f64, BackboneError> {
    Ok(if kind == F32 {
        f64::from(f32::from_le_bytes(reader.array(WHAT)?))
    } else {
        f64::from_le_bytes(reader.array(WHAT)?)
    })
}

fn boolean<R: Read>(reader: &mut Reader<R>) -> Result<bool, BackboneError> {
    match reader.array::<1>(WHAT)? {
        [0] => Ok(false),
        [1] => Ok(true),
        [other] => {
            Err(BackboneError::Malformed { what: "metadata boolean", detail: format!("{other} is neither 0 nor 1") })
        }
    }
}

fn unknown(kind: u32) -> BackboneError {
    BackboneError::Malformed { what: "metadata type", detail: format!("{kind} is not a GGUF value type") }
}
