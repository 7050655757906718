//! The methods themselves, behind all layers.

use std::future::Future;

use jsonrpsee::{
    core::{
        middleware::{Batch, BatchEntry, Notification, RpcServiceT},
        server::{MethodCallback, SubscriptionState},
        traits::IdProvider,
    },
    server::{BatchResponseBuilder, BoundedSubscriptions, ConnectionId, MethodResponse, MethodSink, Methods},
    types::{ErrorCode, Params, Request, SubscriptionId, error::reject_too_many_subscriptions},
};

/// Carries out calls.
#[derive(Debug, Clone)]
pub(crate) struct MethodService {
    methods: Methods,
    /// Largest response in bytes.
    max_response_bytes: usize,
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

impl MethodService {
    pub(super) const fn new(methods: Methods, max_response_bytes: usize, subscriptions: Option<Subscriptions>) -> Self {
        Self { methods, max_response_bytes, subscriptions }
    }
}

impl RpcServiceT for MethodService {
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, call: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Self { methods, max_response_bytes: max, subscriptions } = self.clone();
        async move {
            let Request { id, method, params, extensions, .. } = call;
            let params = Params::new(params.as_ref().map(|params| params.get()));
            let Some(callback) = methods.method(&method) else {
                return MethodResponse::error(id, ErrorCode::MethodNotFound);
            };
            let connection = subscriptions.as_ref().map(|subscriptions| subscriptions.connection);
            match (callback, subscriptions) {
                (MethodCallback::Sync(method), _) => method(id, params, max, extensions),
                (MethodCallback::Async(method), _) => {
                    let connection = connection.unwrap_or_default();
                    method(id.into_owned(), params.into_owned(), connection, max, extensions).await
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

    /// One after the other.
    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            let mut answers = BatchResponseBuilder::new_with_limit(this.max_response_bytes);
            let mut notified = false;
            for entry in batch {
                let answer = match entry {
                    Ok(BatchEntry::Call(call)) => this.call(call).await,
                    Ok(BatchEntry::Notification(_)) => {
                        notified = true;
                        continue;
                    }
                    Err(refused) => {
                        let (error, id) = refused.into_parts();
                        MethodResponse::error(id, error)
                    }
                };
                if let Err(too_large) = answers.append(answer) {
                    return too_large;
                }
            }
            // Notifications alone are not answered; nothing at all is no request.
            if answers.is_empty() && notified {
                return MethodResponse::notification();
            }
            MethodResponse::from_batch(answers.finish())
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
