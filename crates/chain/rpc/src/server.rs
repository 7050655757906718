//! The server: one port for HTTP and WebSocket.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use alloy_rpc_types_engine::JwtSecret;
use jsonrpsee::{
    RpcModule,
    core::BoxError,
    server::{
        HttpRequest, HttpResponse, Methods, ServerHandle, StopHandle, middleware::rpc::RpcServiceBuilder, stop_channel,
    },
    types::ErrorObjectOwned,
};
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder};
use tower_http::cors::CorsLayer;

use crate::{
    AdminApi, ChainApi,
    admin::{AdminServer, AuthLayer},
    context::Context,
    debug::DebugServer,
    eth::{
        blocks::EthBlocksServer,
        call::EthCallServer,
        fees::EthFeesServer,
        fill::EthFillServer,
        filters::{EthFiltersServer as _, Filters},
        logs::EthLogsServer,
        node::{EthNodeServer, NetServer, Web3Server},
        state::EthStateServer,
        subscribe::EthSubscribeServer,
        transactions::EthTransactionsServer,
    },
    gate::{self, Gate},
    health::HealthLayer,
    metrics::RpcMetrics,
    openrpc::OPENRPC,
    ots::{ErigonServer, OtterscanServer},
    ots_search::OtterscanSearchServer,
    rollup::{OpenLedgerServer, OptimismServer},
    strict_hex::StrictHexLayer,
    submissions::SubmissionsLayer,
    trace::TraceServer,
    transport::Transport,
    txpool::TxPoolServer,
};

/// Bounds on what one client, or one request, may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest request body in bytes.
    pub max_request_bytes: u32,
    /// Largest response body in bytes.
    pub max_response_bytes: u32,
    /// Largest message of a WebSocket in bytes. Its connection may keep a buffer of that size.
    pub max_message_bytes: u32,
    /// Bytes of memory for requests and answers, those up to 64 KiB not counted.
    pub max_body_memory: usize,
    /// Time in which the body of a request has to come.
    pub max_body_time: Duration,
    /// Open connections over all clients. When there are so many, a new one takes the place of the one that has been silent
    /// for longest.
    pub max_connections: u32,
    /// Of these, WebSockets.
    pub max_websockets: u32,
    /// A connection on which nothing moves for so long is closed. A WebSocket is asked after half of that whether it lives.
    pub max_silence: Duration,
    /// Transactions that one source (an IPv4 address, or an IPv6 network of 64 bits) may send in a second, ten times as many at
    /// once; 0 for any number. Programs on this machine may send any number.
    pub max_transactions_per_source: u32,
    /// Proxies whose word on where a request comes from (`X-Forwarded-For`) is taken.
    pub trusted_proxies: Vec<IpAddr>,
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
    /// Time of one call that computes or searches. A precompile that runs is not interrupted; its gas bounds it.
    pub max_call_time: Duration,
    /// Gas of one `eth_call` or `eth_estimateGas`.
    pub max_call_gas: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_bytes: 5 * 1024 * 1024,
            max_response_bytes: 50 * 1024 * 1024,
            max_message_bytes: 1 << 20,
            max_body_memory: 256 << 20,
            max_body_time: Duration::from_secs(30),
            max_connections: 500,
            max_websockets: 250,
            max_silence: Duration::from_secs(60),
            max_transactions_per_source: 100,
            trusted_proxies: Vec::new(),
            max_batch: 200,
            max_subscriptions: 100,
            max_log_blocks: 10_000,
            max_logs: 10_000,
            max_proof_slots: 1024,
            max_pool_content: 10_000,
            max_traces: 4,
            max_trace_bytes: 64 << 20,
            max_call_time: Duration::from_secs(5),
            max_call_gas: 50_000_000,
        }
    }
}

/// A running server. Dropping it does not stop it; [`RpcServer::stop`] does.
#[derive(Debug, Clone)]
pub struct RpcServer {
    address: SocketAddr,
    handle: ServerHandle,
    methods: Methods,
}

