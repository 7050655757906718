//! A batch as bytes: the input of `SETTLE`.
//!
//! Reading takes time and memory proportional to the input's length and nothing else: each count is compared with what
//! is left of the input before anything is allocated for it.

use crate::{Batch, Charge, Entry, FeeSchedule, Platform, SettleError, Usage, batch};
use alloc::vec::Vec;
use alloy_primitives::Address;

/// The only version.
pub const VERSION: u8 = 1;
/// Bytes of a receipt without its entries.
pub const RECEIPT_BYTES: usize = 65;
/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 10;

impl Batch {
    /// The packed form.
    pub fn encode(&self) -> Vec<u8> {
        let length =
            5 + 20 * self.accounts().len() + RECEIPT_BYTES * self.charges().len() + ENTRY_BYTES * self.entry_count();
        let mut out = Vec::with_capacity(length);
        out.push(VERSION);
        // The counts fit: a batch holds at most 65,535 of each.
        out.extend((self.accounts().len() as u16).to_be_bytes());
        out.extend((self.charges().len() as u16).to_be_bytes());
        out.extend(self.accounts().iter().flat_map(|account| account.into_array()));
        for charge in self.charges() {
            encode_charge(charge, &mut out);
        }
        out
    }

    /// Reads a packed batch to its end.
    pub fn decode(input: &[u8]) -> Result<Self, SettleError> {
        let mut reader = Reader(input);
        if u8::from_be_bytes(reader.array()?) != VERSION {
            return Err(SettleError::Version);
        }
        let account_count = reader.u16()?;
        let receipt_count = reader.u16()?;
        if receipt_count == 0 {
            return Err(SettleError::NoReceipts);
        }
        let table = reader.take(usize::from(account_count) * 20)?;
        let accounts: Vec<Address> = table.chunks_exact(20).map(Address::from_slice).collect();
        batch::check_accounts(&accounts)?;
        if reader.0.len() < usize::from(receipt_count) * RECEIPT_BYTES {
            return Err(SettleError::Truncated);
        }
        let mut charges = Vec::with_capacity(usize::from(receipt_count));
        for _ in 0..receipt_count {
            let charge = decode_charge(&mut reader)?;
            batch::check_charge(&charge, accounts.len())?;
            charges.push(charge);
        }
        if !reader.0.is_empty() {
            return Err(SettleError::TrailingBytes);
        }
        Ok(Self::from_checked(accounts, charges))
    }
}

fn encode_charge(charge: &Charge, out: &mut Vec<u8>) {
    let schedule = &charge.schedule;
    let (kind, value) = schedule.platform.to_parts();
    out.extend(charge.usage.tokens_in.to_be_bytes());
    out.extend(charge.usage.tokens_out.to_be_bytes());
    out.extend(schedule.rate_in.to_be_bytes());
    out.extend(schedule.rate_out.to_be_bytes());
    out.push(kind);
    out.extend(value.to_be_bytes());
    out.extend(schedule.model_bps.to_be_bytes());
    out.extend(schedule.stakers_bps.to_be_bytes());
    out.extend(schedule.contributors_bps.to_be_bytes());
    out.extend((charge.entries.len() as u16).to_be_bytes());
    for entry in &charge.entries {
        out.extend(entry.account.to_be_bytes());
        out.extend(entry.influence.to_be_bytes());
    }
}

fn decode_charge(reader: &mut Reader<'_>) -> Result<Charge, SettleError> {
    let usage = Usage { tokens_in: reader.u32()?, tokens_out: reader.u32()? };
    let (rate_in, rate_out) = (reader.u128()?, reader.u128()?);
    let (kind, value) = (u8::from_be_bytes(reader.array()?), reader.u128()?);
    let (model_bps, stakers_bps, contributors_bps) = (reader.u16()?, reader.u16()?, reader.u16()?);
    let entry_count = reader.u16()?;
    let entries = reader.take(usize::from(entry_count) * ENTRY_BYTES)?.chunks_exact(ENTRY_BYTES).map(|bytes| Entry {
        account: u16::from_be_bytes([bytes[0], bytes[1]]),
        influence: i64::from_be_bytes(bytes[2..].try_into().expect("8 bytes")),
    });
    let entries = entries.collect();
    let platform = Platform::from_parts(kind, value);
    let platform_or_flat = platform.unwrap_or(Platform::Flat(value));
    let schedule =
        FeeSchedule { rate_in, rate_out, platform: platform_or_flat, model_bps, stakers_bps, contributors_bps };
    // Shares come before the platform in the order of codes.
    schedule.validate()?;
    platform?;
    Ok(Charge { usage, schedule, entries })
}

/// What is left of the input.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], SettleError> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(SettleError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SettleError> {
        Ok(self.take(N)?.try_into().expect("N bytes"))
    }

    fn u16(&mut self) -> Result<u16, SettleError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, SettleError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn u128(&mut self) -> Result<u128, SettleError> {
        Ok(u128::from_be_bytes(self.array()?))
    }
}

