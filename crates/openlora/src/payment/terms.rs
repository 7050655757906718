use alloy_primitives::B256;
use openledger_attribution::{FeeSchedule, Platform, SettleError, max_fee};
use serde_json::{Value, json};

/// A model on chain and what it costs.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) model_id: B256,
    pub(crate) backbone: B256,
    /// Zero for the backbone alone.
    pub(crate) adapter: B256,
    /// Zero where there is no dataset.
    pub(crate) dataset_root: B256,
    pub(crate) schedule_id: B256,
    pub(crate) schedule: FeeSchedule,
}

impl Terms {
    /// Whether an answer can cost anything.
    pub(crate) const fn is_free(&self) -> bool {
        let FeeSchedule { rate_in, rate_out, platform, .. } = &self.schedule;
        *rate_in == 0 && *rate_out == 0 && matches!(platform, Platform::Flat(0) | Platform::Share(_))
    }

    /// The fee schedule as JSON; amounts are decimal strings.
    pub(crate) fn schedule_json(&self) -> Value {
        schedule_json(&self.schedule)
    }

    /// The longest answer whose fee stays within `ceiling`, in tokens; nothing if even one token does not fit.
    pub(crate) fn affordable(&self, tokens_in: u32, ceiling: alloy_primitives::U256, at_most: u32) -> Option<u32> {
        let fits = |tokens| max_fee(tokens_in, tokens, &self.schedule).is_ok_and(|fee| fee <= ceiling);
        let (mut low, mut high) = (0, at_most);
        // The fee does not fall with the number of tokens.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if fits(middle) { low = middle } else { high = middle - 1 }
        }
        (low > 0).then_some(low)
    }

    /// The largest fee of a request.
    pub(crate) fn max_fee(&self, tokens_in: u32, max_tokens: u32) -> Result<alloy_primitives::U256, SettleError> {
        max_fee(tokens_in, max_tokens, &self.schedule)
    }
}

pub(crate) fn schedule_json(schedule: &FeeSchedule) -> Value {
    let (kind, value) = schedule.platform.to_parts();
    json!({
        "rateIn": schedule.rate_in.to_string(),
        "rateOut": schedule.rate_out.to_string(),
        "platformKind": kind,
        "platformValue": value.to_string(),
        "modelBps": schedule.model_bps,
        "stakersBps": schedule.stakers_bps,
        "contributorsBps": schedule.contributors_bps,
    })
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;

    use super::*;

    fn terms(rate_out: u128, platform: Platform) -> Terms {
        let schedule = FeeSchedule {
            rate_in: 1000,
            rate_out,
            platform,
            model_bps: 7000,
            stakers_bps: 1000,
            contributors_bps: 2000,
        };
        let zero = B256::ZERO;
        Terms { model_id: zero, backbone: zero, adapter: zero, dataset_root: zero, schedule_id: zero, schedule }
    }

    #[test]
    fn the_longest_affordable_answer_is_exact() {
        let terms = terms(2000, Platform::Flat(5));
        // 10 in + 2 for each token out + 5.
        for (ceiling, expected) in
            [(16, None), (17, Some(1)), (18, Some(1)), (19, Some(2)), (215, Some(100)), (9999, Some(100))]
        {
            assert_eq!(terms.affordable(10, U256::from(ceiling), 100), expected, "{ceiling}");
        }
    }

    #[test]
    fn free_means_that_nothing_can_be_charged() {
        assert!(!terms(1, Platform::Flat(0)).is_free());
        let mut free = terms(0, Platform::Share(100));
        free.schedule.rate_in = 0;
        assert!(free.is_free());
        free.schedule.platform = Platform::Flat(1);
        assert!(!free.is_free());
    }
}
