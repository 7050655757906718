//! A running node: the chain, its tasks, and the RPC in front.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use alloy_signer_local::PrivateKeySigner;
use openledger_batch::system_config_of;
use openledger_batcher::BatcherConfig;
use openledger_derivation::Severity;
use openledger_l1::{L1Client, L1ClientConfig, TxManager, TxManagerConfig};
use openledger_primitives::RollupConfig;
use openledger_rpc::RpcServer;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    AdminConfig, Chain, NodeConfig, NodeError, ReplicaConfig, Role,
    admin::NodeAdmin,
    api::NodeApi,
    control::SequencerControl,
    driver::{
        batcher::BatcherDriver, derivation::DerivationDriver, follower::Follower, outputs::OutputChecker,
        proposer::Proposer, pruner::Pruner, sequencer::Sequencer,
    },
    l1::{self, L1Status},
    l1_services::{Inbox, Oracle},
    upstream::Upstream,
};

/// How often L1 is asked whether there is something new.
const L1_INTERVAL: Duration = Duration::from_millis(500);
/// How often another node is asked for a new unsafe block.
const UNSAFE_INTERVAL: Duration = Duration::from_millis(200);
/// What the transaction manager is told about the pace of L1: it offers a transaction at a higher price after a few of these.
const L1_BLOCK_TIME: Duration = Duration::from_secs(2);
/// How long tasks may take to finish what they are doing when the node stops.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// A node. Dropping it leaves its tasks running; [`Node::stop`] ends them.
#[derive(Debug)]
pub struct Node {
    rpc: RpcServer,
    admin: Option<RpcServer>,
    chain: Arc<Chain>,
    tasks: TaskTracker,
    stop: CancellationToken,
    failure: Arc<Mutex<Option<NodeError>>>,
}

impl Node {
    /// Opens the chain, checks that L1 is the right one, and starts everything. Without L1 the node starts as well and waits for it.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        let rollup = Arc::new(config.rollup);
        let config_url = config.l1_rpc;
        let corrupt_at = match &config.role {
            Role::Sequencer(sequencer) => sequencer.corrupt_state_at,
            Role::Replica(_) => None,
        };
        let opened = (config.datadir.clone(), rollup.clone());
        let chain = crate::blocking(move || Chain::open(&opened.0, &config.genesis, opened.1, corrupt_at)).await?;
        let chain = Arc::new(chain);
        let l1 = Arc::new(connect(&config_url, &rollup).await?);
        let status = Arc::new(L1Status::default());
        let is_sequencer = matches!(config.role, Role::Sequencer(_));
        let control = SequencerControl::new(!matches!(&config.role, Role::Sequencer(sequencer) if sequencer.stopped));
        let replica = match &config.role {
            Role::Sequencer(_) => ReplicaConfig::default(),
            Role::Replica(replica) => replica.clone(),
        };
        let upstream = |url: Option<String>| url.map(|url| Upstream::new(&url)).transpose();
        let (source, forward) = (upstream(replica.unsafe_rpc)?, upstream(replica.sequencer_http)?);
        let is_live = is_sequencer || source.is_some();
        let api = Arc::new(NodeApi {
            chain: chain.clone(),
            status: status.clone(),
            control: is_sequencer.then(|| control.clone()),
            forward,
            is_live,
        });
        let rpc = RpcServer::start(config.rpc_address, api.clone(), config.limits)
            .await
            .map_err(|source| NodeError::Rpc { address: config.rpc_address, source })?;
        let admin = match config.admin {
            Some(admin) => Some(serve_admin(admin, api, rpc.address()).await?),
            None => None,
        };

