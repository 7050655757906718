use crate::{DevnetArgs, DevnetError};
use std::net::{Ipv4Addr, TcpListener};

/// Checks before anything starts that every port is free and that no two are the same.
pub(crate) fn check(args: &DevnetArgs) -> Result<(), DevnetError> {
    let ports = [
        ("L1", args.l1_port, "--l1-port"),
        ("L2's sequencer", args.l2_port, "--l2-port"),
        ("verifier", args.verifier_port, "--verifier-port"),
        ("inference server", args.inference_port, "--inference-port"),
    ];
    for (index, (name, port, flag)) in ports.into_iter().enumerate() {
        if let Some((_, _, first)) = ports[..index].iter().find(|(_, earlier, _)| *earlier == port) {
            return Err(DevnetError::SamePort { first, second: flag, port });
        }
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|_| DevnetError::PortTaken { name, port, flag })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use openledger_testing::free_port;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        devnet: DevnetArgs,
    }

    fn args(ports: [u16; 4]) -> DevnetArgs {
        let [l1, l2, verifier, inference] = ports.map(|port| port.to_string());
        let flags = [
            "devnet",
            "--l1-port",
            &l1,
            "--l2-port",
            &l2,
            "--verifier-port",
            &verifier,
            "--inference-port",
            &inference,
        ];
        Cli::parse_from(flags).devnet
    }

    #[test]
    fn names_the_taken_port_and_its_flag() {
        let mut ports = [(); 4].map(|()| free_port());
        check(&args(ports)).unwrap();
        let _taken = TcpListener::bind(("127.0.0.1", ports[2])).unwrap();
        let error = check(&args(ports)).unwrap_err().to_string();
        assert!(error.contains(&ports[2].to_string()) && error.contains("--verifier-port"), "{error}");
        ports[3] = ports[0];
        let error = check(&args([ports[0], ports[1], ports[0], ports[3]])).unwrap_err().to_string();
        assert!(error.contains("--l1-port") && error.contains("--verifier-port"), "{error}");
    }
}
