//! What is done to a data directory while no node runs on it.

use std::path::Path;

use alloy_genesis::Genesis;
use alloy_primitives::{B256, U256};
use openledger_primitives::RollupConfig;
use openledger_stf::genesis;
use openledger_storage::{Database, DatabaseOptions};

use crate::NodeError;

/// The database's folder in a data directory.
pub(crate) const DATABASE: &str = "db";

/// The first block, as [`init`] wrote it or found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Initialised {
    /// Its hash, which `rollup.json` names as `genesis.l2.hash`.
    pub hash: B256,
    /// Root of the state that the allocation makes.
    pub state_root: B256,
    /// How many accounts that has.
    pub accounts: usize,
    /// Whether it was written now; else this very genesis was there already.
    pub is_new: bool,
}

/// Writes the first block of a chain into a data directory, which is created when missing. A directory with another genesis is
/// refused, and so is a genesis that is not the one of `rollup`.
pub fn init(datadir: &Path, genesis: &Genesis, rollup: Option<&RollupConfig>) -> Result<Initialised, NodeError> {
    let supply = genesis.alloc.values().try_fold(U256::ZERO, |sum, account| sum.checked_add(account.balance));
    if supply.is_none() {
        return Err(NodeError::Supply);
    }
    let (block, changes) = genesis::block_and_state(genesis)?;
    let hash = block.header.hash_slow();
    if let Some(rollup) = rollup {
        rollup.validate()?;
        check_genesis(hash, rollup)?;
    }
    let is_new = create(datadir)?.init_genesis(&block, &changes)?;
    Ok(Initialised { hash, state_root: block.header.state_root, accounts: changes.accounts.len(), is_new })
}

/// Opens the database of a data directory that has one, for a command: a node that runs on it holds it, which is an error.
pub fn open_database(datadir: &Path) -> Result<Database, NodeError> {
    let path = datadir.join(DATABASE);
    // RocksDB would create what is missing.
    if !path.join("CURRENT").exists() {
        return Err(NodeError::NoDatabase { path: datadir.to_owned() });
    }
    Ok(Database::open(path, &DatabaseOptions::default())?)
}

/// Opens or creates the database of a data directory.
pub(crate) fn create(datadir: &Path) -> Result<Database, NodeError> {
    std::fs::create_dir_all(datadir).map_err(|source| NodeError::Datadir { path: datadir.to_owned(), source })?;
    Ok(Database::open(datadir.join(DATABASE), &DatabaseOptions::default())?)
}

/// Genesis and rollup configuration must be of the same chain.
pub(crate) fn check_genesis(hash: B256, rollup: &RollupConfig) -> Result<(), NodeError> {
    let expected = rollup.genesis.l2.hash;
    if hash == expected { Ok(()) } else { Err(NodeError::GenesisMismatch { genesis: hash, rollup: expected }) }
}
