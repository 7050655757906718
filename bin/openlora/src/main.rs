#![doc = include_str!("../README.md")]

mod args;
mod commands;

use std::{
    env,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use clap::{CommandFactory as _, FromArgMatches as _};

/// How the threads of OpenMP, which libtorch computes with, wait for each other.
const WAIT_POLICY: &str = "OMP_WAIT_POLICY";

fn main() -> ExitCode {
    yield_while_waiting();
    let command = openledger_logging::with_environment(args::Cli::command(), "OPENLORA");
    let cli = args::Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    openledger_logging::init(&cli.logging);
    match commands::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", in_one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// By default OpenMP's threads spin while they wait. On a machine that has something else to do, that takes the time from
/// the very thread they wait for: answers come three times slower. The library reads the setting when it is loaded,
/// before `main`, so the program starts itself once more with it. Whoever sets the variable decides.
fn yield_while_waiting() {
    if env::var_os(WAIT_POLICY).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    // Returns only if it fails; then spinning is still better than not running.
    let _ = Command::new(program).args(env::args_os().skip(1)).env(WAIT_POLICY, "PASSIVE").exec();
}

/// An error with its causes, each said once: many errors repeat their cause in their own text.
fn in_one_line(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_said_once() {
        let error = anyhow::anyhow!("no such file").context("cannot read x: no such file").context("cannot start");
        assert_eq!(in_one_line(&error), "cannot start: cannot read x: no such file");
    }
}
