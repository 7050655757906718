use std::{
    fmt::Display,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Why a scenario failed.
#[derive(Debug)]
pub struct Failure(String);

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Failure {
    /// Says where it happened.
    pub fn at(self, place: &str) -> Self {
        Self(format!("{place}: {}", self.0))
    }
}

/// Fails with `reason` unless `held`.
pub fn ensure(held: bool, reason: impl Display) -> Result<(), Failure> {
    if held { Ok(()) } else { Err(Failure(reason.to_string())) }
}

/// Runs scenarios in order and counts them, with the lines that cargo's own test harness prints.
#[derive(Debug, Default)]
pub struct Runner {
    passed: u32,
    failed: u32,
}

impl Runner {
    /// Runs one scenario within `limit`. Later ones run even if it fails: they say more about what broke.
    pub async fn scenario(&mut self, name: &str, limit: Duration, run: impl Future<Output = Result<(), Failure>>) {
        let started = Instant::now();
        let result = match tokio::time::timeout(limit, run).await {
            Ok(result) => result,
            Err(_) => Err(Failure(format!("not done after {} s", limit.as_secs()))),
        };
        let seconds = started.elapsed().as_secs_f32();
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("test {name} ... ok ({seconds:.1} s)");
            }
            Err(Failure(reason)) => {
                self.failed += 1;
                println!("test {name} ... FAILED ({seconds:.1} s)\n     {}", reason.replace('\n', "\n     "));
            }
        }
    }

    /// Prints the summary; the exit status says whether all passed.
    pub fn finish(self) -> ExitCode {
        let Self { passed, failed } = self;
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        println!("\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out");
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