        let node = Self {
            rpc,
            admin,
            chain: chain.clone(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            failure: Arc::default(),
        };
        let reset_wanted = Arc::new(Notify::new());
        node.spawn_l1(&l1, &status);
        let derivation = DerivationDriver::new(chain.clone(), l1.clone(), status.clone());
        let (wanted, stop) = (reset_wanted.clone(), node.stop.clone());
        node.spawn("derivation", async move { derivation.run(L1_INTERVAL, &wanted, &stop).await });
        if let Some(keep) = config.history {
            let (pruner, stop) = (Pruner::new(chain.clone(), keep), node.stop.clone());
            node.spawn("pruner", async move { pruner.run(&stop).await });
        }
        let oracle =
            |manager| Arc::new(Oracle { client: (*l1).clone(), address: rollup.output_oracle_address, manager });
        match config.role {
            Role::Replica(_) => {
                if let Some(source) = source {
                    let (follower, stop) = (Follower::new(chain.clone(), source), node.stop.clone());
                    node.spawn("unsafe blocks", async move { follower.run(UNSAFE_INTERVAL, &stop).await });
                }
                let checker = OutputChecker::new(chain, oracle(None), status);
                let stop = node.stop.clone();
                node.spawn("output checker", async move { checker.run(L1_INTERVAL * 4, &stop).await });
            }
            Role::Sequencer(sequencer) => {
                check_batcher_key(&chain, &sequencer.batcher_key)?;
                let sending = TxManagerConfig::new(rollup.l1_chain_id, L1_BLOCK_TIME);
                let batches = TxManagerConfig { max_in_flight: sequencer.max_pending_tx, ..sending };
                let manager = |key, config| TxManager::spawn(&config_url, key, config);
                let inbox =
                    Inbox { manager: manager(sequencer.batcher_key, batches)?, address: rollup.batch_inbox_address };
                let limits = BatcherConfig {
                    max_channel_duration: sequencer.max_channel_duration,
                    max_in_flight: sequencer.max_pending_tx,
                    ..Default::default()
                };
                let batcher =
                    BatcherDriver::new(chain.clone(), status.clone(), Arc::new(inbox), limits, control.batcher)?;
                let stop = node.stop.clone();
                node.spawn("batcher", async move { batcher.run(L1_INTERVAL, &stop).await });
                if let Some(key) = sequencer.proposer_key {
                    let proposer = Proposer::new(chain.clone(), oracle(Some(manager(key, sending)?)), status.clone());
                    let stop = node.stop.clone();
                    node.spawn("proposer", async move { proposer.run(L1_INTERVAL * 4, &stop).await });
                }
                let producer = Sequencer::new(chain, l1, status, sequencer.l1_confirmations, control.sequencer);
                let stop = node.stop.clone();
                node.spawn("sequencer", async move { producer.run(&reset_wanted, &stop).await });
            }
        }
        node.tasks.close();
        Ok(node)
    }

    fn spawn_l1(&self, l1: &Arc<L1Client>, status: &Arc<L1Status>) {
        let (l1, status, metrics) = (l1.clone(), status.clone(), self.chain.metrics().clone());
        let stop = self.stop.clone();
        self.spawn("L1 heads", async move {
            l1::follow(&*l1, &status, &metrics, L1_INTERVAL, &stop).await;
            Ok(())
        });
    }

    /// Runs a task; if it fails, the whole node stops and says why.
    fn spawn(&self, name: &'static str, task: impl Future<Output = Result<(), NodeError>> + Send + 'static) {
        let (stop, failure) = (self.stop.clone(), self.failure.clone());
        self.tasks.spawn(async move {
            // A panic must stop the node like an error does: half a node is worse than none.
            let guard = stop.clone().drop_guard();
            match task.await {
                Ok(()) if stop.is_cancelled() => drop(guard),
                Ok(()) => {
                    guard.disarm();
                }
                Err(error) => {
                    tracing::error!(task = name, %error, "a task of the node failed: the node stops");
                    failure.lock().get_or_insert(error);
                }
            }
        });
    }

    /// The chain.
    pub const fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// Where JSON-RPC is served.
    pub const fn rpc_address(&self) -> SocketAddr {
        self.rpc.address()
    }

    /// Where `admin_` is served, if it is.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(RpcServer::address)
    }

    /// Returns when the node stops by itself, which it does only when something failed.
    pub async fn failed(&self) {
        self.stop.cancelled().await;
    }

    /// Stops: no new requests, the tasks finish what they are doing, and the database is closed. An error is what made the node
    /// stop by itself.
    pub async fn stop(self) -> Result<(), NodeError> {
        self.stop.cancel();
        let finished = async {
            self.rpc.stop().await;
            if let Some(admin) = self.admin {
                admin.stop().await;
            }
            self.tasks.wait().await;
        };
        if tokio::time::timeout(STOP_PATIENCE, finished).await.is_err() {
            tracing::warn!("some tasks did not finish in time; nothing committed is lost");
        }
        let failure = self.failure.lock().take();
        failure.map_or(Ok(()), Err)
    }
}

async fn serve_admin(config: AdminConfig, api: Arc<NodeApi>, rpc: SocketAddr) -> Result<RpcServer, NodeError> {
    let AdminConfig { address, secret, set_log_filter } = config;
    let admin = NodeAdmin { api, rpc, set_log_filter };
    let served = RpcServer::start_admin(address, Arc::new(admin), secret).await;
    served.map_err(|source| NodeError::Admin { address, source })
}

/// A client of L1, which is checked to be the right one if it answers already.
async fn connect(url: &str, rollup: &Arc<RollupConfig>) -> Result<L1Client, NodeError> {
    let l1 = L1Client::new(url, rollup.clone(), L1ClientConfig::default())?;
    match l1.check_chain().await {
        Ok(()) => {}
        Err(error) if error.severity() == Severity::Temporary => {
            tracing::warn!(%error, "L1 does not answer yet: starting without it");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(l1)
}

/// Batches of any other key are ignored by everybody.
fn check_batcher_key(chain: &Chain, key: &PrivateKeySigner) -> Result<(), NodeError> {
    let head = chain.head()?;
    let block = chain.block(head.number)?.ok_or(NodeError::Unwound(head.id()))?;
    let expected = system_config_of(chain.config(), &block.block)?.batcher_address;
    let found = key.address();
    if found == expected { Ok(()) } else { Err(NodeError::BatcherKey { found, expected }) }
}