#[cfg(test)]
pub(crate) mod strategies {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    /// Batches of all sizes that a test can bear, with rates from nothing to beyond the fee's bound.
    pub(crate) fn batches() -> impl Strategy<Value = Batch> {
        vec(any::<[u8; 20]>(), 0..12).prop_flat_map(|mut accounts| {
            accounts.retain(|account| account != &[0; 20]);
            accounts.sort_unstable();
            accounts.dedup();
            let count = accounts.len() as u16;
            vec(charges(count), 1..6).prop_map(move |charges| {
                Batch::new(accounts.iter().map(|account| Address::from(*account)).collect(), charges).unwrap()
            })
        })
    }

    fn charges(accounts: u16) -> impl Strategy<Value = Charge> {
        let influence = prop_oneof![any::<i64>(), -3i64..10, Just(i64::MAX), Just(i64::MIN)];
        let entry = (0..accounts.max(1), influence).prop_map(|(account, influence)| Entry { account, influence });
        let entries = vec(entry, 0..if accounts == 0 { 1 } else { 24 });
        let amount = || prop_oneof![any::<u128>(), any::<u64>().prop_map(u128::from), 0u128..50];
        let platform = prop_oneof![amount().prop_map(Platform::Flat), (0..=10_000u16).prop_map(Platform::Share)];
        (any::<u32>(), any::<u32>(), amount(), amount(), platform, 0..=10_000u16, 0..=10_000u16, entries).prop_map(
            |(tokens_in, tokens_out, rate_in, rate_out, platform, a, b, entries)| Charge {
                usage: Usage { tokens_in, tokens_out },
                schedule: FeeSchedule {
                    rate_in,
                    rate_out,
                    platform,
                    model_bps: a.min(b),
                    stakers_bps: a.abs_diff(b),
                    contributors_bps: 10_000 - a.max(b),
                },
                entries,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{strategies::batches, *};
    use alloc::vec;
    use proptest::prelude::*;

    fn sample() -> Batch {
        let schedule = FeeSchedule {
            rate_in: 5,
            rate_out: 7,
            platform: Platform::Share(9),
            model_bps: 9000,
            stakers_bps: 0,
            contributors_bps: 1000,
        };
        let entries = vec![Entry { account: 1, influence: -2 }];
        let usage = Usage { tokens_in: 3, tokens_out: 4 };
        Batch::new([1, 2].map(Address::with_last_byte).to_vec(), vec![Charge { usage, schedule, entries }]).unwrap()
    }

    /// The sample's bytes with the one at `position` replaced.
    fn patched(position: usize, byte: u8) -> Result<Batch, SettleError> {
        let mut bytes = sample().encode();
        bytes[position] = byte;
        Batch::decode(&bytes)
    }

    #[test]
    fn layout_is_that_of_the_specification() {
        let bytes = sample().encode();
        assert_eq!(bytes.len(), 5 + 40 + RECEIPT_BYTES + ENTRY_BYTES);
        assert_eq!(&bytes[..5], &[1, 0, 2, 0, 1]);
        assert_eq!((bytes[24], bytes[44]), (1, 2));
        assert_eq!(&bytes[45..53], &[0, 0, 0, 3, 0, 0, 0, 4]);
        assert_eq!((bytes[68], bytes[84], bytes[85], bytes[101]), (5, 7, 1, 9));
        assert_eq!(&bytes[102..110], &[0x23, 0x28, 0, 0, 0x03, 0xe8, 0, 1]);
        assert_eq!(&bytes[110..], &[0, 1, 255, 255, 255, 255, 255, 255, 255, 254]);
    }

    #[test]
    fn each_mistake_has_its_code() {
        let bytes = sample().encode();
        for end in 0..bytes.len() {
            assert_eq!(Batch::decode(&bytes[..end]), Err(SettleError::Truncated), "{end}");
        }
        assert_eq!(Batch::decode(&[bytes.as_slice(), &[0]].concat()), Err(SettleError::TrailingBytes));
        assert_eq!(patched(0, 2), Err(SettleError::Version));
        assert_eq!(patched(4, 0), Err(SettleError::NoReceipts));
        assert_eq!(patched(24, 0), Err(SettleError::Accounts));
        assert_eq!(patched(24, 2), Err(SettleError::Accounts));
        assert_eq!(patched(24, 3), Err(SettleError::Accounts));
        assert_eq!(patched(103, 0), Err(SettleError::Shares));
        assert_eq!(patched(85, 2), Err(SettleError::Platform));
        assert_eq!(patched(100, 0x28), Err(SettleError::Platform));
        assert_eq!(patched(111, 2), Err(SettleError::AccountIndex));
        assert_eq!(SettleError::FeeOverflow.code(), 9);
        assert_eq!(SettleError::Truncated.code(), 1);
    }

    proptest! {
        #[test]
        fn encode_then_decode_is_identity(batch in batches()) {
            prop_assert_eq!(Batch::decode(&batch.encode()), Ok(batch));
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(batch) = Batch::decode(&bytes) {
                prop_assert_eq!(batch.encode(), bytes);
            }
        }

        #[test]
        fn damaged_batches_are_answered(batch in batches(), position in any::<prop::sample::Index>(), byte: u8) {
            let mut bytes = batch.encode();
            let position = position.index(bytes.len());
            bytes[position] = byte;
            if let Ok(batch) = Batch::decode(&bytes) {
                prop_assert_eq!(batch.encode(), bytes);
            }
        }
    }
}
