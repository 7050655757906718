//! A signed authorisation as JSON: what the payment header of the HTTP API carries, base64-encoded.

use crate::{SignatureError, eip712};
use alloc::string::{String, ToString};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::Eip712Domain;
use core::{fmt::Display, str::FromStr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// An authorisation with its signature. Numbers are decimal strings in JSON, because JavaScript's numbers end at 2⁵³.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedAuthorization {
    /// Whose escrow is charged.
    pub payer: Address,
    /// Who may charge it.
    pub operator: Address,
    /// The model that is asked.
    pub model_id: B256,
    /// The price that was agreed to.
    pub schedule_id: B256,
    /// Ceiling of the fee, in wei.
    #[serde(with = "decimal")]
    pub max_fee: U256,
    /// Any number that the payer has not used before.
    #[serde(with = "decimal")]
    pub nonce: U256,
    /// Last second, since the Unix epoch, at which it can be settled.
    #[serde(with = "decimal")]
    pub deadline: u64,
    /// The payer's signature.
    pub signature: Bytes,
}

impl SignedAuthorization {
    /// The part that is signed.
    pub const fn message(&self) -> eip712::PaymentAuthorization {
        eip712::PaymentAuthorization {
            payer: self.payer,
            operator: self.operator,
            modelId: self.model_id,
            scheduleId: self.schedule_id,
            maxFee: self.max_fee,
            nonce: self.nonce,
            deadline: self.deadline,
        }
    }

    /// The hash that the payer signed.
    pub fn signing_hash(&self, domain: &Eip712Domain) -> B256 {
        eip712::signing_hash(&self.message(), domain)
    }

    /// The account whose key made the signature. It is the payer's unless the payer is a contract.
    pub fn recover(&self, domain: &Eip712Domain) -> Result<Address, SignatureError> {
        eip712::recover(&self.signing_hash(domain), &self.signature)
    }
}

mod decimal {
    use super::*;

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = if digits { text.parse().ok() } else { None };
        value.ok_or_else(|| D::Error::custom("expected a decimal number in range, as a string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"payer":"0x0000000000000000000000000000000000000001","operator":"0x0000000000000000000000000000000000000002","modelId":"0x0000000000000000000000000000000000000000000000000000000000000003","scheduleId":"0x0000000000000000000000000000000000000000000000000000000000000004","maxFee":"1140000000000000000","nonce":"115792089237316195423570985008687907853269984665640564039457584007913129639935","deadline":"1700000000","signature":"0x1234"}"#;

    #[test]
    fn json_is_that_of_the_specification() {
        let authorization: SignedAuthorization = serde_json::from_str(JSON).unwrap();
        assert_eq!(authorization.nonce, U256::MAX);
        assert_eq!(authorization.max_fee, U256::from(1_140_000_000_000_000_000u64));
        assert_eq!(serde_json::to_string(&authorization).unwrap(), JSON);
    }

    #[test]
    fn numbers_must_be_plain_decimal_strings_in_range() {
        for bad in [r#""0x10""#, r#""""#, r#""-1""#, r#""1_0""#, r#""18446744073709551616""#, "5"] {
            let json = JSON.replace(r#""1700000000""#, bad);
            assert!(serde_json::from_str::<SignedAuthorization>(&json).is_err(), "{bad}");
        }
    }
}
