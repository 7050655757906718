//! What a figure has to be read with: the machine, its load, the day.

use std::{fs, process::Command, thread::available_parallelism};

/// Date, processor, memory, kernel, build, and what else ran, as lines of a list.
pub(crate) fn describe() -> String {
    let date = command("date", &["--utc", "+%Y-%m-%d %H:%M UTC"]);
    let kernel = command("uname", &["--kernel-name", "--kernel-release", "--machine"]);
    let cores = available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let build = if cfg!(debug_assertions) { "the workspace's profile `dev`" } else { "profile `release`" };
    format!(
        "- {date}; {cores} cores of {}, {} GiB of memory; {kernel}\n- our programs: {build}; load average when the run began \
         (1, 5, 15 minutes): {}\n",
        field("/proc/cpuinfo", "model name"),
        field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse::<u64>().unwrap_or_default() >> 20,
        load.join(", "),
    )
}

/// The value of the first line with this name.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
    value.map_or_else(|| "an unknown kind".to_owned(), |(_, value)| value.trim().to_owned())
}

fn command(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
