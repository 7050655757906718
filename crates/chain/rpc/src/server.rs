//! The server: one port for HTTP and WebSocket.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use jsonrpsee::{
    RpcModule,
    core::traits::IdProvider,
    server::{BatchRequestConfig, PingConfig, Server, ServerConfig, ServerHandle, middleware::rpc::RpcServiceBuilder},
    types::SubscriptionId,
};
use tower::ServiceBuilder;
use tower_http::cors::CorsLayer;

use crate::{
    ChainApi,
    context::Context,
    debug::DebugServer,
    eth::{
        blocks::EthBlocksServer,
        call::EthCallServer,
        fees::EthFeesServer,
        filters::{EthFiltersServer as _, Filters},
        logs::EthLogsServer,
        node::{EthNodeServer, NetServer, Web3Server},
        state::EthStateServer,
        subscribe::EthSubscribeServer,
        transactions::EthTransactionsServer,
    },
    health::HealthLayer,
    not_a_request::NotARequestLayer,
    ots::{ErigonServer, OtterscanServer},
    ots_search::OtterscanSearchServer,
    rollup::{OpenLedgerServer, OptimismServer},
    submissions::SubmissionsLayer,
    txpool::TxPoolServer,
};

/// Bounds on what one client, or one request, may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest request body in bytes.
    pub max_request_bytes: u32,
    /// Largest response body in bytes.
    pub max_response_bytes: u32,
    /// Open connections over all clients.
    pub max_connections: u32,
    /// Calls in one batch.
    pub max_batch: u32,
    /// Subscriptions on one connection.
    pub max_subscriptions: u32,
    /// Blocks that one `eth_getLogs` searches.
    pub max_log_blocks: u64,
    /// Logs in one answer.
    pub max_logs: usize,
    /// Slots in one `eth_getProof`.
    pub max_proof_slots: usize,
    /// Transactions in one answer of `txpool_`.
    pub max_pool_content: usize,
    /// Traces at the same time.
    pub max_traces: usize,
    /// Bytes that one request for traces may keep in memory, as far as they are counted.
    pub max_trace_bytes: usize,
    /// Time of one request for traces.
    pub max_trace_time: Duration,
    /// Gas of one `eth_call` or `eth_estimateGas`.
    pub max_call_gas: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_bytes: 5 * 1024 * 1024,
            max_response_bytes: 50 * 1024 * 1024,
            max_connections: 500,
            max_batch: 200,
            max_subscriptions: 100,
            max_log_blocks: 10_000,
            max_logs: 10_000,
            max_proof_slots: 1024,
            max_pool_content: 10_000,
            max_traces: 4,
            max_trace_bytes: 64 << 20,
            max_trace_time: Duration::from_secs(5),
            max_call_gas: 50_000_000,
        }
    }
}

/// A running server. Dropping it does not stop it; [`RpcServer::stop`] does.
#[derive(Debug, Clone)]
pub struct RpcServer {
    address: SocketAddr,
    handle: ServerHandle,
}

impl RpcServer {
    /// Binds `address` (port 0 takes a free one) and serves `chain` until it is stopped.
    pub async fn start(address: SocketAddr, chain: Arc<dyn ChainApi>, limits: Limits) -> io::Result<Self> {
        let config = ServerConfig::builder()
            .max_request_body_size(limits.max_request_bytes)
            .max_response_body_size(limits.max_response_bytes)
            .max_connections(limits.max_connections)
            .max_subscriptions_per_connection(limits.max_subscriptions)
            .set_batch_request_config(BatchRequestConfig::Limit(limits.max_batch))
            .enable_ws_ping(PingConfig::new())
            .set_id_provider(HexIds)
            .build();
        // Any page may read a public chain; nothing here depends on cookies.
        let http = ServiceBuilder::new()
            .layer(CorsLayer::permissive())
            .layer(HealthLayer(chain.clone()))
            .layer(NotARequestLayer { max_request_bytes: limits.max_request_bytes });
        let submissions =
            SubmissionsLayer { chain: chain.clone(), max_response_bytes: limits.max_response_bytes as usize };
        let rpc = RpcServiceBuilder::new().layer(submissions);
        let server = Server::builder()
            .set_config(config)
            .set_http_middleware(http)
            .set_rpc_middleware(rpc)
            .build(address)
            .await?;
        let address = server.local_addr()?;
        let handle = server.start(methods(chain, limits));
        Ok(Self { address, handle })
    }

    /// The address in use.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops taking requests and waits for those in flight.
    pub async fn stop(self) {
        // An error means that it was stopped already.
        let _ = self.handle.stop();
        self.handle.stopped().await;
    }
}

/// All methods of all namespaces.
fn methods(chain: Arc<dyn ChainApi>, limits: Limits) -> RpcModule<()> {
    let context = Context { chain, limits, traces: Default::default() };
    let mut all = RpcModule::new(());
    let merged = all
        .merge(EthNodeServer::into_rpc(context.clone()))
        .and_then(|()| all.merge(EthBlocksServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(EthStateServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(EthCallServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(EthFeesServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(EthTransactionsServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(EthLogsServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(Filters::new(context.clone()).into_rpc()))
        .and_then(|()| all.merge(EthSubscribeServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(NetServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(Web3Server::into_rpc(context.clone())))
        .and_then(|()| all.merge(DebugServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(ErigonServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(OtterscanServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(OtterscanSearchServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(TxPoolServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(OptimismServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(OpenLedgerServer::into_rpc(context)));
    merged.expect("no two namespaces define the same method");
    all
}

/// Subscription ids as clients of Ethereum expect them: 128 random bits in hex.
#[derive(Debug)]
struct HexIds;

impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        format!("{:#034x}", rand::random::<u128>()).into()
    }
}
