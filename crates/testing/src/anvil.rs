use std::{
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::workspace;

/// What anvil prints before the address that it listens on, once it does.
const LISTENING: &str = "Listening on ";

/// An L1 on a free port of this machine; dropping it ends it.
#[derive(Debug)]
pub struct Anvil {
    process: Child,
    port: u16,
}

impl Anvil {
    /// Starts it and waits until it listens. Without further arguments there is a block at once for each transaction.
    pub fn start(arguments: &[&str]) -> Self {
        let program = anvil_program();
        let mut process = Command::new(&program)
            .args(["--host", "127.0.0.1", "--port", "0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start ({error}): run `make setup`", program.display()));
        let mut lines =
            BufReader::new(process.stdout.take().expect("a pipe was asked for")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix(LISTENING).map(str::to_owned));
        // Someone has to take what it prints.
        std::thread::spawn(move || lines.for_each(drop));
        let port = address.as_deref().and_then(|address| address.rsplit(':').next()?.parse().ok());
        let port = port.unwrap_or_else(|| panic!("{} ended, or listens nowhere: {address:?}", program.display()));
        Self { process, port }
    }

    /// Its JSON-RPC's port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its JSON-RPC.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where anvil is: `OPENLEDGER_ANVIL`, or what `make setup` brought.
pub fn anvil_program() -> PathBuf {
    // npm links the program itself there: a script around it would be killed in its place.
    let set_up = || workspace().join("contracts/node_modules/.bin/anvil");
    env::var_os("OPENLEDGER_ANVIL").map_or_else(set_up, PathBuf::from)
}
