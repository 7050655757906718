//! The methods themselves, behind all layers: each call gets its turn and is counted, and a batch is taken apart.

use std::{future::Future, net::Ipv4Addr, sync::Arc, time::Instant};

use jsonrpsee::{
    core::{
        middleware::{Batch, BatchEntry, Notification, RpcServiceT},
        server::{MethodCallback, SubscriptionState},
        traits::IdProvider,
    },
    server::{BatchResponseBuilder, BoundedSubscriptions, ConnectionId, MethodResponse, MethodSink, Methods},
    types::{ErrorCode, Id, Params, Request, SubscriptionId, error::reject_too_many_subscriptions},
};

use crate::{
    RpcError,
    gate::{BodyMemory, Gate, Source, Turn, Turns},
    metrics::{RpcMetrics, UNKNOWN},
};

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    methods: Methods,
    metrics: Arc<RpcMetrics>,
    turns: Arc<Turns>,
    memory: BodyMemory,
    /// Largest response in bytes.
    max_response_bytes: usize,
}

impl Shared {
    pub(super) fn new(methods: Methods, metrics: Arc<RpcMetrics>, gate: &Gate) -> Self {
        let (turns, memory) = (gate.turns(), gate.memory());
        Self { methods, metrics, turns, memory, max_response_bytes: gate.limits.max_response_bytes as usize }
    }
}

/// Carries out calls.
#[derive(Debug, Clone)]
pub(crate) struct MethodService {
    shared: Arc<Shared>,
    subscriptions: Option<Subscriptions>,
}

/// What a connection that carries notifications has.
#[derive(Debug, Clone)]
pub(super) struct Subscriptions {
    pub(super) connection: ConnectionId,
    /// Where the notifications go.
    pub(super) sink: MethodSink,
    pub(super) limit: BoundedSubscriptions,
}

/// A call's turn, in the extensions of its request: a method keeps those until it is done, even if nobody waits for it any more.
#[derive(Debug, Clone)]
struct Running(#[expect(dead_code, reason = "it is dropped")] Arc<Turn>);

impl MethodService {
    pub(super) const fn new(shared: Arc<Shared>, subscriptions: Option<Subscriptions>) -> Self {
        Self { shared, subscriptions }
    }

    async fn carry_out(self, call: Request<'_>) -> MethodResponse {
        let Self { shared, subscriptions } = self;
        let max = shared.max_response_bytes;
        let Request { id, method, params, mut extensions, .. } = call;
        let params = Params::new(params.as_ref().map(|params| params.get()));
        let Some(callback) = shared.methods.method(&method) else {
            return MethodResponse::error(id, ErrorCode::MethodNotFound);
        };
        let connection = subscriptions.as_ref().map(|subscriptions| subscriptions.connection);
        match (callback, subscriptions) {
            // These are done at once.
            (MethodCallback::Sync(method), _) => method(id, params, max, extensions),
            (MethodCallback::Async(carry_out), _) => {
                let source = extensions.get::<Source>().map_or(Ipv4Addr::UNSPECIFIED.into(), |source| source.0);
                if let Some(turn) = shared.turns.take(&method, source).await {
                    extensions.insert(Running(Arc::new(turn)));
                }
                let connection = connection.unwrap_or_default();
                let mut answer = carry_out(id.into_owned(), params.into_owned(), connection, max, extensions).await;
                // The client may take its time to read it.
                answer.extensions_mut().remove::<Running>();
                answer
            }
            (MethodCallback::Subscription(method), Some(Subscriptions { connection, sink, limit })) => {
                let Some(permit) = limit.acquire() else {
                    return MethodResponse::error(id, reject_too_many_subscriptions(limit.max()));
                };
                let state =
                    SubscriptionState { conn_id: connection, id_provider: &HexIds, subscription_permit: permit };
                // The borrowed state goes no further than the call itself.
                let subscribed = method(id, params, sink, state, extensions);
                subscribed.await
            }
            (MethodCallback::Unsubscription(method), Some(Subscriptions { connection, .. })) => {
                method(id, params, connection, max, extensions)
            }
            // What the layers before say to whoever subscribes over HTTP, for where there are none.
            (MethodCallback::Subscription(_) | MethodCallback::Unsubscription(_), None) => {
                MethodResponse::error(id, ErrorCode::MethodNotFound)
            }
        }
    }
}

impl RpcServiceT for MethodService {
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, call: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            let (method, shared, begun) = (call.method.clone(), this.shared.clone(), Instant::now());
            let answer = this.carry_out(call).await;
            shared.metrics.answered(&method, begun.elapsed(), answer.as_error_code());
            answer
        }
    }

    /// One after the other. What is answered so far counts as memory, since others may have their turns in between.
    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            let mut answers = BatchResponseBuilder::new_with_limit(this.shared.max_response_bytes);
            let mut memory = this.shared.memory.growing(0);
            let mut notified = false;
            for entry in batch {
                let (method, answer) = match entry {
                    Ok(BatchEntry::Call(call)) => (call.method.clone(), this.call(call).await),
                    Ok(BatchEntry::Notification(_)) => {
                        notified = true;
                        continue;
                    }
                    Err(refused) => {
                        let (error, id) = refused.into_parts();
                        (UNKNOWN.into(), MethodResponse::error(id, error))
                    }
                };
                let (has_failed, more) = (answer.is_error(), answer.as_json().get().len());
                let added = if memory.grow(more) {
                    answers.append(answer)
                } else {
                    Err(MethodResponse::error(Id::Null, RpcError::no_memory()))
                };
                if let Err(too_much) = added {
                    // All of the batch gets this one error, which is put down to the call that was too much.
                    if let Some(code) = too_much.as_error_code().filter(|_| !has_failed) {
                        this.shared.metrics.failed(&method, code);
                    }
                    return too_much;
                }
            }
            // Notifications alone are not answered; nothing at all is no request.
            if answers.is_empty() && notified {
                return MethodResponse::notification();
            }
            if memory.is_small() {
                return MethodResponse::from_batch(answers.finish());
            }
            // All of it is looked at once more, for which a thread of the runtime has no time.
            let finished = tokio::task::spawn_blocking(|| MethodResponse::from_batch(answers.finish())).await;
            finished.unwrap_or_else(|error| MethodResponse::error(Id::Null, RpcError::internal(error)))
        }
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        std::future::ready(MethodResponse::notification().with_extensions(notification.extensions))
    }
}

