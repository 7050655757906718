use super::{ProcessError, ProcessSpec, process::die_with_us};
use std::{fs::OpenOptions, io::Write, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// Runs a process to its end. Every line of its standard output goes to `on_line`, all of its output to its log; its
/// standard error goes to the log only. It is ended when this is dropped.
pub(crate) async fn run_to_end(spec: &ProcessSpec, mut on_line: impl FnMut(&str)) -> Result<(), ProcessError> {
    let failed = |reason: String| ProcessError::Spawn { name: spec.name, program: spec.program.clone(), reason };
    let mut log =
        OpenOptions::new().create(true).append(true).open(&spec.log).map_err(|error| failed(error.to_string()))?;
    let errors = log.try_clone().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).envs(spec.env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).process_group(0).kill_on_drop(true);
    die_with_us(&mut command);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    if let Some(output) = child.stdout.take() {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            // The log is for reading afterwards; a full disk there must not end the work itself.
            let _ = writeln!(log, "{line}");
            on_line(&line);
        }
    }
    let status = child.wait().await.map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let tail = super::process::tail(&spec.log).unwrap_or_else(|error| error.to_string());
    Err(ProcessError::Failed { name: spec.name, status: status.to_string(), log: spec.log.clone(), tail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn passes_lines_on_and_quotes_the_log_of_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let spec = |script: &str| ProcessSpec {
            name: "task",
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![("GREETING", "hello".into())],
            log: dir.path().join("task.log"),
            prepare: None,
        };
        let mut lines = Vec::new();
        run_to_end(&spec("echo $GREETING; echo again"), |line| lines.push(line.to_owned())).await.unwrap();
        assert_eq!(lines, ["hello", "again"]);
        let error = run_to_end(&spec("echo broken >&2; exit 4"), |_| ()).await.unwrap_err().to_string();
        assert!(error.contains("broken") && error.contains('4'), "{error}");
    }
}
