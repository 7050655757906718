use alloy_eips::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::{Address, B256, Log, keccak256};
use openledger_batch::{CONFIG_UPDATE_TOPIC, ConfigUpdate, L1Info, TRANSACTION_DEPOSITED_TOPIC, decode_deposit};
use openledger_primitives::{SystemConfig, Transaction};

/// What comes from L1's contracts: L1 attributes, and a log (its topics after the first, 32 bytes each, then its data) as the
/// deposit and as the update of the configuration that it may be.
pub fn l1(bytes: &[u8]) {
    if let Ok(info) = L1Info::decode(bytes) {
        assert_eq!(info.encode()[..], *bytes, "other attributes");
    }
    let Some((topics, data)) = bytes.split_at_checked(96) else { return };
    let topics = topics.chunks(32).map(B256::from_slice);
    let log = |first| {
        Log::new_unchecked(Address::ZERO, [first].into_iter().chain(topics.clone()).collect(), data.to_vec().into())
    };
    if let Ok(deposit) = decode_deposit(keccak256(data), 0, &log(TRANSACTION_DEPOSITED_TOPIC)) {
        let encoded = deposit.encoded_2718();
        assert_eq!(Transaction::decode_2718_exact(&encoded).unwrap().as_deposit().map(|tx| tx.inner()), Some(&deposit));
    }
    if let Ok(update) = ConfigUpdate::decode(&log(CONFIG_UPDATE_TOPIC)) {
        update.apply(&mut SystemConfig::default());
    }
}
