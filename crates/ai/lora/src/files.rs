use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{Read, Write},
    path::Path,
};

use openledger_backbone::{LlamaConfig, Projection};
use safetensors::{Dtype, SafeTensors, View};
use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor};

use crate::{AdapterConfig, LoraAdapter, LoraError, LoraWeights, Weights};

/// The configuration's file name.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// The weights' file name.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";

const MAX_CONFIG_BYTES: u64 = 1 << 20;
const MAX_WEIGHTS_BYTES: u64 = 4 << 30;
/// Entry of the safetensors header that repeats the scaling.
const STAMP: &str = "openledger_lora";

impl LoraAdapter {
    /// Reads a folder as PEFT writes it and checks it against the backbone.
    pub fn load(folder: impl AsRef<Path>, backbone: &LlamaConfig, device: Device) -> Result<Self, LoraError> {
        let folder = folder.as_ref();
        let config = AdapterConfig::from_json(&read(&folder.join(CONFIG_FILE), MAX_CONFIG_BYTES)?)?;
        Self::from_bytes(config, &read(&folder.join(WEIGHTS_FILE), MAX_WEIGHTS_BYTES)?, backbone, device)
    }

    /// From the bytes of `adapter_model.safetensors`.
    pub fn from_bytes(
        config: AdapterConfig,
        bytes: &[u8],
        backbone: &LlamaConfig,
        device: Device,
    ) -> Result<Self, LoraError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes)?;
        if let Some(stamp) = metadata.metadata().as_ref().and_then(|entries| entries.get(STAMP))
            && *stamp != config.stamp()
        {
            return Err(LoraError::Config(format!("it says {} but the weights say {stamp}", config.stamp())));
        }
        let mut halves = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(bytes)?.tensors() {
            let wrong = |detail: &str| LoraError::Tensor { name: name.clone(), detail: detail.into() };
            let key = parse(&name).ok_or_else(|| wrong("not a LoRA matrix of a linear layer of a block"))?;
            let kind = match view.dtype() {
                Dtype::F32 => Kind::Float,
                Dtype::F16 => Kind::Half,
                Dtype::BF16 => Kind::BFloat16,
                _ => return Err(wrong("its type is not F32, F16 or BF16")),
            };
            let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
            if shape.len() != 2 || shape.contains(&0) {
                return Err(wrong("it is not a matrix"));
            }
            let tensor = Tensor::f_from_data_size(view.data(), &shape, kind)?;
            halves.insert(key, tensor.f_to_kind(Kind::Float)?.f_to_device(device)?);
        }
        let mut weights = Weights::new();
        while let Some(((layer, projection, side), first)) = halves.pop_first() {
            let other = if side == 'A' { halves.remove(&(layer, projection, 'B')) } else { None };
            let Some(b) = other else {
                let name = name(layer, projection, side);
                return Err(LoraError::Tensor { name, detail: "its other half is missing".into() });
            };
            weights.insert((layer, projection), LoraWeights { a: first, b });
        }
        Self::from_file(config, hash(bytes), weights, backbone)
    }

    /// Writes the folder. Each file appears whole or not at all, the weights last.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<(), LoraError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|source| LoraError::Io { path: folder.into(), source })?;
        write(folder, CONFIG_FILE, self.config().to_json().as_bytes())?;
        write(folder, WEIGHTS_FILE, &encode(self.config(), self.weights())?)
    }
}

/// A matrix's name in the file; `side` is `A` or `B`.
pub(crate) fn name(layer: usize, projection: Projection, side: char) -> String {
    format!("base_model.model.model.layers.{layer}.{}.lora_{side}.weight", projection.path())
}

fn parse(text: &str) -> Option<(usize, Projection, char)> {
    let rest = text.strip_prefix("base_model.model.model.layers.")?;
    let layer: usize = rest.split_once('.')?.0.parse().ok()?;
    // Comparing with the one spelling refuses variants such as a layer number with leading zeros.
    Projection::ALL
        .into_iter()
        .flat_map(|projection| ['A', 'B'].map(|side| (layer, projection, side)))
        .find(|&(layer, projection, side)| name(layer, projection, side) == text)
}

/// The bytes of `adapter_model.safetensors`: the same for the same weights.
pub(crate) fn encode(config: &AdapterConfig, weights: &Weights) -> Result<Vec<u8>, LoraError> {
    let mut matrices = Vec::with_capacity(2 * weights.len());
    for (&(layer, projection), pair) in weights {
        matrices.push((name(layer, projection, 'A'), Matrix::new(&pair.a)?));
        matrices.push((name(layer, projection, 'B'), Matrix::new(&pair.b)?));
    }
    // One entry only: the header's order would otherwise be a hash map's.
    let header = HashMap::from([(STAMP.to_owned(), config.stamp())]);
    Ok(safetensors::serialize(matrices, Some(header))?)
}

pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

struct Matrix {
    shape: [usize; 2],
    bytes: Vec<u8>,
}

impl Matrix {
    fn new(tensor: &Tensor) -> Result<Self, LoraError> {
        let (rows, columns) = tensor.size2()?;
        let values = Vec::<f32>::try_from(tensor.f_to_kind(Kind::Float)?.f_reshape([-1])?)?;
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Ok(Self { shape: [rows as usize, columns as usize], bytes })
    }
}

impl View for Matrix {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, LoraError> {
    let io = |source| LoraError::Io { path: path.into(), source };
    let file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    if bytes > limit {
        return Err(LoraError::TooLarge { path: path.into(), bytes, limit });
    }
    let mut content = Vec::with_capacity(bytes as usize);
    file.take(limit).read_to_end(&mut content).map_err(io)?;
    Ok(content)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), LoraError> {
    let (path, temporary) = (folder.join(name), folder.join(format!("{name}.tmp")));
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| LoraError::Io { path: path.clone(), source })
}
