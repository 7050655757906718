#![doc = include_str!("../README.md")]

mod admin;
mod admin_args;
mod args;
mod commands;
mod config;
mod db;
mod keys;
mod open_files;
mod rpc_args;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

/// Rust and RocksDB both allocate from it: blocks and caches come and go by the megabyte, which the system's allocator hands back
/// to the kernel and asks for again.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let (configured, cli) = match command_line() {
        Ok(parsed) => parsed,
        // Help goes to standard output with status 0, mistakes to standard error with status 2.
        Err(config::ConfigError::Usage(error)) => error.exit(),
        Err(error) => return fail(&error.into()),
    };
    if cli.print_config {
        print!("{}", configured.to_toml());
        return ExitCode::SUCCESS;
    }
    openledger_logging::init(&cli.logging);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("the async runtime did not start")),
    };
    match runtime.block_on(commands::run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn command_line() -> Result<(config::Configured, args::Cli), config::ConfigError> {
    let configured = config::parse(
        openledger_logging::with_environment(args::Cli::command(), "OPENLEDGER"),
        std::env::args_os().collect(),
    )?;
    let cli = args::Cli::from_arg_matches(&configured.matches)?;
    Ok((configured, cli))
}

/// One line that says what happened and what to do; the exit status says it to scripts.
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
