//! GGUF version 3: the container of llama.cpp. Header, typed metadata, then tensors at aligned offsets.
//!
//! The file is untrusted. No count or length in it leads to an allocation before it is known that the file has the
//! bytes for it, every tensor lies inside the file and none overlaps another.

mod dequantize;
mod header;
mod reader;
mod value;

pub use dequantize::GgmlType;
pub use header::{Gguf, TensorInfo};
pub use value::{Array, Value};
