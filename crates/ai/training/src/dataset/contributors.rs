use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use alloy_primitives::{Address, keccak256};

use crate::{Error, Result};

const MAX_FILE: u64 = 64 << 20;

/// Whom a contributor's name stands for.
#[derive(Clone, Debug)]
pub enum Contributors {
    /// From a file; a name that is not in it is an error.
    Listed(BTreeMap<String, Address>),
    /// [`development_address`] of the name. **Nobody has the key**: for development networks only.
    Development,
}

/// The address that stands for a name on a development network: the last 20 bytes of
/// `keccak256("OpenLedger development contributor:" ‖ name)`. No key to it is known.
pub fn development_address(name: &str) -> Address {
    Address::from_slice(&keccak256(format!("OpenLedger development contributor:{name}"))[12..])
}

impl Contributors {
    /// Reads a JSON object of names and addresses.
    pub fn open(path: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(Error::io("open", path))?;
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
        let wrong = |reason: String| Error::Contributors { path: path.into(), reason };
        if bytes.len() as u64 > MAX_FILE {
            return Err(wrong(format!("it is larger than {MAX_FILE} bytes")));
        }
        let listed: BTreeMap<String, Address> =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        match listed.iter().find(|(_, address)| address.is_zero()) {
            Some((name, _)) => Err(wrong(format!("{name:?} has the zero address, which cannot be paid"))),
            None => Ok(Self::Listed(listed)),
        }
    }

    /// The address of a name. A name that is an address itself (`0x` and 40 hexadecimal digits) stands for itself.
    pub fn address(&self, name: &str) -> Result<Address> {
        let unknown = || Error::UnknownContributor { name: name.into() };
        if let (true, Ok(address)) = (name.starts_with("0x"), name.parse::<Address>()) {
            return if address.is_zero() { Err(unknown()) } else { Ok(address) };
        }
        match self {
            Self::Listed(listed) => listed.get(name).copied().ok_or_else(unknown),
            Self::Development => Ok(development_address(name)),
        }
    }
}
