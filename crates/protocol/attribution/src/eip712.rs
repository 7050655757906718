//! What payer and operator sign, and the hashes that tie a receipt to its content.

use crate::SignatureError;
use alloy_primitives::{Address, B256, Signature, U256, keccak256};
use alloy_sol_types::{Eip712Domain, SolStruct, SolValue, eip712_domain, sol};

sol! {
    /// The payer's consent: this operator may charge up to `maxFee` wei for one answer of this model at this price.
    #[derive(Debug, PartialEq, Eq)]
    struct PaymentAuthorization {
        address payer;
        address operator;
        bytes32 modelId;
        bytes32 scheduleId;
        uint256 maxFee;
        uint256 nonce;
        uint64 deadline;
    }

    /// The operator's statement of what was asked, answered and whose data mattered.
    #[derive(Debug, PartialEq, Eq)]
    struct Receipt {
        bytes32 requestId;
        bytes32 modelId;
        bytes32 scheduleId;
        bytes32 datasetRoot;
        address payer;
        uint256 nonce;
        uint32 tokensIn;
        uint32 tokensOut;
        bytes32 promptHash;
        bytes32 outputHash;
        bytes32 influencesHash;
        bytes32 scoresRoot;
    }
}

/// The signing domain of an `InferenceLedger`.
pub const fn domain(chain_id: u64, inference_ledger: Address) -> Eip712Domain {
    eip712_domain! {
        name: "OpenLedger",
        version: "1",
        chain_id: chain_id,
        verifying_contract: inference_ledger,
    }
}

/// The hash that is signed: `keccak256(0x1901 ‖ domain separator ‖ struct hash)`.
pub fn signing_hash<T: SolStruct>(message: &T, domain: &Eip712Domain) -> B256 {
    message.eip712_signing_hash(domain)
}

/// The account whose key signed `hash`: 65 bytes, low s, recovery id 27 or 28, as the contracts accept it. Accounts with
/// code sign by ERC-1271 and cannot be checked without asking the chain.
pub fn recover(hash: &B256, signature: &[u8]) -> Result<Address, SignatureError> {
    let bytes: &[u8; 65] = signature.try_into().map_err(|_| SignatureError::Length(signature.len()))?;
    if !matches!(bytes[64], 27 | 28) {
        return Err(SignatureError::Malleable);
    }
    let signature = Signature::from_raw_array(bytes).map_err(|_| SignatureError::Malleable)?;
    if signature.normalize_s().is_some() {
        return Err(SignatureError::Malleable);
    }
    signature.recover_address_from_prehash(hash).map_err(|_| SignatureError::Unrecoverable)
}

/// `keccak256(abi.encode(payer, nonce))`: unique on a chain, since a nonce is used once.
pub fn request_id(payer: Address, nonce: U256) -> B256 {
    keccak256((payer, nonce).abi_encode())
}

/// `keccak256(abi.encode(backbone, adapter))` over the SHA-256 hashes of the files.
pub fn model_id(backbone: B256, adapter: B256) -> B256 {
    keccak256((backbone, adapter).abi_encode())
}

/// `keccak256(abi.encode(contributors, influences))` over the two arrays that are settled.
pub fn influences_hash(contributors: &[Address], influences: &[i64]) -> B256 {
    keccak256((contributors, influences).abi_encode_params())
}

/// Keccak-256 of UTF-8 text: of the rendered prompt, and of the completion.
pub fn text_hash(text: &str) -> B256 {
    keccak256(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec::Vec};
    use alloy_primitives::{address, b256, hex};

    fn word(value: u64) -> [u8; 32] {
        U256::from(value).to_be_bytes()
    }

    #[test]
    fn type_strings_are_those_of_the_specification() {
        assert_eq!(
            PaymentAuthorization::eip712_root_type(),
            "PaymentAuthorization(address payer,address operator,bytes32 modelId,bytes32 scheduleId,uint256 maxFee,uint256 nonce,uint64 deadline)"
        );
        assert_eq!(
            Receipt::eip712_root_type(),
            "Receipt(bytes32 requestId,bytes32 modelId,bytes32 scheduleId,bytes32 datasetRoot,address payer,uint256 nonce,uint32 tokensIn,uint32 tokensOut,bytes32 promptHash,bytes32 outputHash,bytes32 influencesHash,bytes32 scoresRoot)"
        );
        assert_eq!(
            domain(1, Address::ZERO).encode_type(),
            String::from("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        );
    }

    #[test]
    fn signing_hash_follows_eip712() {
        let payer = Address::with_last_byte(7);
        let message = PaymentAuthorization {
            payer,
            operator: Address::ZERO,
            modelId: B256::ZERO,
            scheduleId: B256::ZERO,
            maxFee: U256::from(5),
            nonce: U256::from(6),
            deadline: 8,
        };
        let domain = domain(20300, Address::with_last_byte(9));
        let head = |text: &str| keccak256(text).0;
        let separator = keccak256(
            [
                head("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                head("OpenLedger"),
                head("1"),
                word(20300),
                word(9),
            ]
            .concat(),
        );
        let kind = keccak256(PaymentAuthorization::eip712_root_type().as_bytes()).0;
        let body = [kind, word(7), word(0), word(0), word(0), word(5), word(6), word(8)].concat();
        let expected = keccak256([&[0x19, 0x01], &separator[..], &keccak256(body)[..]].concat());
        assert_eq!(signing_hash(&message, &domain), expected);
    }

    // Key 0x4646…46 and the hash of EIP-155's example transaction; r and s from that document.
    const HASH: B256 = b256!("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    const SIGNATURE: [u8; 65] = hex!(
        "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
        "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
        "1b"
    );

    #[test]
    fn recovers_and_refuses_as_the_contracts_do() {
        let signer = address!("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f");
        assert_eq!(recover(&HASH, &SIGNATURE), Ok(signer));
        assert_eq!(recover(&HASH, &SIGNATURE[..64]), Err(SignatureError::Length(64)));
        let mut low_v = SIGNATURE;
        low_v[64] = 0;
        assert_eq!(recover(&HASH, &low_v), Err(SignatureError::Malleable));
        let order = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
        let mut high_s = SIGNATURE;
        let s = order - U256::from_be_slice(&SIGNATURE[32..64]);
        high_s[32..64].copy_from_slice(&s.to_be_bytes::<32>());
        high_s[64] = 28;
        assert_eq!(recover(&HASH, &high_s), Err(SignatureError::Malleable));
        let mut zero = SIGNATURE;
        zero[..32].fill(0);
        assert_eq!(recover(&HASH, &zero), Err(SignatureError::Unrecoverable));
    }

    #[test]
    fn hashes_are_over_the_abi_encoding() {
        let account = Address::with_last_byte(3);
        assert_eq!(request_id(account, U256::from(4)), keccak256([word(3), word(4)].concat()));
        let minus_one = [255u8; 32];
        let encoded: Vec<u8> = [word(0x40), word(0x80), word(1), word(3), word(1), minus_one].concat();
        assert_eq!(influences_hash(&[account], &[-1]), keccak256(encoded));
        assert_eq!(model_id(B256::ZERO, B256::with_last_byte(1)), keccak256([word(0), word(1)].concat()));
    }
}
