use alloy_eips::eip7840::BlobParams;
use alloy_hardforks::{ethereum::mainnet, ethereum::sepolia};

/// How L1 prices blobs at `timestamp`: part of its rules, not of its blocks. Chains that are not known here (development chains)
/// are taken to have Prague's parameters.
pub(crate) fn blob_params(l1_chain_id: u64, timestamp: u64) -> BlobParams {
    let [osaka, bpo1, bpo2] = match l1_chain_id {
        1 => [mainnet::MAINNET_OSAKA_TIMESTAMP, mainnet::MAINNET_BPO1_TIMESTAMP, mainnet::MAINNET_BPO2_TIMESTAMP],
        11_155_111 => {
            [sepolia::SEPOLIA_OSAKA_TIMESTAMP, sepolia::SEPOLIA_BPO1_TIMESTAMP, sepolia::SEPOLIA_BPO2_TIMESTAMP]
        }
        _ => return BlobParams::prague(),
    };
    match timestamp {
        t if t >= bpo2 => BlobParams::bpo2(),
        t if t >= bpo1 => BlobParams::bpo1(),
        t if t >= osaka => BlobParams::osaka(),
        _ => BlobParams::prague(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_follow_the_schedule() {
        assert_eq!(blob_params(1, mainnet::MAINNET_PRAGUE_TIMESTAMP), BlobParams::prague());
        assert_eq!(blob_params(1, mainnet::MAINNET_BPO1_TIMESTAMP), BlobParams::bpo1());
        assert_eq!(blob_params(11_155_111, u64::MAX), BlobParams::bpo2());
        assert_eq!(blob_params(31_337, u64::MAX), BlobParams::prague());
    }
}
