//! A real server on a tiny random model.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod ledger;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Parser;
use openledger_backbone::{LlamaConfig, Projection, testing::write_tiny_gguf};
use openledger_lora::{AdapterConfig, LoraAdapter, LoraWeights};
use openledger_openlora::{ServeArgs, Server};
use serde_json::Value;
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    serve: ServeArgs,
}

/// A folder with a model, and the server on it.
pub(crate) struct TestServer {
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
    pub(crate) http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    /// Its own, so that it can die with all its tasks as a process does.
    runtime: Option<Runtime>,
}

/// A folder with `tiny.gguf` and an empty `adapters`.
pub(crate) fn home() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_tiny_gguf(folder.path().join("tiny.gguf"), 1).unwrap();
    std::fs::create_dir(folder.path().join("adapters")).unwrap();
    folder
}

impl TestServer {
    pub(crate) async fn start(folder: &Path, flags: &[&str]) -> Self {
        let model = folder.join("tiny.gguf");
        Self::with_model(folder, &model, flags).await
    }

    pub(crate) async fn with_model(folder: &Path, model: &Path, flags: &[&str]) -> Self {
        let (adapters, data) = (folder.join("adapters"), folder.join("data"));
        let paths = [
            "--model",
            model.to_str().unwrap(),
            "--adapters",
            adapters.to_str().unwrap(),
            "--datadir",
            data.to_str().unwrap(),
        ];
        let line = ["openlora", "--port", "0", "--threads", "1"].iter().chain(&paths).chain(flags);
        let arguments = Arguments::try_parse_from(line).unwrap();
        let runtime = Runtime::new().unwrap();
        let server = runtime.spawn(async move { Server::start(&arguments.serve).await.unwrap() }).await.unwrap();
        let url = format!("http://{}", server.address());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = runtime.spawn(async move {
            server.run(async move { drop(stopped.await) }).await.unwrap();
        });
        let http = reqwest::Client::new();
        Self { url, folder: folder.into(), http, stop: Some(stop), task, runtime: Some(runtime) }
    }

    /// Stops as a signal would, and waits.
    pub(crate) async fn stop(mut self) {
        // Idle connections would be waited for.
        self.http = reqwest::Client::new();
        drop(self.stop.take());
        (&mut self.task).await.unwrap();
    }

    /// Ends at once, whatever it was doing.
    pub(crate) async fn kill(mut self) {
        let runtime = self.runtime.take().unwrap();
        let died = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(10)));
        died.await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        json(self.http.get(format!("{}{path}", self.url)).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        json(self.send(path, body, None).await).await
    }

    pub(crate) async fn send(&self, path: &str, body: &Value, authorization: Option<&str>) -> reqwest::Response {
        let mut request = self.http.post(format!("{}{path}", self.url)).json(body);
        if let Some(authorization) = authorization {
            request = request.header("x-openledger-authorization", authorization);
        }
        request.send().await.unwrap()
    }

    /// The value of a metric.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.http.get(format!("{}/metrics", self.url)).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("openlora_{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn json(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

/// The data of server-sent events.
pub(crate) fn events(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
}

/// Writes a random adapter for the tiny model.
pub(crate) fn write_adapter(folder: &Path, name: &str, rank: usize, scale: f64) {
    let shape = LlamaConfig {
        layers: 2,
        hidden: 64,
        feed_forward: 96,
        heads: 4,
        kv_heads: 2,
        head_dim: 16,
        vocabulary: 261,
        context: 256,
        rope_base: 10_000.0,
        norm_epsilon: 1e-5,
    };
    let modules = [Projection::Q, Projection::Down];
    let mut weights = BTreeMap::new();
    for layer in 0..shape.layers {
        for projection in modules {
            let (out, width) = shape.projection_shape(projection);
            let a = Tensor::randn([rank as i64, width], (Kind::Float, Device::Cpu));
            let b = Tensor::randn([out, rank as i64], (Kind::Float, Device::Cpu)) * scale;
            weights.insert((layer, projection), LoraWeights { a, b });
        }
    }
    let config = AdapterConfig {
        r: rank,
        lora_alpha: rank as f64,
        use_rslora: false,
        target_modules: modules.to_vec(),
        lora_dropout: 0.0,
        base_model: None,
    };
    LoraAdapter::new(config, &weights, &shape).unwrap().save(folder.join("adapters").join(name)).unwrap();
}
