//! Configuration from a file. Its values become the defaults of the options of the same name: so each option is defined once,
//! and flags and environment go before the file by clap's own rules.

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};
use toml::{Table, Value};

/// Options that say how to read the others, and are no part of a configuration.
const NOT_CONFIGURATION: [&str; 4] = ["config", "print_config", "help", "version"];
/// Commands that are a node.
const NODES: [&str; 3] = ["sequencer", "verifier", "node"];
/// Commands about a node: they take its file, and of that what they have options for.
const ABOUT_NODES: [&str; 3] = ["admin", "db", "init"];

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The file is not TOML.
    #[error("{}:{line}: {reason}", path.display())]
    Syntax { path: PathBuf, line: usize, reason: String },
    /// A key names no option of the command.
    #[error("{}: `{command}` has no option `{key}`; the nearest is `{nearest}`", path.display())]
    UnknownKey { path: PathBuf, command: String, key: String, nearest: String },
    /// A value is not one of its option.
    #[error("{}: {reason}", path.display())]
    Value { path: PathBuf, reason: String },
}

/// A command line with everything that was configured elsewhere.
#[derive(Debug)]
pub(crate) struct Configured {
    command: Command,
    /// The parsed options of the program and of its subcommands.
    pub(crate) matches: ArgMatches,
    /// Names of the subcommands, outermost first.
    path: Vec<String>,
    file: Table,
}

/// Parses a command line, with the file that it or the environment names.
pub(crate) fn parse(command: Command, arguments: Vec<OsString>) -> Result<Configured, ConfigError> {
    // First only to learn the subcommand and the file: that options are missing does not matter yet.
    let lenient = command.clone().ignore_errors(true).try_get_matches_from(arguments.clone());
    let (path, file) = match &lenient {
        Ok(matches) => (subcommands(matches), matches.get_one::<PathBuf>("config").cloned()),
        Err(_) => (Vec::new(), None),
    };
    let (with_defaults, file) = match file {
        Some(file) => with_file(command.clone(), &path, file)?,
        None => (command.clone(), Table::new()),
    };
    let matches = with_defaults.try_get_matches_from(arguments)?;
    Ok(Configured { command, matches, path, file })
}

impl Configured {
    /// The effective configuration as TOML, each value with where it comes from. What a URL may carry of secrets is left out.
    pub(crate) fn to_toml(&self) -> String {
        let mut text = format!("# openledger {}\n", self.path.join(" "));
        let mut matches = Some(&self.matches);
        for level in 0..=self.path.len() {
            let Some(here) = matches else { break };
            let command = find(&self.command, &self.path[..level]);
            let mut options: Vec<&Arg> = command.into_iter().flat_map(options).collect();
            options.retain(|option| !option.is_hide_set() || given(here, option));
            text.extend(options.into_iter().map(|option| self.line(here, option)));
            matches = here.subcommand().map(|(_, inner)| inner);
        }
        text
    }

    fn line(&self, matches: &ArgMatches, option: &Arg) -> String {
        let key = option.get_long().unwrap_or_default();
        let is_url = option.get_value_names().is_some_and(|names| names.iter().any(|name| name.as_str() == "URL"));
        let values: Vec<Value> = matches
            .get_raw(option.get_id().as_str())
            .into_iter()
            .flatten()
            .map(|value| value.to_string_lossy())
            .map(|value| if is_url { Value::String(without_secrets(&value)) } else { typed(&value) })
            .collect();
        let value = match (values.as_slice(), is_list(option)) {
            ([], _) => return format!("# {key} is not set\n"),
            ([one], false) => one.clone(),
            _ => Value::Array(values),
        };
        let source = match matches.value_source(option.get_id().as_str()) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "environment",
            _ if self.file.contains_key(key) => "file",
            _ => "default",
        };
        format!("{key} = {value} # {source}\n")
    }
}

/// The names of the subcommands that were given.
fn subcommands(matches: &ArgMatches) -> Vec<String> {
    std::iter::successors(matches.subcommand(), |(_, inner)| inner.subcommand())
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn find<'a>(command: &'a Command, path: &[String]) -> Option<&'a Command> {
    path.iter().try_fold(command, |command, name| command.find_subcommand(name))
}

/// The options of one command that a file may set.
fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    let configurable = |option: &&Arg| !NOT_CONFIGURATION.contains(&option.get_id().as_str());
    command.get_arguments().filter(|option| option.get_long().is_some()).filter(configurable)
}

