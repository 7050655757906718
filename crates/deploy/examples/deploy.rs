//! Runs a deployment on its own, without the rest of the `openledger` program.

use clap::Parser;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: openledger_deploy::DeployArgs,
}

#[tokio::main]
async fn main() -> Result<(), openledger_deploy::DeployError> {
    openledger_deploy::run(Cli::parse().args).await
}
