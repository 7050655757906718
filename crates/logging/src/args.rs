use clap::{Args, Command, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::reload;

/// Flags about logs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// What to log: a level, or levels by module as in `info,openledger_node=debug`
    #[arg(long = "log", global = true, default_value = "info", value_name = "FILTER")]
    filter: String,
    /// How to write it: `text` for people, `json` (one object a line) for machines
    #[arg(long = "log-format", global = true, default_value = "text", value_name = "FORMAT")]
    format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// A command that has [`LogArgs`], with the variables of a program: `PREFIX_LOG` and `PREFIX_LOG_FORMAT`.
pub fn with_environment(command: Command, prefix: &str) -> Command {
    command
        .mut_arg("filter", |arg| arg.env(format!("{prefix}_LOG")))
        .mut_arg("format", |arg| arg.env(format!("{prefix}_LOG_FORMAT")))
}

/// Sets up `tracing` for the whole process.
pub fn init(args: &LogArgs) {
    let filter = EnvFilter::builder().parse_lossy(&args.filter);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match args.format {
        LogFormat::Text => {
            let builder = builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
            let builder = builder.with_filter_reloading();
            reload::remember(builder.reload_handle());
            builder.init();
        }
        LogFormat::Json => {
            let builder = builder.json().with_filter_reloading();
            reload::remember(builder.reload_handle());
            builder.init();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        logging: LogArgs,
    }

    #[test]
    fn each_program_has_its_variables() {
        let command = with_environment(<Program as clap::CommandFactory>::command(), "SOMETHING");
        let variable = |long: &str| {
            let found = command.get_arguments().find(|arg| arg.get_long() == Some(long)).unwrap();
            found.get_env().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(variable("log"), "SOMETHING_LOG");
        assert_eq!(variable("log-format"), "SOMETHING_LOG_FORMAT");
        let program = Program::parse_from(["program", "--log", "debug", "--log-format", "json"]);
        assert_eq!(program.logging.filter, "debug");
        assert!(matches!(program.logging.format, LogFormat::Json));
    }
}