/// Subscription ids as clients of Ethereum expect them: a random number of 128 bits in hex, without leading zeros as in geth.
#[derive(Debug)]
struct HexIds;

impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        format!("{:#x}", rand::random::<u128>()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    use jsonrpsee::{server::RpcModule, types::ErrorObjectOwned};

    use crate::Limits;

    fn service(module: RpcModule<()>, limits: Limits) -> (MethodService, Arc<RpcMetrics>) {
        let methods = Methods::from(module);
        let metrics = Arc::new(RpcMetrics::new(methods.method_names()));
        let shared = Shared::new(methods, metrics.clone(), &Gate::new(limits));
        (MethodService::new(Arc::new(shared), None), metrics)
    }

    fn call(id: u64, method: &str) -> Request<'static> {
        Request::owned(method.to_owned(), None, Id::Number(id))
    }

    fn batch<'a>(calls: &[&str]) -> Batch<'a> {
        let mut batch = Batch::new();
        for (id, method) in (0..).zip(calls) {
            batch.push(call(id, method));
        }
        batch
    }

    #[tokio::test]
    async fn a_batch_that_is_too_large_counts_for_the_call_with_which_it_was() {
        let counted = async |calls: &[&'static str]| {
            let mut module = RpcModule::new(());
            for name in ["eth_call", "eth_getLogs"] {
                module.register_method(name, |_, _, _| Ok::<_, ErrorObjectOwned>("x".repeat(100))).unwrap();
            }
            let fails = |_: Params<'_>, _: &(), _: &_| {
                Err::<(), _>(ErrorObjectOwned::owned(-32000, "x".repeat(100), None::<()>))
            };
            module.register_method("fails", fails).unwrap();
            let (service, metrics) = service(module, Limits { max_response_bytes: 400, ..Limits::default() });
            let code = service.batch(batch(calls)).await.as_error_code();
            let mut text = String::new();
            metrics.render(&mut text);
            let errors = text.lines().filter_map(|line| line.strip_prefix("openledger_rpc_errors_total"));
            (code, errors.map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(counted(&["eth_call", "eth_getLogs"]).await, (None, vec![]));
        let (code, errors) = counted(&["eth_call", "eth_call", "eth_getLogs", "eth_call"]).await;
        assert_eq!((code, errors), (Some(-32011), vec![r#"{method="eth_getLogs",code="-32011"} 1"#.to_owned()]));
        // That call had an error of its own already: one is enough.
        let (code, errors) = counted(&["eth_call", "eth_call", "fails"]).await;
        assert_eq!((code, errors), (Some(-32011), vec![r#"{method="fails",code="-32000"} 1"#.to_owned()]));
    }

    #[tokio::test]
    async fn a_batch_takes_memory_as_it_is_answered() {
        let answer = async |max_body_memory| {
            let mut module = RpcModule::new(());
            module.register_method("large", |_, _, _| Ok::<_, ErrorObjectOwned>("x".repeat(100_000))).unwrap();
            let (service, _) = service(module, Limits { max_body_memory, ..Limits::default() });
            service.batch(batch(&["large"; 3])).await
        };
        assert_eq!(answer(200_000).await.as_error_code(), Some(-32005));
        let whole = answer(400_000).await;
        assert!(whole.is_batch() && whole.as_json().get().len() > 300_000);
    }

    #[tokio::test]
    async fn a_turn_lasts_until_the_method_is_done() {
        let (started, has_started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(parking_lot::Mutex::new(released));
        let mut module = RpcModule::new(());
        let wait = move |_: Params<'_>, _: Arc<()>, _: jsonrpsee::Extensions| {
            let _ = started.send(());
            let _ = released.lock().recv();
            Ok::<_, ErrorObjectOwned>("done")
        };
        module.register_blocking_method("eth_call", wait).unwrap();
        let (service, _) = service(module, Limits::default());
        let turns = service.shared.turns.clone();
        let are_running = move |count: usize| {
            let mut text = String::new();
            turns.render(&mut text);
            text.contains(&format!("openledger_rpc_running{{kind=\"compute\"}} {count}\n"))
        };
        assert!(are_running(0));

        let calling = tokio::spawn(service.call(call(1, "eth_call")));
        tokio::task::spawn_blocking(move || has_started.recv()).await.unwrap().unwrap();
        assert!(are_running(1));
        // The client is gone; what was begun for it is not.
        calling.abort();
        assert!(calling.await.unwrap_err().is_cancelled());
        assert!(are_running(1));
        release.send(()).unwrap();
        while !are_running(0) {
            tokio::task::yield_now().await;
        }
        // Nor does an answer that waits to be read.
        release.send(()).unwrap();
        let answer = service.call(call(2, "eth_call")).await;
        assert!(answer.is_success() && are_running(0));
    }
}
