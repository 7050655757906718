//! Keys that sign with the C library. The suite signs millions of transactions before it measures them, and in pure Rust each took three
//! times as long.

use alloy_primitives::{Address, B256, Signature};
use secp256k1::{Message, SECP256K1, SecretKey};

/// A private key, and its account.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    secret: SecretKey,
    address: Address,
}

impl Key {
    /// The key with these bytes, if they are a number that can be one.
    pub(crate) fn new(bytes: &B256) -> Option<Self> {
        let secret = SecretKey::from_slice(bytes.as_slice()).ok()?;
        // The first byte says that it is not compressed.
        let [_, public @ ..] = secret.public_key(SECP256K1).serialize_uncompressed();
        Some(Self { secret, address: Address::from_raw_public_key(&public) })
    }

    /// The account's address.
    pub(crate) const fn address(&self) -> Address {
        self.address
    }

    /// Signs a hash: the nonce by RFC 6979, and the lower `s` of the two.
    pub(crate) fn sign(&self, hash: &B256) -> Signature {
        let signature = SECP256K1.sign_ecdsa_recoverable(&Message::from_digest(hash.0), &self.secret);
        let (recovery, bytes) = signature.serialize_compact();
        Signature::from_bytes_and_parity(&bytes, i32::from(recovery) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::keccak256;
    use alloy_signer::SignerSync as _;
    use alloy_signer_local::PrivateKeySigner;

    #[test]
    fn signs_as_another_implementation_does() {
        for number in 0..50u32 {
            let (secret, hash) = (keccak256(number.to_be_bytes()), keccak256(number.to_le_bytes()));
            let key = Key::new(&secret).unwrap();
            let other = PrivateKeySigner::from_bytes(&secret).unwrap();
            assert_eq!(key.address(), other.address());
            assert_eq!(key.sign(&hash), other.sign_hash_sync(&hash).unwrap());
        }
    }

    #[test]
    fn not_every_number_is_a_key() {
        assert!(Key::new(&B256::ZERO).is_none() && Key::new(&B256::repeat_byte(0xff)).is_none());
    }
}
