use std::{num::NonZeroU16, sync::Mutex, thread};

use openledger_backbone::Llama;
use openledger_influence::LoraParameters;
use tch::Device;

use crate::Result;

/// Handles on one model and one adapter for several threads, each of which uses one libtorch thread.
///
/// Passes beside each other beat one pass on several threads: libtorch's threads wait for each other after every
/// operation, spinning, which on a machine that does other work too costs several times what it gains. It also makes
/// results independent of the number of threads: each pass is computed by one thread, and the order in which results are
/// used is that of the parts.
#[derive(Debug)]
pub(crate) struct Workers(Vec<Worker>);

/// What one thread works with.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) model: Llama,
    pub(crate) parameters: LoraParameters,
}

impl Workers {
    /// `threads` handles, or one for each core; on a GPU always one.
    pub(crate) fn new(model: &Llama, parameters: &LoraParameters, threads: Option<NonZeroU16>) -> Self {
        let count = match (model.device(), threads) {
            (Device::Cpu, Some(threads)) => usize::from(threads.get()),
            (Device::Cpu, None) => thread::available_parallelism().map_or(1, usize::from),
            _ => 1,
        };
        Self((0..count).map(|_| Worker { model: model.share(), parameters: parameters.share() }).collect())
    }

    /// How many threads there are.
    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// Does the work on each part, several at a time, and answers in the order of the parts.
    pub(crate) fn map<T: Send, R: Send>(
        &mut self,
        parts: Vec<T>,
        work: impl Fn(&Worker, T) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let mut results: Vec<Option<Result<R>>> = parts.iter().map(|_| None).collect();
        let queue = Mutex::new(parts.into_iter().zip(&mut results));
        thread::scope(|scope| {
            for worker in &mut self.0 {
                scope.spawn(|| {
                    let worker = worker;
                    tch::set_num_threads(1);
                    loop {
                        let next = queue.lock().expect("no worker panics while it takes a part").next();
                        let Some((part, result)) = next else { break };
                        *result = Some(work(worker, part));
                    }
                });
            }
        });
        drop(queue);
        results.into_iter().map(|result| result.expect("every part was taken")).collect()
    }
}
