use std::{fmt, time::Duration};

use alloy_primitives::B256;

/// What training and indexing tell while they work. `Display` makes one line for people; the fields are for programs.
#[derive(Clone, Debug)]
pub enum Event {
    /// Before the first step.
    Prepared {
        /// Data trained on or indexed.
        data: usize,
        /// Data held out for evaluation.
        evaluation: usize,
        /// Contributors of the data.
        contributors: usize,
        /// Tokens of one pass over the data.
        tokens: usize,
        /// Of these, tokens of completions, on which the loss is taken.
        completion_tokens: usize,
        /// Values in the adapter.
        parameters: usize,
        /// Merkle root of the data.
        dataset_root: B256,
    },
    /// Rows of the dataset that were left out.
    LeftOut {
        /// Rows that could not be used.
        bad_rows: usize,
        /// Rows that repeat an earlier one.
        duplicates: usize,
    },
    /// Earlier work was found and is gone on with.
    Resumed {
        /// Steps or data done before.
        done: usize,
        /// Of how many.
        total: usize,
    },
    /// There was nothing to do: the result of an earlier run is there.
    AlreadyDone {
        /// What is there.
        what: &'static str,
    },
    /// One optimiser step.
    Step {
        /// From 1.
        step: usize,
        /// Of how many.
        steps: usize,
        /// Mean loss over the step's data, nats per completion token.
        loss: f64,
        /// Learning rate of the step.
        learning_rate: f64,
        /// Norm of the gradient before clipping.
        gradient_norm: f64,
        /// Tokens per second since this process began.
        tokens_per_second: f64,
        /// Time left, by the speed so far.
        remaining: Duration,
    },
    /// A step left out because its loss or gradient was not finite.
    SkippedStep {
        /// From 1.
        step: usize,
    },
    /// Loss on the data held out.
    Evaluated {
        /// Steps done.
        step: usize,
        /// Mean loss, nats per completion token.
        loss: f64,
    },
    /// One or more gradients were stored.
    Indexed {
        /// Data done.
        done: usize,
        /// Of how many.
        total: usize,
        /// Mean loss of the data just done.
        loss: f64,
        /// Tokens per second since this process began.
        tokens_per_second: f64,
        /// Time left, by the speed so far.
        remaining: Duration,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prepared { data, evaluation, contributors, tokens, completion_tokens, parameters, dataset_root } => {
                write!(
                    f,
                    "{data} data of {contributors} contributors ({evaluation} held out), {tokens} tokens, {completion_tokens} \
                     of them in completions; {parameters} adapter parameters; dataset root {dataset_root}"
                )
            }
            Self::LeftOut { bad_rows, duplicates } => {
                write!(f, "left out: {bad_rows} rows that cannot be used, {duplicates} that repeat an earlier one")
            }
            Self::Resumed { done, total } => write!(f, "going on after {done} of {total}"),
            Self::AlreadyDone { what } => write!(f, "{what} from an earlier run with the same settings is there"),
            Self::Step { step, steps, loss, learning_rate, tokens_per_second, remaining, .. } => write!(
                f,
                "step {step:>4}/{steps}  loss {loss:.4}  lr {learning_rate:.1e}  {tokens_per_second:.0} tok/s  {} left",
                Short(*remaining)
            ),
            Self::SkippedStep { step } => write!(f, "step {step} left out: its loss or gradient is not finite"),
            Self::Evaluated { step, loss } => {
                write!(f, "after {step} steps: loss on held-out data {loss:.4} (perplexity {:.2})", loss.exp())
            }
            Self::Indexed { done, total, tokens_per_second, remaining, .. } => {
                write!(f, "gradient {done:>4}/{total}  {tokens_per_second:.0} tok/s  {} left", Short(*remaining))
            }
        }
    }
}

struct Short(Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(f, "{seconds} s"),
            60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            _ => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
        }
    }
}

/// Speed and remaining time of work whose parts are about equal.
#[derive(Debug)]
pub(crate) struct Pace {
    start: std::time::Instant,
    tokens: usize,
    units: usize,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { start: std::time::Instant::now(), tokens: 0, units: 0 }
    }

    pub(crate) fn add(&mut self, tokens: usize, units: usize) {
        self.tokens += tokens;
        self.units += units;
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    pub(crate) const fn tokens(&self) -> usize {
        self.tokens
    }

    pub(crate) fn tokens_per_second(&self) -> f64 {
        self.tokens as f64 / self.seconds().max(1e-9)
    }

    pub(crate) fn remaining(&self, units: usize) -> Duration {
        Duration::from_secs_f64(self.seconds() / self.units.max(1) as f64 * units as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_people() {
        let remaining = Duration::from_secs(83);
        let event = Event::Step {
            step: 3,
            steps: 20,
            loss: 2.5,
            learning_rate: 1e-3,
            gradient_norm: 1.0,
            tokens_per_second: 99.6,
            remaining,
        };
        assert_eq!(event.to_string(), "step    3/20  loss 2.5000  lr 1.0e-3  100 tok/s  1 min 23 s left");
        assert_eq!(Short(Duration::from_secs(7260)).to_string(), "2 h 1 min");
    }
}
