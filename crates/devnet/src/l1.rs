//! The L1: anvil, whose state survives being killed.
//!
//! anvil writes its whole state to one file, in place. Killed in the middle of that it leaves half a file, with which it
//! does not start again. So a copy of the last whole one is kept, and put back when need be: what is lost then are a few
//! seconds of L1 blocks, which to the rollup is a short reorganisation.

use crate::{Console, DevnetArgs, Layout, layout::write_atomically, supervisor::ProcessSpec};
use serde::de::IgnoredAny;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Chain id of the devnet's L1.
pub(crate) const CHAIN_ID: u64 = 900;
/// Seconds between L1 blocks.
const BLOCK_TIME: u64 = 2;
/// Seconds between writes of anvil's state.
const STATE_INTERVAL: u64 = 2;
/// How many L1 states are kept in memory; blocks, transactions and logs are all kept.
const KEPT_STATES: u64 = 256;

/// How to start the L1.
pub(crate) fn spec(args: &DevnetArgs, layout: &Layout, console: Console) -> ProcessSpec {
    let state = state_file(layout);
    let mut flags: Vec<std::ffi::OsString> = vec!["--state".into(), state.clone().into()];
    let numbers = [
        ("--port", u64::from(args.l1_port)),
        ("--chain-id", CHAIN_ID),
        ("--block-time", BLOCK_TIME),
        ("--slots-in-an-epoch", 1),
        ("--state-interval", STATE_INTERVAL),
        ("--prune-history", KEPT_STATES),
    ];
    flags.extend(numbers.into_iter().flat_map(|(flag, value)| [flag.into(), value.to_string().into()]));
    ProcessSpec {
        name: "l1",
        program: args.anvil.clone(),
        args: flags,
        env: vec![],
        log: layout.logs().join("l1.log"),
        prepare: Some(Arc::new(move || {
            if mend(&state).map_err(|error| format!("{}: {error}", state.display()))? {
                console.warn("the L1's state file was cut short; the copy from a few seconds before is used");
            }
            Ok(())
        })),
    }
}

/// Keeps the copy current for as long as it is polled.
pub(crate) async fn keep_copies(layout: Layout) {
    let state = state_file(&layout);
    let mut seen = None;
    loop {
        tokio::time::sleep(Duration::from_secs(STATE_INTERVAL)).await;
        let modified = fs::metadata(&state).and_then(|metadata| metadata.modified()).ok();
        if modified != seen && copy_if_whole(&state) {
            seen = modified;
        }
    }
}

fn state_file(layout: &Layout) -> PathBuf {
    layout.l1().join("state.json")
}

fn copy_of(state: &Path) -> PathBuf {
    state.with_extension("copy.json")
}

fn copy_if_whole(state: &Path) -> bool {
    fs::read(state).is_ok_and(|bytes| is_whole(&bytes) && write_atomically(&copy_of(state), &bytes).is_ok())
}

fn is_whole(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Puts the copy in the place of a state that was cut short; says whether it did.
fn mend(state: &Path) -> std::io::Result<bool> {
    match fs::read(state) {
        Ok(bytes) if is_whole(&bytes) => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !copy_of(state).exists() => Ok(false),
        _ => fs::copy(copy_of(state), state).map(|_| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_was_cut_short_is_mended_from_the_copy() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state.json");
        assert!(!mend(&state).unwrap(), "a new devnet has none");
        fs::write(&state, r#"{"block":{"number":7}}"#).unwrap();
        assert!(copy_if_whole(&state));
        assert!(!mend(&state).unwrap());
        fs::write(&state, r#"{"block":{"num"#).unwrap();
        assert!(!copy_if_whole(&state), "half a state must not replace the copy");
        assert!(mend(&state).unwrap());
        assert_eq!(fs::read_to_string(&state).unwrap(), r#"{"block":{"number":7}}"#);
    }
}
