use alloy_primitives::{B256, keccak256};

/// Version 0 of the output root (OP Stack, "L2 output commitment"): the commitment to the L2 that L1 holds and that
/// withdrawals are proven against.
///
/// `message_passer_root` is the storage root of the `L2ToL1MessagePasser`, which since Isthmus is also the header's
/// withdrawals root.
pub fn output_root(state_root: B256, message_passer_root: B256, block_hash: B256) -> B256 {
    let mut preimage = [0u8; 128];
    preimage[32..64].copy_from_slice(state_root.as_slice());
    preimage[64..96].copy_from_slice(message_passer_root.as_slice());
    preimage[96..].copy_from_slice(block_hash.as_slice());
    keccak256(preimage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_committed_to() {
        let (a, b) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let root = output_root(a, a, a);
        assert_ne!(root, output_root(b, a, a));
        assert_ne!(root, output_root(a, b, a));
        assert_ne!(root, output_root(a, a, b));
        assert_eq!(output_root(B256::ZERO, B256::ZERO, B256::ZERO), keccak256([0u8; 128]));
    }
}