impl RpcServer {
    /// Binds `address` (port 0 takes a free one) and serves `chain` until it is stopped.
    pub async fn start(address: SocketAddr, chain: Arc<dyn ChainApi>, limits: Limits) -> io::Result<Self> {
        let methods = Methods::from(methods(chain.clone(), limits.clone()));
        let metrics = Arc::new(RpcMetrics::new(methods.method_names()));
        let max_response_bytes = limits.max_response_bytes as usize;
        let gate = Gate::new(limits);
        // Any page may read a public chain; nothing here depends on cookies.
        let http = ServiceBuilder::new().layer(CorsLayer::permissive()).layer(HealthLayer {
            chain: chain.clone(),
            metrics: metrics.clone(),
            turns: gate.turns(),
        });
        let rpc = RpcServiceBuilder::new()
            .layer(gate.admission(metrics.clone()))
            .layer(StrictHexLayer { metrics: metrics.clone() })
            .layer(SubmissionsLayer { chain, metrics: metrics.clone(), max_response_bytes });
        let service = |gate: &Gate, stop| http.service(Transport::new(methods.clone(), metrics, rpc, gate, stop));
        Self::listen(address, gate, methods.clone(), service).await
    }

    /// Serves `admin_` on `address` to those who sign with `secret`, as consensus clients do at the engine API: a JWT (HS256) in the
    /// header `Authorization`, whose claim `iat` is at most 60 s off. Over HTTP only.
    pub async fn start_admin(address: SocketAddr, api: Arc<dyn AdminApi>, secret: JwtSecret) -> io::Result<Self> {
        let limits = Limits {
            max_request_bytes: 64 << 10,
            max_response_bytes: 1 << 20,
            max_body_memory: 4 << 20,
            max_connections: 32,
            max_websockets: 0,
            max_batch: 20,
            ..Limits::default()
        };
        let methods = Methods::from(AdminServer::into_rpc(api));
        // Who calls them is the operator, who sees in the log what came of it.
        let metrics = Arc::new(RpcMetrics::new([]));
        let gate = Gate::new(limits);
        let service = |gate: &Gate, stop| {
            let transport = Transport::new(methods.clone(), metrics, RpcServiceBuilder::new(), gate, stop);
            ServiceBuilder::new().layer(AuthLayer::new(secret)).service(transport)
        };
        Self::listen(address, gate, methods.clone(), service).await
    }

    /// Serves behind a gate; `service` makes what answers requests until it is stopped.
    async fn listen<S>(
        address: SocketAddr,
        gate: Gate,
        methods: Methods,
        service: impl FnOnce(&Gate, StopHandle) -> S,
    ) -> io::Result<Self>
    where
        S: Service<HttpRequest, Response = HttpResponse, Error = BoxError> + Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, handle) = stop_channel();
        let service = service(&gate, stop.clone());
        tokio::spawn(gate::serve(listener, Arc::new(gate), stop, service));
        Ok(Self { address, handle, methods })
    }

    /// The address in use.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Names of all methods that it answers.
    pub fn methods(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.methods.method_names()
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
        .and_then(|()| all.merge(EthFillServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(EthTransactionsServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(EthLogsServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(Filters::new(context.clone()).into_rpc()))
        .and_then(|()| all.merge(EthSubscribeServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(NetServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(Web3Server::into_rpc(context.clone())))
        .and_then(|()| all.merge(DebugServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(TraceServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(ErigonServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(OtterscanServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(OtterscanSearchServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(TxPoolServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(OptimismServer::into_rpc(context.clone())))
        .and_then(|()| all.merge(OpenLedgerServer::into_rpc(context)));
    let merged = merged.and_then(|()| {
        // The one method whose namespace ends with a point, by which tools find all others.
        all.register_blocking_method("rpc.discover", |_, _, _| Ok::<_, ErrorObjectOwned>(&**OPENRPC)).map(|_| ())
    });
    merged.expect("no two namespaces define the same method");
    all
}
