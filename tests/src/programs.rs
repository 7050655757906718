use openledger_testing::{anvil_program, workspace};
use std::{env, process::Command};

/// The program under test, which cargo puts beside the tests' folder.
pub fn openledger() -> Command {
    let tests = env::current_exe().expect("the path of this program");
    let program = tests.ancestors().nth(2).expect("target/debug/deps/test").join("openledger");
    assert!(program.exists(), "{} is missing: build the programs first (`make e2e` does)", program.display());
    let mut command = Command::new(program);
    command.current_dir(workspace()).env("OPENLEDGER_ANVIL", anvil_program());
    command
}
