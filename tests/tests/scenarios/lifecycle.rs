//! Start, start again, stop.

use openledger_devnet::{DevnetJson, Layout, until};
use openledger_e2e::{Devnet, Failure, Running, ensure};
use std::{net::TcpListener, time::Duration};

/// `--exit` stops after the demo with status 0 only if each check held.
pub(crate) async fn fresh(devnet: &Devnet) -> Result<(), Failure> {
    let mut running = devnet.start(&["--exit"])?;
    let status = running.ends(Duration::from_secs(410)).await?;
    ensure(status.success(), format!("{status}\n{}", running.output()))?;
    nothing_listens(devnet)?;

    let DevnetJson { l1, l2, verifier, inference, contracts, accounts, contributors, model } = devnet.json()?;
    let ports = devnet.ports;
    ensure(l1.rpc.ends_with(&ports.l1.to_string()) && l1.chain_id == 900, format!("{l1:?}"))?;
    ensure(l2.rpc.ends_with(&ports.l2.to_string()) && l2.chain_id == 20300, format!("{l2:?}"))?;
    ensure(verifier.rpc.ends_with(&ports.verifier.to_string()), format!("{verifier:?}"))?;
    ensure(inference.url.ends_with(&ports.inference.to_string()), format!("{inference:?}"))?;
    for name in [
        "OpenToken",
        "OptimismPortal",
        "SystemConfig",
        "OutputOracle",
        "InferenceLedger",
        "ModelRegistry",
        "DatanetRegistry",
    ] {
        ensure(contracts.contains_key(name), format!("devnet.json names no {name}"))?;
    }
    ensure(accounts.iter().any(|account| account.name == "alice"), "devnet.json has no account alice")?;
    ensure(contributors.len() > 4, format!("devnet.json has only the contributors {contributors:?}"))?;
    ensure(model.is_some_and(|model| model.name.contains(':')), "devnet.json has no model")
}

/// The second start does not register, train or index again, and the chain goes on where it was.
pub(crate) async fn resumed(devnet: &Devnet, running: &mut Running) -> Result<(), Failure> {
    let before = devnet.json()?.model.ok_or("no model from the first start")?;
    running.prints("Running; Ctrl-C stops it", Duration::from_secs(235)).await?;
    let after = devnet.json()?.model.ok_or("no model after the second start")?;
    ensure(before == after, format!("the model changed: {before:?}, {after:?}"))?;
    let output = running.output();
    ensure(!output.contains("step    1/"), "it trained again")?;
    ensure(output.contains("from earlier deposits"), format!("the escrow of the first start is gone:\n{output}"))
}

/// A second devnet in the same folder, and one on the same ports, say what is in the way.
pub(crate) async fn refused(devnet: &Devnet) -> Result<(), Failure> {
    let same_folder = devnet.command(&[]).output()?;
    let message = String::from_utf8_lossy(&same_folder.stderr).into_owned();
    ensure(!same_folder.status.success() && message.contains("already running"), message)?;

    let mut other = Devnet::new()?;
    other.ports.verifier = devnet.ports.l2;
    let same_port = other.command(&[]).output()?;
    let message = String::from_utf8_lossy(&same_port.stderr).into_owned();
    let named = message.contains(&devnet.ports.l2.to_string()) && message.contains("--verifier-port");
    ensure(!same_port.status.success() && named, message)
}

/// Ctrl-C stops every process.
pub(crate) async fn stopped(devnet: &Devnet, running: &mut Running) -> Result<(), Failure> {
    let status = running.stop().await?;
    ensure(status.success(), format!("{status}\n{}", running.output()))?;
    nothing_listens(devnet)
}

/// When the supervisor itself is killed, the system ends its children, and the folder is free for another devnet.
pub(crate) async fn orphans(devnet: &Devnet) -> Result<(), Failure> {
    let mut running = devnet.start(&["--no-demo"])?;
    running.prints("Running; Ctrl-C stops it", Duration::from_secs(90)).await?;
    running.kill()?;
    let gone =
        until("the ports to be free", 30, "a process outlived the devnet", async || nothing_listens(devnet).ok());
    gone.await?;
    ensure(!Layout::open(&devnet.dir())?.is_running(), "the folder is still locked")
}

fn nothing_listens(devnet: &Devnet) -> Result<(), Failure> {
    let ports = devnet.ports;
    for port in [ports.l1, ports.l2, ports.verifier, ports.inference] {
        TcpListener::bind(("127.0.0.1", port)).map_err(|error| format!("port {port} is still in use: {error}"))?;
    }
    Ok(())
}
