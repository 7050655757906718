use std::{collections::BTreeMap, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use alloy_primitives::B256;
use tch::Device;
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};
use tracing::{info, warn};

use crate::{
    ServeArgs, ServeError,
    api::{AppState, router},
    catalog::Catalog,
    engine::Engine,
    metrics::Metrics,
    payment::{Chain, InFlight, PaymentGate, now, read_key},
    settlement::{ReceiptStore, Settler},
};

/// A server that listens and has not been told to run yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<AppState>,
    settler: Option<Settler>,
}

impl Server {
    /// Takes the port, loads the model and opens the data directory.
    pub async fn start(args: &ServeArgs) -> Result<Self, ServeError> {
        // The port first: a taken one should not cost the time to load a model.
        let wanted = SocketAddr::new(args.host, args.port);
        let listen = |source| ServeError::Listen { address: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        if !address.ip().is_loopback() {
            warn!(%address, "listening beyond this machine: put a proxy with TLS in front");
        }
        let metrics = Arc::new(Metrics::default());
        let bell = Arc::new(Notify::new());
        let (payment, settler) = match payment(args, &metrics, &bell)? {
            Some((gate, settler)) => (Some(gate), Some(settler)),
            None => (None, None),
        };
        let engine = Engine::start(&args.model, Device::cuda_if_available(), args.limits.engine()).await?;
        let catalog = Arc::new(Catalog::new(args.adapters.clone(), B256::from(engine.info().content_hash)));
        let state = Arc::new(AppState {
            engine,
            catalog,
            metrics,
            payment,
            bell,
            default_max_tokens: args.limits.default_max_tokens,
            attribution_tokens: args.limits.attribution_tokens,
            started: now(),
        });
        Ok(Self { listener, address, state, settler })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done and the requests of then are answered.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        // Ends with this call; what is not settled then waits on disk for the next start.
        let mut tasks = JoinSet::new();
        if let Some(settler) = self.settler {
            tasks.spawn(settler.run());
        }
        let served = axum::serve(self.listener, router(self.state)).with_graceful_shutdown(shutdown).await;
        served.map_err(ServeError::Http)
    }
}

fn payment(
    args: &ServeArgs,
    metrics: &Arc<Metrics>,
    bell: &Arc<Notify>,
) -> Result<Option<(PaymentGate, Settler)>, ServeError> {
    let options = &args.payment;
    let (url, key) = match (&options.l2_rpc, &options.operator_key_file) {
        (None, None) => {
            info!("no --l2-rpc: everything is served without payment");
            return Ok(None);
        }
        (Some(url), Some(key)) => (url.clone(), key),
        _ => return Err(ServeError::Arguments("--l2-rpc and --operator-key-file go together")),
    };
    let chain = Arc::new(Chain::new(url, read_key(key)?, options.ledger, options.registry)?);
    let store = Arc::new(ReceiptStore::open(&options.datadir)?);
    let in_flight = Arc::new(InFlight::default());
    for record in store.pending() {
        in_flight.restore(record.request_id, record.authorization.payer, record.split.fee);
    }
    info!(operator = %chain.operator(), ledger = %chain.ledger, unsettled = store.pending_count(), "payments are on");
    let settler = Settler {
        chain: Arc::clone(&chain),
        store: Arc::clone(&store),
        in_flight: Arc::clone(&in_flight),
        metrics: Arc::clone(metrics),
        every: Duration::from_secs(options.settle_every.max(1)),
        batch: options.settle_batch,
        bell: Arc::clone(bell),
        pauses: BTreeMap::new(),
    };
    let gate = PaymentGate { chain, in_flight, receipts: store, min_validity: options.min_validity };
    Ok(Some((gate, settler)))
}

/// `openlora serve`: runs until it is told to stop (Ctrl-C or SIGTERM).
pub async fn serve(args: &ServeArgs) -> Result<(), ServeError> {
    let server = Server::start(args).await?;
    let name = &server.state.engine.info().name;
    info!(url = %format_args!("http://{}", server.address), model = name, "serving");
    server.run(stop_signal()).await
}

async fn stop_signal() {
    let interrupted = tokio::signal::ctrl_c();
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupted => {}
        () = terminated => {}
    }
    info!("stopping after the answers under way");
}
