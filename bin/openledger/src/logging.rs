//! Logs go to standard error, so that standard output stays for results.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// Flags about logs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs")]
pub(crate) struct LogArgs {
    /// What to log: a level, or levels by module as in `info,openledger_node=debug`
    #[arg(long = "log", global = true, env = "OPENLEDGER_LOG", default_value = "info", value_name = "FILTER")]
    filter: String,
    /// How to write it: `text` for people, `json` (one object a line) for machines
    #[arg(long = "log-format", global = true, env = "OPENLEDGER_LOG_FORMAT", default_value = "text")]
    format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Sets up `tracing` for the whole process.
pub(crate) fn init(args: &LogArgs) {
    let filter = EnvFilter::builder().parse_lossy(&args.filter);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match args.format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => builder.json().init(),
    }
}
