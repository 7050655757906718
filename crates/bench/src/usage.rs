//! What a run costs: processor time, bytes on disk, and where the node says its time went.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::rpc::Rpc;

/// Ticks of `/proc/PID/stat` in a second: fixed for programs, whatever the kernel's own clock does.
const TICKS: f64 = 100.0;

/// Where the node's costs can be seen, if anywhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    /// Its process.
    pub(crate) pid: Option<u32>,
    /// Its data directory.
    pub(crate) datadir: Option<PathBuf>,
}

/// Counters at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// Processor seconds of the node.
    pub(crate) node: Option<f64>,
    /// Processor seconds of this program.
    pub(crate) own: f64,
    /// Bytes in the node's data directory.
    pub(crate) disk: Option<i64>,
    /// Seconds by phase, as the node counts them.
    pub(crate) phases: Option<BTreeMap<String, f64>>,
}

impl Usage {
    /// Reads everything that can be read.
    pub(crate) async fn now(rpc: &Rpc, probe: &Probe) -> Self {
        let phases = rpc.phases().await;
        Self {
            node: probe.pid.and_then(|pid| processor_seconds(&pid.to_string())),
            own: processor_seconds("self").unwrap_or_default(),
            disk: probe.datadir.as_deref().map(bytes_in),
            phases,
        }
    }

    /// What was used since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let phase = |(name, seconds): (&String, &f64)| {
            let earlier = before.phases.as_ref().and_then(|phases| phases.get(name)).copied();
            (name.clone(), seconds - earlier.unwrap_or_default())
        };
        Self {
            node: self.node.zip(before.node).map(|(now, then)| now - then),
            own: self.own - before.own,
            disk: self.disk.zip(before.disk).map(|(now, then)| now - then),
            phases: self.phases.as_ref().map(|phases| phases.iter().map(phase).collect()),
        }
    }
}

/// User and system time of what `/proc` calls by this name: a process with all its threads, `self`, or `thread-self` alone.
pub(crate) fn processor_seconds(name: &str) -> Option<f64> {
    parse_stat(&fs::read_to_string(format!("/proc/{name}/stat")).ok()?)
}

/// The name, in parentheses, may hold anything; the fields after it are numbered from 3 on.
fn parse_stat(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(14 - 3);
    let ticks = |field: Option<&str>| field?.parse::<u64>().ok();
    Some((ticks(fields.next())? + ticks(fields.next())?) as f64 / TICKS)
}

/// Lengths of all files below a folder. Files that come and go meanwhile count as they are met.
fn bytes_in(folder: &Path) -> i64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
        Ok(metadata) => metadata.len().cast_signed(),
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_process_whose_name_is_hostile() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 1 0 100 1 1";
        assert_eq!(parse_stat(stat), Some(3.0));
        assert_eq!(parse_stat("nothing"), None);
        assert!(processor_seconds("self").is_some());
    }

    #[test]
    fn counts_bytes_in_subfolders() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("db")).unwrap();
        fs::write(folder.path().join("journal"), [0; 10]).unwrap();
        fs::write(folder.path().join("db/file"), [0; 5]).unwrap();
        assert_eq!(bytes_in(folder.path()), 15);
    }
}
