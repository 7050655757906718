//! Flags that bound what the JSON-RPC's clients may cost.

use std::net::IpAddr;

use clap::Args;
use openledger_node::Limits;

/// Over these flags in `--help`. Not for all that follow: a command's own flags may stand behind.
const HEADING: &str = "Limits of the JSON-RPC";

/// What strangers may do.
#[derive(Debug, Clone, Args)]
pub(crate) struct RpcArgs {
    /// Connections that may be open. When there are so many, a new one takes the place of the one that has been silent for longest;
    /// at most half of them may be WebSockets
    #[arg(help_heading = HEADING, long, env = "OPENLEDGER_MAX_CONNECTIONS", default_value_t = 500, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(2..))]
    max_connections: u32,
    /// Transactions that one address may send in a second, and ten times as many at once; 0 for any number. Addresses of this
    /// machine may send any number
    #[arg(help_heading = HEADING, long, env = "OPENLEDGER_MAX_TRANSACTIONS_PER_SOURCE", default_value_t = 100, value_name = "PER_SECOND")]
    max_transactions_per_source: u32,
    /// Address of a proxy in front of this node whose word is taken on where requests come from (X-Forwarded-For); may be
    /// repeated. Without it all that comes through the proxy counts as one source
    #[arg(help_heading = HEADING, long = "trusted-proxy", env = "OPENLEDGER_TRUSTED_PROXIES", value_delimiter = ',', value_name = "IP")]
    trusted_proxies: Vec<IpAddr>,
}

impl RpcArgs {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            max_connections: self.max_connections,
            max_websockets: self.max_connections / 2,
            max_transactions_per_source: self.max_transactions_per_source,
            trusted_proxies: self.trusted_proxies.clone(),
            ..Limits::default()
        }
    }
}