/// What the file may hold beyond the options of the command at `path`: all that a node's file may, if it is about one.
fn options_of_nodes<'a>(command: &'a Command, path: &[String]) -> impl Iterator<Item = &'a Arg> {
    let is_about_nodes = path.first().is_some_and(|name| ABOUT_NODES.contains(&name.as_str()));
    let nodes = NODES.iter().filter(move |_| is_about_nodes);
    nodes.filter_map(|name| command.find_subcommand(name)).flat_map(options)
}

fn is_list(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Append)
}

fn given(matches: &ArgMatches, option: &Arg) -> bool {
    let source = matches.value_source(option.get_id().as_str());
    source.is_some_and(|source| source != ValueSource::DefaultValue)
}

/// The command with the file's values as defaults.
fn with_file(mut command: Command, path: &[String], file: PathBuf) -> Result<(Command, Table), ConfigError> {
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(source) => return Err(ConfigError::Read { path: file, source }),
    };
    let table: Table = toml::from_str(&text).map_err(|error| {
        let before = error.span().map_or("", |span| &text[..span.start.min(text.len())]);
        let line = before.matches('\n').count() + 1;
        ConfigError::Syntax { path: file.clone(), line, reason: error.message().to_owned() }
    })?;
    for (key, value) in &table {
        let found = (0..=path.len()).find_map(|level| {
            let option = find(&command, &path[..level])?;
            let option = options(option).find(|option| option.get_long() == Some(key))?;
            Some((level, option.clone()))
        });
        let Some((level, option)) = found else {
            if options_of_nodes(&command, path).any(|option| option.get_long() == Some(key)) {
                continue;
            }
            return Err(unknown_key(&command, path, key, file));
        };
        let values = checked(&option, value)
            .map_err(|reason| ConfigError::Value { path: file.clone(), reason: format!("`{key}` {reason}") })?;
        let id = option.get_id().clone();
        command = at(command, &path[..level], |command| {
            command.mut_arg(id, |option| option.required(false).default_values(values))
        });
    }
    Ok((command, table))
}

/// Changes the subcommand at a path.
fn at(command: Command, path: &[String], change: impl FnOnce(Command) -> Command) -> Command {
    match path.split_first() {
        None => change(command),
        Some((name, rest)) => command.mut_subcommand(name, |inner| at(inner, rest, change)),
    }
}

fn unknown_key(command: &Command, path: &[String], key: &str, file: PathBuf) -> ConfigError {
    let levels = (0..=path.len()).filter_map(|level| find(command, &path[..level]));
    let known = levels.flat_map(options).chain(options_of_nodes(command, path));
    let known = known.filter(|option| !option.is_hide_set()).filter_map(Arg::get_long);
    let nearest = known.min_by_key(|known| strsim::damerau_levenshtein(known, key)).unwrap_or_default().to_owned();
    let command = [&["openledger".to_owned()], path].concat().join(" ");
    ConfigError::UnknownKey { path: file, command, key: key.to_owned(), nearest }
}

/// The values as one would write them on the command line, if the option takes them.
fn checked(option: &Arg, value: &Value) -> Result<Vec<String>, String> {
    let values = match value {
        Value::Array(values) if is_list(option) => values.iter().map(scalar).collect::<Result<Vec<_>, _>>()?,
        Value::Array(_) => return Err("takes one value, not a list".to_owned()),
        one => vec![scalar(one)?],
    };
    if matches!(option.get_action(), ArgAction::SetTrue) {
        return if matches!(value, Value::Boolean(_)) { Ok(values) } else { Err("is true or false".to_owned()) };
    }
    let long = option.get_long().unwrap_or_default();
    let words = values.iter().map(|value| format!("--{long}={value}"));
    let alone = Command::new("file").no_binary_name(true).arg(option.clone().required(false));
    match alone.try_get_matches_from(words) {
        Ok(_) => Ok(values),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().next().unwrap_or_default().trim_start_matches("error: ");
            Err(format!("cannot be used: {reason}"))
        }
    }
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Ok(value.to_string()),
        _ => Err("must be a string, a number, true or false".to_owned()),
    }
}

/// Numbers and truth values stand without quotes.
fn typed(value: &str) -> Value {
    let number = value.parse().map(Value::Integer);
    number.or_else(|_| value.parse().map(Value::Boolean)).unwrap_or_else(|_| Value::String(value.to_owned()))
}

/// Scheme, host and port of a URL. Providers put keys into the rest.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "<redacted>".to_owned() };
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    if host == authority && matches!(tail, "" | "/") { url.to_owned() } else { format!("{scheme}://{host}/<redacted>") }
}

#[cfg(test)]
mod tests;
