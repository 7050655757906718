use alloy_genesis::Genesis;
use openledger_primitives::RollupConfig;
use openledger_stf::genesis::block_and_state;

/// The two files that a node is started with, as it reads them before it believes them; whether the bytes are either.
pub fn config(bytes: &[u8]) -> bool {
    let genesis = serde_json::from_slice::<Genesis>(bytes).is_ok_and(|genesis| block_and_state(&genesis).is_ok());
    let rollup = serde_json::from_slice::<RollupConfig>(bytes).is_ok_and(|rollup| rollup.validate().is_ok());
    genesis || rollup
}
