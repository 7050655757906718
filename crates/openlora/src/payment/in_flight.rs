use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, U256};
use parking_lot::Mutex;

/// What has been promised to this operator and is not settled yet: by request, the payer and the most it can cost.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<BTreeMap<B256, (Address, U256)>>);

/// A promise that lapses when it is dropped, unless it was kept.
#[derive(Debug)]
pub(crate) struct Hold {
    in_flight: Arc<InFlight>,
    pub(crate) request: B256,
    /// What the payer had promised elsewhere when this hold began.
    pub(crate) before: U256,
    kept: bool,
}

impl InFlight {
    /// Notes a promise; nothing if this request is in flight already.
    pub(crate) fn hold(self: &Arc<Self>, request: B256, payer: Address, amount: U256) -> Option<Hold> {
        let mut map = self.0.lock();
        if map.contains_key(&request) {
            return None;
        }
        let before =
            map.values().filter(|(other, _)| *other == payer).fold(U256::ZERO, |sum, (_, a)| sum.saturating_add(*a));
        map.insert(request, (payer, amount));
        Some(Hold { in_flight: Arc::clone(self), request, before, kept: false })
    }

    /// Notes a receipt found on disk.
    pub(crate) fn restore(&self, request: B256, payer: Address, fee: U256) {
        self.0.lock().insert(request, (payer, fee));
    }

    /// Forgets a request that is settled or never will be.
    pub(crate) fn release(&self, request: &B256) {
        self.0.lock().remove(request);
    }
}

impl Hold {
    /// The answer was given: its fee stays promised until [`InFlight::release`].
    pub(crate) fn keep(mut self, fee: U256) {
        self.kept = true;
        if let Some((_, amount)) = self.in_flight.0.lock().get_mut(&self.request) {
            *amount = fee;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.kept {
            self.in_flight.release(&self.request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_add_up_and_lapse() {
        let in_flight = Arc::new(InFlight::default());
        let payer = Address::with_last_byte(1);
        let [a, b, c] = [1, 2, 3].map(B256::with_last_byte);
        let first = in_flight.hold(a, payer, U256::from(10)).unwrap();
        assert_eq!(first.before, U256::ZERO);
        assert!(in_flight.hold(a, payer, U256::from(1)).is_none(), "a nonce is used once");
        assert_eq!(in_flight.hold(b, Address::ZERO, U256::from(99)).unwrap().before, U256::ZERO);
        first.keep(U256::from(7));
        assert_eq!(in_flight.hold(c, payer, U256::from(1)).unwrap().before, U256::from(7));
        // The last hold was dropped at once, the first is kept until it is released.
        assert_eq!(in_flight.hold(b, payer, U256::from(1)).unwrap().before, U256::from(7));
        in_flight.release(&a);
        assert_eq!(in_flight.hold(b, payer, U256::from(1)).unwrap().before, U256::ZERO);
    }
}
