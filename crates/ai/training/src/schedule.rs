use serde::{Deserialize, Serialize};

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Half a cosine, to zero.
    #[default]
    Cosine,
    /// A straight line, to zero.
    Linear,
    /// It stays.
    Constant,
}

/// Learning rate by step: a linear warm-up, then the decay.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    kind: ScheduleKind,
    peak: f64,
    warmup: usize,
    steps: usize,
}

impl Schedule {
    /// `steps` in all, of which the share `warmup_ratio` (rounded up) climbs to `peak`.
    pub fn new(kind: ScheduleKind, peak: f64, warmup_ratio: f64, steps: usize) -> Self {
        Self { kind, peak, warmup: (steps as f64 * warmup_ratio).ceil() as usize, steps }
    }

    /// The rate of a step, counted from 0. No step's rate is zero: it would be a step for nothing.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let progress = (step - self.warmup) as f64 / (self.steps - self.warmup).max(1) as f64;
        let share = match self.kind {
            ScheduleKind::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            ScheduleKind::Linear => 1.0 - progress,
            ScheduleKind::Constant => 1.0,
        };
        self.peak * share.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn climbs_then_falls() {
        for kind in [ScheduleKind::Cosine, ScheduleKind::Linear] {
            let schedule = Schedule::new(kind, 1e-3, 0.1, 20);
            let rates: Vec<_> = (0..20).map(|step| schedule.rate(step)).collect();
            assert_eq!((rates[0], rates[1], rates[2]), (5e-4, 1e-3, 1e-3));
            assert!(rates[2..].is_sorted_by(|a, b| a > b) && rates[19] > 0.0, "{rates:?}");
        }
        assert_eq!(Schedule::new(ScheduleKind::Constant, 2.0, 0.0, 5).rate(4), 2.0);
        assert_eq!(Schedule::new(ScheduleKind::Cosine, 2.0, 1.0, 2).rate(1), 2.0);
        assert_eq!(Schedule::new(ScheduleKind::Linear, 2.0, 0.0, 1).rate(0), 2.0);
    }
}
