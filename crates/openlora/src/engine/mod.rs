//! The one owner of the model: a thread that runs all sequences together and takes commands over a bounded queue.

mod command;
mod scheduler;
mod sequence;
mod stop;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

pub use command::{AdapterRef, Event, Finish, FinishReason, GenerationError, Job};
use openledger_backbone::{Backbone, BackboneError, ChatTemplate, LlamaConfig, Tokenizer};
use tch::Device;
use tokio::sync::{mpsc, oneshot};

use crate::ServeError;
use scheduler::Scheduler;

/// Limits of the engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Sequences that run together.
    pub max_batch: usize,
    /// Requests that wait beyond those; more are turned away.
    pub max_queue: usize,
    /// Prompt tokens that one step may add, so that a long prompt does not stall running answers.
    pub prefill_tokens: usize,
    /// Bytes for keys and values of running sequences.
    pub kv_bytes: usize,
    /// Bytes for adapters in memory.
    pub adapter_bytes: usize,
    /// Threads of libtorch; 0 keeps its own choice (the number of cores).
    pub threads: i32,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            max_batch: 16,
            max_queue: 64,
            prefill_tokens: 256,
            kv_bytes: 2 << 30,
            adapter_bytes: 1 << 30,
            threads: 0,
        }
    }
}

/// What the rest of the server knows of the model.
#[derive(Debug)]
pub struct ModelInfo {
    /// The name under which clients ask for it.
    pub name: String,
    /// SHA-256 of the GGUF file.
    pub content_hash: [u8; 32],
    /// Its shape.
    pub config: LlamaConfig,
    /// Text to tokens and back.
    pub tokenizer: Arc<Tokenizer>,
    /// Messages to text.
    pub chat: Option<Arc<ChatTemplate>>,
}

/// Handle on the engine's thread. The thread ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Engine {
    jobs: mpsc::Sender<Job>,
    info: Arc<ModelInfo>,
    gauges: Arc<Gauges>,
    kv_tokens: usize,
}

/// What the engine is doing, for metrics and health.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Sequences in the batch.
    pub running: AtomicUsize,
    /// Requests that wait.
    pub waiting: AtomicUsize,
    /// Tokens generated since the start.
    pub generated: AtomicUsize,
    /// Prompt tokens processed since the start.
    pub prefilled: AtomicUsize,
    /// Forward passes since the start.
    pub steps: AtomicUsize,
    /// Whether the thread has ended.
    pub stopped: AtomicBool,
}

impl Engine {
    /// Loads the model on a new thread and answers when it is ready.
    pub async fn start(model: &Path, device: Device, config: EngineConfig) -> Result<Self, ServeError> {
        let path = model.to_owned();
        let (jobs, queue) = mpsc::channel(config.max_queue.max(1));
        let (ready, loaded) = oneshot::channel::<Result<Arc<ModelInfo>, BackboneError>>();
        let gauges = Arc::new(Gauges::default());
        let (shared, limits) = (Arc::clone(&gauges), config.clone());
        let run = move || {
            let _stopped = StopMark(Arc::clone(&shared));
            if limits.threads > 0 {
                // Per thread in OpenMP: it has to be said on the thread that computes.
                tch::set_num_threads(limits.threads);
            }
            match Backbone::load(&path, device) {
                Ok(backbone) => {
                    let info = ModelInfo {
                        name: backbone.name.clone(),
                        content_hash: backbone.content_hash,
                        config: backbone.model.config().clone(),
                        tokenizer: Arc::clone(&backbone.tokenizer),
                        chat: backbone.chat.clone(),
                    };
                    if ready.send(Ok(Arc::new(info))).is_ok() {
                        Scheduler::new(backbone, limits, shared).run(queue);
                    }
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        };
        thread::Builder::new().name("engine".into()).spawn(run).map_err(ServeError::Thread)?;
        let info = loaded
            .await
            .map_err(|_| ServeError::EngineStopped)?
            .map_err(|source| ServeError::Model { path: model.to_owned(), source })?;
        let per_token = openledger_backbone::KvCache::bytes_for(&info.config, 1)
            - openledger_backbone::KvCache::bytes_for(&info.config, 0);
        let kv_tokens = config.kv_bytes / per_token.max(1);
        Ok(Self { jobs, info, gauges, kv_tokens })
    }

    /// The model.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// What the engine is doing.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Longest sequence, prompt and answer together: the model's context, or less where memory for keys and values is short.
    pub fn max_tokens(&self) -> usize {
        self.info.config.context.min(self.kv_tokens.saturating_sub(64)).max(1)
    }

    /// Puts a request in the queue. Refuses at once when the queue is full.
    pub fn submit(&self, job: Job) -> Result<(), GenerationError> {
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => GenerationError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => GenerationError::Stopped,
        })
    }
}

/// Says that the thread has ended, however it ends.
struct StopMark(Arc<Gauges>);

impl Drop for StopMark {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}
