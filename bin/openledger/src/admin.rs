//! The secret of the operator's port, and `openledger admin`, which asks it.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    time::Duration,
};

use alloy_rpc_types_engine::{Claims, JwtSecret};
use anyhow::{Context as _, Result, bail};
use openledger_node::AdminConfig;
use serde_json::{Value, json};

use crate::admin_args::{AdminArgs, AskArgs};

/// How long a node may take to answer: it may have to finish a block.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest file that can hold a secret, in bytes.
const MAX_SECRET_FILE: u64 = 1024;

/// The operator's port as a node is told; none unless it was asked for.
pub(crate) fn config(args: &AdminArgs, datadir: &Path) -> Result<Option<AdminConfig>> {
    let Some(address) = args.served() else { return Ok(None) };
    let secret = read_or_create(&args.secret_file(datadir))?;
    Ok(Some(AdminConfig { address, secret, set_log_filter: openledger_logging::set_filter }))
}

/// The secret in a file, which is made if it is missing.
fn read_or_create(path: &Path) -> Result<JwtSecret> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    }
    // Nobody else may read it at any moment, and one that is there is never written over.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let secret = JwtSecret::random();
            let text = format!("{}\n", hex::encode(secret.as_bytes()));
            let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
            written.with_context(|| format!("the admin secret {} cannot be written", path.display()))?;
            tracing::info!(file = %path.display(), "made a secret for the admin port");
            Ok(secret)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error).with_context(|| format!("the admin secret {} cannot be made", path.display())),
    }
}

/// The secret in a file. It is never part of an error.
fn read(path: &Path) -> Result<JwtSecret> {
    let unreadable = || {
        format!(
            "the admin secret {} cannot be read: a node with --admin-port makes it in its --datadir",
            path.display()
        )
    };
    let file = File::open(path).with_context(unreadable)?;
    let mode = file.metadata().with_context(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(file = %path.display(), "others than its owner may read the admin secret: chmod 600");
    }
    let mut text = String::new();
    file.take(MAX_SECRET_FILE).read_to_string(&mut text).with_context(unreadable)?;
    match JwtSecret::from_hex(&text) {
        Ok(secret) => Ok(secret),
        Err(_) => bail!("{} does not hold a secret: 64 hex digits are expected, with or without 0x", path.display()),
    }
}

/// Asks a node, and prints what it answers.
pub(crate) async fn run(args: &AskArgs) -> Result<()> {
    let secret_file = args.admin.secret_file(&args.datadir);
    let token = read(&secret_file)?.encode(&Claims::with_current_timestamp()).context("no token could be signed")?;
    let (method, params) = args.command.call();
    let address = args.admin.asked();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().context("no HTTP client")?;
    let request = http.post(format!("http://{address}")).bearer_auth(token);
    let answer = request.header("content-type", "application/json").body(body).send().await;
    let answer = answer.map_err(reqwest::Error::without_url).with_context(|| {
        format!(
            "nothing answers on {address}: is the node up, and was it started with --admin-port {}?",
            address.port()
        )
    })?;
    let status = answer.status();
    let text = answer.text().await.with_context(|| format!("the answer of {address} broke off"))?;
    if status == reqwest::StatusCode::UNAUTHORIZED {
        let (secret_file, reason) = (secret_file.display(), text.trim());
        bail!(
            "the node on {address} refuses the token ({reason}): is {secret_file} its secret, and do the clocks agree?"
        );
    }
    let Ok(answer) = serde_json::from_str::<Value>(&text) else {
        bail!("{address} answers {status} and no JSON-RPC: it is not the admin port of a node");
    };
    match (&answer["error"]["message"], &answer["result"]) {
        (Value::String(message), _) => bail!("{message}"),
        (_, Value::Null) => println!("done"),
        (_, Value::String(text)) => println!("{text}"),
        (_, result) => println!("{result:#}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/jwt.hex");
        let made = read_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim().len(), 64);
        assert!(read_or_create(&path).unwrap() == made && read(&path).unwrap() == made);
    }

    #[test]
    fn what_is_no_secret_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwt.hex");
        assert!(format!("{:#}", read(&path).unwrap_err()).contains("cannot be read"));
        for text in ["", "0xdeadbeef", &"deadbeef".repeat(9), &"deadbeex".repeat(8), &"de".repeat(5000)] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", read_or_create(&path).unwrap_err());
            assert!(error.contains("does not hold a secret") && !error.contains("deadbeef"), "{error}");
        }
        std::fs::write(&path, format!(" 0x{}\n", "11".repeat(32))).unwrap();
        assert!(read_or_create(&path).is_ok());
    }
}
