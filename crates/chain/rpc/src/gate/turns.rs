//! How many calls are carried out at the same time, and whose turn is next.
//!
//! Calls run on threads of which the runtime makes hundreds, and a block is made on one of them: without a bound it would get the
//! hundredth part of a processor while hundreds of clients have something computed. Those who wait get their turns source by source,
//! so that whoever asks for much waits for itself.

use std::{
    collections::{HashMap, VecDeque},
    fmt::Write as _,
    net::IpAddr,
    sync::Arc,
    thread,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::rate::subscriber;
use crate::metrics::head;

/// Reads at the same time, for each processor: they may wait for the disk.
const READS: usize = 4;

/// The turns of all calls that work on the chain.
#[derive(Debug)]
pub(crate) struct Turns {
    /// What takes milliseconds at most.
    reads: Arc<Queue>,
    /// What may compute for seconds.
    computations: Arc<Queue>,
}

impl Turns {
    pub(crate) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self { reads: Queue::new(processors * READS), computations: Queue::new(processors) }
    }

    /// Waits for the turn of a call; `None` if it needs none.
    pub(crate) async fn take(&self, method: &str, source: IpAddr) -> Option<Turn> {
        // They have a rate of their own, share their writes the better the more there are, and may wait for a block.
        if method.starts_with("eth_sendRawTransaction") {
            return None;
        }
        let queue = if computes(method) { &self.computations } else { &self.reads };
        Some(queue.take(subscriber(source)).await)
    }

    /// Appends how many calls run and wait, in the Prometheus text format.
    pub(crate) fn render(&self, text: &mut String) {
        let kinds = [("read", self.reads.counts()), ("compute", self.computations.counts())];
        let mut gauge = |name, help, count: fn((usize, usize)) -> usize| {
            head(text, name, help, "gauge");
            for (kind, counts) in kinds {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "openledger_rpc_{name}{{kind=\"{kind}\"}} {}", count(counts));
            }
        };
        gauge("running", "Calls that are carried out", |(running, _)| running);
        gauge("waiting", "Calls that wait for their turn", |(_, waiting)| waiting);
    }
}

/// Whether a call may compute, or search, for long.
fn computes(method: &str) -> bool {
    ["debug_", "trace_", "ots_"].iter().any(|namespace| method.starts_with(namespace))
        || matches!(
            method,
            "eth_call"
                | "eth_createAccessList"
                | "eth_estimateGas"
                | "eth_feeHistory"
                | "eth_fillTransaction"
                | "eth_getFilterChanges"
                | "eth_getFilterLogs"
                | "eth_getLogs"
                | "eth_getProof"
                | "eth_simulateV1"
        )
}

/// A call that is carried out. Dropping it passes the turn on.
#[derive(Debug)]
pub(crate) struct Turn(Arc<Queue>);

impl Drop for Turn {
    fn drop(&mut self) {
        let mut places = self.0.places.lock();
        match places.next() {
            Some(waiting) => {
                drop(places);
                // If it has gone away just now, the turn comes back, is dropped, and so passed on.
                drop(waiting.send(Self(self.0.clone())));
            }
            None => places.free += 1,
        }
    }
}

#[derive(Debug)]
struct Queue {
    all: usize,
    places: Mutex<Places>,
}

#[derive(Debug)]
struct Places {
    free: usize,
    waiting: HashMap<IpAddr, VecDeque<oneshot::Sender<Turn>>>,
    /// Each source that waits, once.
    order: VecDeque<IpAddr>,
}

impl Queue {
    fn new(all: usize) -> Arc<Self> {
        let places = Places { free: all, waiting: HashMap::new(), order: VecDeque::new() };
        Arc::new(Self { all, places: Mutex::new(places) })
    }

    async fn take(self: &Arc<Self>, source: IpAddr) -> Turn {
        let waiting = {
            let mut places = self.places.lock();
            if places.free > 0 {
                places.free -= 1;
                return Turn(self.clone());
            }
            places.wait(source)
        };
        waiting.await.expect("nobody who waits is forgotten")
    }

    /// Calls that run, and calls that wait.
    fn counts(&self) -> (usize, usize) {
        let places = self.places.lock();
        let waiting = places.waiting.values().flatten().filter(|one| !one.is_closed()).count();
        (self.all - places.free, waiting)
    }
}

impl Places {
    fn wait(&mut self, source: IpAddr) -> oneshot::Receiver<Turn> {
        let (sender, receiver) = oneshot::channel();
        let of_source = self.waiting.entry(source).or_default();
        if of_source.is_empty() {
            self.order.push_back(source);
        }
        of_source.push_back(sender);
        receiver
    }

    /// The next one that still waits.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        loop {
            let source = self.order.pop_front()?;
            let of_source = self.waiting.get_mut(&source)?;
            let next = of_source.pop_front();
            if of_source.is_empty() {
                self.waiting.remove(&source);
            } else {
                self.order.push_back(source);
            }
            if let Some(next) = next.filter(|next| !next.is_closed()) {
                return Some(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt as _, future::BoxFuture};
    use proptest::prelude::*;

    fn source(number: u8) -> IpAddr {
        [10, 0, 0, number].into()
    }

    #[test]
    fn sources_take_turns() {
        let queue = Queue::new(1);
        let mut running = queue.take(source(0)).now_or_never();
        // Whoever asks for much comes first, and is passed by those who ask for little.
        let mut waiting: Vec<_> = [1, 1, 1, 2, 3, 2].map(|number| (number, queue.take(source(number)).boxed())).into();
        for (_, one) in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        assert_eq!(queue.counts(), (1, 6));
        let mut order = Vec::new();
        while running.take().is_some() {
            for at in 0..waiting.len() {
                running = (&mut waiting[at].1).now_or_never();
                if running.is_some() {
                    order.push(waiting.remove(at).0);
                    break;
                }
            }
        }
        assert_eq!(order, [1, 2, 3, 1, 2, 1]);
        assert_eq!(queue.counts(), (0, 0));
        assert!(queue.places.lock().waiting.is_empty());
    }

    proptest! {
        /// Whatever comes, waits, gives up and ends: no turn is lost, none is given twice, and nobody waits while one is free.
        #[test]
        fn turns_are_kept_count_of(steps in prop::collection::vec((0u8..4, 0u8..3, 0usize..8), 1..60)) {
            let queue = Queue::new(2);
            let mut running: Vec<Turn> = Vec::new();
            let mut waiting: Vec<BoxFuture<'_, Turn>> = Vec::new();
            for (step, from, at) in steps {
                match step {
                    0 | 1 => waiting.push(queue.take(source(from)).boxed()),
                    2 if !running.is_empty() => drop(running.swap_remove(at % running.len())),
                    3 if !waiting.is_empty() => drop(waiting.swap_remove(at % waiting.len())),
                    _ => {}
                }
                // Sometimes the one that was passed a turn gives up before it looks.
                if at > 1 {
                    let mut still = Vec::new();
                    for mut one in waiting {
                        match (&mut one).now_or_never() {
                            Some(turn) => running.push(turn),
                            None => still.push(one),
                        }
                    }
                    waiting = still;
                    let (ran, waited) = queue.counts();
                    prop_assert_eq!((ran, waited), (running.len(), waiting.len()));
                    prop_assert!(ran <= 2 && (waited == 0 || ran == 2));
                }
            }
            drop((running, waiting));
            prop_assert_eq!(queue.counts(), (0, 0));
        }
    }
}
