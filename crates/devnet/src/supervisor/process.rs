use crate::console::Console;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// A process that lives shorter than this has failed to start.
const STARTED_AFTER: Duration = Duration::from_secs(10);
/// So many failed starts in a row, and we give up.
const MAX_FAILED_STARTS: u32 = 5;
/// How long a process may take to stop once asked.
const STOP_WITHIN: Duration = Duration::from_secs(20);
/// A log is begun anew at this size; the one before is kept with the extension `.1`.
const LOG_BYTES: u64 = 64 << 20;

/// Why a process does not run.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program is not there or cannot be executed.
    #[error("{name}: {} could not be started: {reason}; run `make setup` and `make build`", program.display())]
    Spawn {
        /// Our name for the process.
        name: &'static str,
        /// The program.
        program: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It ended again and again right after its start.
    #[error("{name} does not start ({status}); the end of {}:\n{tail}", log.display())]
    DoesNotStart {
        /// Our name for the process.
        name: &'static str,
        /// How it ended the last time.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A task with an end did not succeed.
    #[error("{name} failed ({status}); the end of {}:\n{tail}", log.display())]
    Failed {
        /// Our name for it.
        name: &'static str,
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
}

/// Runs before every start of a process, for instance to mend what a crash left behind.
pub(crate) type Prepare = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// How to start a process.
#[derive(Clone)]
pub(crate) struct ProcessSpec {
    /// Our name for it.
    pub name: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its environment, on top of ours.
    pub env: Vec<(&'static str, OsString)>,
    /// Where its output goes, appended.
    pub log: PathBuf,
    /// What to do before each start.
    pub prepare: Option<Prepare>,
}

/// A process that is kept running until [`Process::stop`].
#[derive(Debug)]
pub(crate) struct Process {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Process {
    /// Starts it and keeps it running; the reason is sent to `failures` when that cannot be done.
    pub(crate) fn start(spec: ProcessSpec, console: Console, failures: mpsc::UnboundedSender<ProcessError>) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = supervise(&spec, &stopped, &console).await {
                // Nobody listens any more when the devnet is already stopping.
                let _ = failures.send(error);
            }
        });
        Self { stop, task }
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

async fn supervise(spec: &ProcessSpec, stop: &CancellationToken, console: &Console) -> Result<(), ProcessError> {
    let mut failed_starts = 0;
    loop {
        let started = Instant::now();
        let mut child = spawn(spec)?;
        let status = tokio::select! {
            status = child.wait() => status,
            () = stop.cancelled() => {
                end(&mut child, spec.name, console).await;
                return Ok(());
            }
        };
        let status = describe(status);
        failed_starts = if started.elapsed() < STARTED_AFTER { failed_starts + 1 } else { 0 };
        if failed_starts == MAX_FAILED_STARTS {
            let tail = tail(&spec.log).unwrap_or_else(|error| error.to_string());
            return Err(ProcessError::DoesNotStart { name: spec.name, status, log: spec.log.clone(), tail });
        }
        let pause = Duration::from_millis(500) * 2u32.pow(failed_starts.min(4));
        console.warn(&format!("{} ended ({status}); starting it again in {:.1} s", spec.name, pause.as_secs_f32()));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}

fn spawn(spec: &ProcessSpec) -> Result<Child, ProcessError> {
    let failed = |reason: String| ProcessError::Spawn { name: spec.name, program: spec.program.clone(), reason };
    if let Some(prepare) = &spec.prepare {
        prepare().map_err(failed)?;
    }
    let log = open_log(&spec.log).map_err(|error| failed(format!("its log {}: {error}", spec.log.display())))?;
    let errors = log.try_clone().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).envs(spec.env.iter().map(|(name, value)| (name, value)));
    // Its own group: Ctrl-C in a terminal reaches us only, and we stop our children in order.
    command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0).kill_on_drop(true);
    die_with_us(&mut command);
    command.spawn().map_err(|error| failed(error.to_string()))
}

/// Lets the system end the child when we end, even by SIGKILL.
pub fn die_with_us(command: &mut Command) {
    let set = || set_parent_process_death_signal(Some(Signal::TERM)).map_err(io::Error::from);
    // SAFETY: between fork and exec only one system call is made, which neither allocates nor takes a lock.
    unsafe { command.pre_exec(set) };
}

async fn end(child: &mut Child, name: &str, console: &Console) {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _ = kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(STOP_WITHIN, child.wait()).await.is_err() {
        console.warn(&format!("{name} did not stop within {} s and was killed", STOP_WITHIN.as_secs()));
        let _ = child.kill().await;
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_BYTES) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

fn describe(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// The last lines of a log, for a message.
pub(super) fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(12)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(dir: &Path, script: &str) -> ProcessSpec {
        ProcessSpec {
            name: "test",
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![],
            log: dir.join("test.log"),
            prepare: None,
        }
    }

    async fn wait_for(path: &Path, lines: usize) -> Vec<String> {
        for _ in 0..200 {
            let text = fs::read_to_string(path).unwrap_or_default();
            if text.lines().count() >= lines {
                return text.lines().map(str::to_owned).collect();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} has fewer than {lines} lines", path.display());
    }

    #[tokio::test]
    async fn a_process_that_dies_is_started_again_and_stop_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let spec = shell(dir.path(), "echo $$; exec sleep 600");
        let log = spec.log.clone();
        let process = Process::start(spec, Console::quiet(), mpsc::unbounded_channel().0);
        let first: i32 = wait_for(&log, 1).await[0].parse().unwrap();
        kill_process(Pid::from_raw(first).unwrap(), Signal::KILL).unwrap();
        let second: i32 = wait_for(&log, 2).await[1].parse().unwrap();
        assert_ne!(first, second);
        process.stop().await;
        assert!(rustix::process::test_kill_process(Pid::from_raw(second).unwrap()).is_err(), "still running");
    }

    async fn failure(spec: ProcessSpec) -> String {
        let (failures, mut failed) = mpsc::unbounded_channel();
        let process = Process::start(spec, Console::quiet(), failures);
        let error = failed.recv().await.unwrap().to_string();
        process.stop().await;
        error
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_does_not_start_has_its_log_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let error = failure(shell(dir.path(), "echo no such flag >&2; exit 3")).await;
        assert!(error.contains("exit status: 3") && error.contains("no such flag"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_program_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let error = failure(ProcessSpec { program: "/no/such/program".into(), ..shell(dir.path(), "") }).await;
        assert!(error.contains("/no/such/program") && error.contains("make"), "{error}");
    }
}
