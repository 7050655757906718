//! A disk of a few megabytes under a data directory: a tmpfs in a user and mount namespace of its own, which needs no rights
//! where the system lets users make namespaces.

use openledger_e2e::{Failure, Node, Process, ensure};
use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

/// How often to look whether it is there.
const POLL: Duration = Duration::from_millis(20);

/// Mounts `$0` with `$1` KiB and holds the namespace for as long as the process `$2` lives.
const HOLD: &str =
    r#"mount -t tmpfs -o size="$1k" tmpfs "$0" && echo mounted && while [ -d "/proc/$2" ]; do sleep 1; done"#;

/// The disk; dropping it loses what is on it.
pub(crate) struct SmallDisk {
    /// Whose namespaces the node is put into.
    holder: Process,
    path: String,
    log: PathBuf,
}

impl SmallDisk {
    /// One of `kib` KiB where the node's data will be; `Err` says why the system does not allow it.
    pub(crate) async fn under(node: &Node, kib: u64) -> Result<Self, Failure> {
        let path = node.datadir().display().to_string();
        fs::create_dir_all(&path)?;
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", HOLD, &path]);
        command.args([kib.to_string(), std::process::id().to_string()]);
        let log = node.datadir().with_extension("disk.log");
        let mut holder = Process::start(command, &log)?;
        while !holder.log().contains("mounted") {
            holder.runs()?;
            tokio::time::sleep(POLL).await;
        }
        Ok(Self { holder, path, log })
    }

    /// `command`, on the disk.
    pub(crate) fn inside(&self, command: Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.args(["--preserve-credentials", "--user", "--mount", "--target", &self.holder.id().to_string()]);
        inside.arg(command.get_program()).args(command.get_args());
        inside
    }

    /// Fills what is left of it.
    pub(crate) async fn fill(&self) -> Result<(), Failure> {
        let status = self.run("sh", &["-c", "exec cat /dev/zero > \"$0/ballast\"", &self.path]).await?;
        ensure(!status.success(), "the disk never ends")
    }

    /// Makes room: from now on it holds `kib` KiB.
    pub(crate) async fn grow(&self, kib: u64) -> Result<(), Failure> {
        let status = self.run("mount", &["-o", &format!("remount,size={kib}k"), &self.path]).await?;
        ensure(status.success(), format!("no room can be made: {}", self.holder.tail()))
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Result<ExitStatus, Failure> {
        let mut command = Command::new(program);
        command.args(arguments);
        Process::start(self.inside(command), &self.log)?.ends(Duration::from_secs(10)).await
    }
}
