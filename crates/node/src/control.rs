//! What an operator turns on and off while the node runs.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use tokio::sync::{Mutex, MutexGuard, Notify};

/// Whether a task does its work. Each piece of it is done in a turn; turning off waits for the turn that is under way.
#[derive(Debug)]
pub(crate) struct Switch {
    on: AtomicBool,
    turn: Mutex<()>,
    turned_on: Notify,
}

impl Switch {
    pub(crate) fn new(on: bool) -> Self {
        Self { on: AtomicBool::new(on), turn: Mutex::new(()), turned_on: Notify::new() }
    }

    /// Whether it is on.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(SeqCst)
    }

    /// Waits until it is on.
    pub(crate) async fn wait_until_on(&self) {
        loop {
            // Made before the look, so that nothing is missed in between.
            let turned_on = self.turned_on.notified();
            if self.is_on() {
                return;
            }
            turned_on.await;
        }
    }

    /// A turn, during which it stays on; `None` while it is off.
    pub(crate) async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        let turn = self.turn.lock().await;
        self.is_on().then_some(turn)
    }

    /// Between two turns: decides on what is said about whether it is on, and turns it there or leaves it. Blocks.
    pub(crate) fn set<T, E>(&self, to: bool, decide: impl FnOnce(bool) -> Result<T, E>) -> Result<T, E> {
        let _turn = self.turn.blocking_lock();
        let decided = decide(self.is_on())?;
        self.on.store(to, SeqCst);
        if to {
            self.turned_on.notify_waiters();
        }
        Ok(decided)
    }
}

/// What a sequencer has, and other nodes have not.
#[derive(Debug, Clone)]
pub(crate) struct SequencerControl {
    /// Whether blocks are made.
    pub(crate) sequencer: Arc<Switch>,
    /// What is posted.
    pub(crate) batcher: Arc<BatcherControl>,
}

impl SequencerControl {
    /// The batcher runs from the start.
    pub(crate) fn new(makes_blocks: bool) -> Self {
        Self { sequencer: Arc::new(Switch::new(makes_blocks)), batcher: Arc::default() }
    }
}

/// What the batcher is told.
#[derive(Debug)]
pub(crate) struct BatcherControl {
    /// Whether batches are handed to L1.
    pub(crate) switch: Switch,
    /// Whether what there is shall be posted without waiting for more.
    pub(crate) flush: AtomicBool,
    /// Something was said.
    pub(crate) told: Notify,
}

impl Default for BatcherControl {
    fn default() -> Self {
        Self { switch: Switch::new(true), flush: AtomicBool::new(false), told: Notify::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn turning_off_waits_for_the_turn_and_turning_on_wakes() {
        let switch = Arc::new(Switch::new(true));
        let turn = switch.turn().await.unwrap();
        let other = switch.clone();
        let off = tokio::task::spawn_blocking(move || other.set(false, Ok::<_, ()>));
        tokio::task::yield_now().await;
        assert!(switch.is_on(), "it was turned off during a turn");
        drop(turn);
        assert_eq!(off.await.unwrap(), Ok(true));
        assert!(switch.turn().await.is_none());

        let other = switch.clone();
        let waiting = tokio::spawn(async move { other.wait_until_on().await });
        let other = switch.clone();
        let refused = tokio::task::spawn_blocking(move || other.set(true, |_| Err::<(), _>("no"))).await.unwrap();
        assert_eq!((refused, switch.is_on()), (Err("no"), false));
        let other = switch.clone();
        tokio::task::spawn_blocking(move || other.set(true, |_| Ok::<_, ()>(()))).await.unwrap().unwrap();
        waiting.await.unwrap();
        assert!(switch.turn().await.is_some());
    }
}
