//! `eth_subscribe` over WebSocket.

use std::sync::Arc;

use alloy_rpc_types_eth::{
    Filter,
    pubsub::{Params, SubscriptionKind},
};
use jsonrpsee::{
    Extensions, PendingSubscriptionSink, SubscriptionSink,
    core::{SubscriptionResult, async_trait},
    proc_macros::rpc,
    server::SubscriptionMessage,
};
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{ChainEvent, RpcError, context::Context, convert, eth::transactions::blocking, gate::Connection};

/// Notifications.
#[rpc(server, namespace = "eth")]
pub trait EthSubscribe {
    /// Sends `newHeads`, `logs` or `newPendingTransactions` until the client unsubscribes.
    #[subscription(name = "subscribe" => "subscription", unsubscribe = "unsubscribe", item = serde_json::Value, with_extensions)]
    async fn subscribe(&self, kind: SubscriptionKind, params: Option<Params>) -> SubscriptionResult;
}

#[async_trait]
impl EthSubscribeServer for Context {
    async fn subscribe(
        &self,
        pending: PendingSubscriptionSink,
        extensions: &Extensions,
        kind: SubscriptionKind,
        params: Option<Params>,
    ) -> SubscriptionResult {
        let connection = extensions.get::<Arc<Connection>>().cloned();
        let accept = async move |pending: PendingSubscriptionSink| {
            pending.accept().await.map(|sink| Subscriber { sink, connection })
        };
        match (kind, params.unwrap_or_default()) {
            (SubscriptionKind::NewHeads, _) => {
                let events = self.chain.subscribe();
                send_heads(accept(pending).await?, events).await;
            }
            (SubscriptionKind::Logs, params) => {
                let filter = match params {
                    Params::Logs(filter) => *filter,
                    _ => Filter::default(),
                };
                let events = self.chain.subscribe();
                send_logs(accept(pending).await?, events, &filter).await;
            }
            (SubscriptionKind::NewPendingTransactions, params) => {
                let full = matches!(params, Params::Bool(true));
                let hashes = self.chain.subscribe_pending();
                send_pending(self, accept(pending).await?, hashes, full).await;
            }
            (kind, _) => {
                let error = RpcError::InvalidParams(format!(
                    "subscription {kind:?} is not served: use newHeads, logs or newPendingTransactions"
                ));
                pending.reject(error).await;
            }
        }
        Ok(())
    }
}

async fn send_heads(subscriber: Subscriber, mut events: Receiver<ChainEvent>) {
    while let Some(event) = subscriber.next(&mut events).await {
        if let ChainEvent::Added(info) = event
            && !subscriber.send(&convert::header(&info.block.header, info.hash)).await
        {
            return;
        }
    }
}

async fn send_logs(subscriber: Subscriber, mut events: Receiver<ChainEvent>, filter: &Filter) {
    while let Some(event) = subscriber.next(&mut events).await {
        let (info, removed) = match &event {
            ChainEvent::Added(info) => (info, false),
            ChainEvent::Removed(info) => (info, true),
        };
        for log in convert::matching_logs(info, filter, removed) {
            if !subscriber.send(&log).await {
                return;
            }
        }
    }
}

async fn send_pending(
    context: &Context,
    subscriber: Subscriber,
    mut hashes: Receiver<alloy_primitives::B256>,
    full: bool,
) {
    while let Some(hash) = subscriber.next(&mut hashes).await {
        let sent = if full {
            let chain = context.chain.clone();
            match blocking(move || Ok(chain.pooled(hash))).await {
                Ok(Some((tx, sender))) => subscriber.send(&convert::pending_transaction(tx, sender)).await,
                _ => continue,
            }
        } else {
            subscriber.send(&hash).await
        };
        if !sent {
            return;
        }
    }
}

/// Who gets the notifications of one subscription.
struct Subscriber {
    sink: SubscriptionSink,
    connection: Option<Arc<Connection>>,
}

impl Subscriber {
    /// The next event, or `None` when the client left or the node stops. A client that is too slow to be sent everything is
    /// disconnected, as geth does it: it knows then that it missed something, and can subscribe again.
    async fn next<T: Clone>(&self, events: &mut Receiver<T>) -> Option<T> {
        tokio::select! {
            () = self.sink.closed() => None,
            event = events.recv() => match event {
                Ok(event) => Some(event),
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "a subscriber is too slow: it is disconnected");
                    if let Some(connection) = &self.connection {
                        connection.close();
                    }
                    None
                }
                Err(RecvError::Closed) => None,
            },
        }
    }

    async fn send(&self, item: &impl Serialize) -> bool {
        match SubscriptionMessage::new(self.sink.method_name(), self.sink.subscription_id(), item) {
            Ok(message) => self.sink.send(message).await.is_ok(),
            Err(error) => {
                tracing::error!(%error, "a notification could not be encoded");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Connections;
    use jsonrpsee::RpcModule;
    use std::net::{IpAddr, Ipv4Addr};
    use tokio::sync::broadcast;

    #[tokio::test]
    async fn a_subscriber_that_misses_something_is_disconnected() {
        let place = Connections::new(1, 1).admit(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        let connection = place.connection.clone();
        let (numbers, _) = broadcast::channel(2);
        let mut module = RpcModule::new((connection.clone(), numbers.clone()));
        module
            .register_subscription("subscribe", "number", "unsubscribe", async |_, pending, context, _| {
                let mut numbers = context.1.subscribe();
                let subscriber = Subscriber { sink: pending.accept().await?, connection: Some(context.0.clone()) };
                while let Some(number) = subscriber.next(&mut numbers).await {
                    subscriber.send(&number).await;
                }
                SubscriptionResult::Ok(())
            })
            .unwrap();
        // One notification fits between the two: a second one waits to be sent, two more wait for that.
        let mut client = module.subscribe("subscribe", [(); 0], 1).await.unwrap();
        for number in 0..4 {
            numbers.send(number).unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(client.next::<u64>().await.unwrap().unwrap().0, 0);
        tokio::task::yield_now().await;
        assert!(!connection.is_closed(), "it has missed nothing");
        for number in 4..10 {
            numbers.send(number).unwrap();
        }
        while client.next::<u64>().await.is_some() {}
        assert!(connection.is_closed());
    }
}
