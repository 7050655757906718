use std::{env, path::PathBuf};

/// The workspace's folder, from that of the package under test, where cargo lets a test begin. What was known when the test was
/// compiled may be the folder of another checkout that shares its target directory.
///
/// # Panics
///
/// If it is called outside of the workspace.
pub fn workspace() -> PathBuf {
    let here = env::current_dir().expect("the working directory");
    let root = here.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    root.unwrap_or_else(|| panic!("{} is not in the workspace: run the tests with cargo", here.display())).to_owned()
}

/// Where a copy of ethereum/tests would be: `OPENLEDGER_ETHEREUM_TESTS`, or beside the checkout.
pub fn ethereum_tests() -> PathBuf {
    let beside = || workspace().join("../shared/data/ethereum-tests");
    env::var_os("OPENLEDGER_ETHEREUM_TESTS").map_or_else(beside, PathBuf::from)
}
