//! Another filter while the process runs.

use std::sync::OnceLock;

use tracing_subscriber::{EnvFilter, filter::LevelFilter, reload::Handle};

/// Puts another filter in the place of the one in use.
type Replace = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// There is one subscriber in a process, so there is one of these.
static REPLACE: OnceLock<Replace> = OnceLock::new();

/// Keeps the way to the filter of the process's subscriber.
pub(crate) fn remember<S: 'static>(handle: Handle<EnvFilter, S>) {
    // A second subscriber cannot be set up: that is said where it is tried.
    let _ = REPLACE.set(Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string())));
}

/// Logs by another filter from now on, written as for `--log`. What is wrong with it is said, and nothing changes then.
pub fn set_filter(filter: &str) -> Result<(), String> {
    let parsed = parse(filter)?;
    let replace = REPLACE.get().ok_or("this process does not log")?;
    replace(parsed)
}

/// `--log` takes a word that is no level for the name of a module. Here, where a slip would silence a node that runs, it is an error.
fn parse(filter: &str) -> Result<EnvFilter, String> {
    for part in filter.split(',') {
        let is_level = !part.is_empty() && part.parse::<LevelFilter>().is_ok();
        if !is_level && !part.contains(['=', '[']) {
            return Err(format!(
                "`{part}` is not a level: say error, warn, info, debug, trace or off, or levels by module as in \
                 `info,openledger_node=debug`"
            ));
        }
    }
    EnvFilter::builder().parse(filter).map_err(|error| format!("`{filter}` is not a filter for logs: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_modules_are_taken_and_slips_are_not() {
        for good in ["debug", "WARN", "off", "info,openledger_node=debug", "warn,openledger_rpc=trace"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for (bad, said) in [
            ("debgu", "`debgu` is not a level"),
            ("", "`` is not a level"),
            ("a=b", "is not a filter"),
            ("info,", "``"),
        ] {
            let error = parse(bad).map(|filter| filter.to_string()).unwrap_err();
            assert!(error.contains(said), "{bad}: {error}");
        }
    }
}
