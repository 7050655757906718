//! `eth_subscribe` over WebSocket.

use alloy_rpc_types_eth::{
    Filter,
    pubsub::{Params, SubscriptionKind},
};
use jsonrpsee::{
    PendingSubscriptionSink, SubscriptionSink,
    core::{SubscriptionResult, async_trait},
    proc_macros::rpc,
    server::SubscriptionMessage,
};
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{ChainEvent, RpcError, context::Context, convert, eth::transactions::blocking};

/// Notifications.
#[rpc(server, namespace = "eth")]
pub trait EthSubscribe {
    /// Sends `newHeads`, `logs` or `newPendingTransactions` until the client unsubscribes.
    #[subscription(name = "subscribe" => "subscription", unsubscribe = "unsubscribe", item = serde_json::Value)]
    async fn subscribe(&self, kind: SubscriptionKind, params: Option<Params>) -> SubscriptionResult;
}

#[async_trait]
impl EthSubscribeServer for Context {
    async fn subscribe(
        &self,
        pending: PendingSubscriptionSink,
        kind: SubscriptionKind,
        params: Option<Params>,
    ) -> SubscriptionResult {
        match (kind, params.unwrap_or_default()) {
            (SubscriptionKind::NewHeads, _) => {
                let events = self.chain.subscribe();
                send_heads(pending.accept().await?, events).await;
            }
            (SubscriptionKind::Logs, params) => {
                let filter = match params {
                    Params::Logs(filter) => *filter,
                    _ => Filter::default(),
                };
                let events = self.chain.subscribe();
                send_logs(pending.accept().await?, events, &filter).await;
            }
            (SubscriptionKind::NewPendingTransactions, params) => {
                let full = matches!(params, Params::Bool(true));
                let hashes = self.chain.subscribe_pending();
                let sink = pending.accept().await?;
                send_pending(self, sink, hashes, full).await;
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

async fn send_heads(sink: SubscriptionSink, mut events: Receiver<ChainEvent>) {
    while let Some(event) = next(&sink, &mut events).await {
        if let ChainEvent::Added(info) = event
            && !send(&sink, &convert::header(&info.block.header, info.hash)).await
        {
            return;
        }
    }
}

async fn send_logs(sink: SubscriptionSink, mut events: Receiver<ChainEvent>, filter: &Filter) {
    while let Some(event) = next(&sink, &mut events).await {
        let (info, removed) = match &event {
            ChainEvent::Added(info) => (info, false),
            ChainEvent::Removed(info) => (info, true),
        };
        for log in convert::matching_logs(info, filter, removed) {
            if !send(&sink, &log).await {
                return;
            }
        }
    }
}

async fn send_pending(
    context: &Context,
    sink: SubscriptionSink,
    mut hashes: Receiver<alloy_primitives::B256>,
    full: bool,
) {
    while let Some(hash) = next(&sink, &mut hashes).await {
        let sent = if full {
            let chain = context.chain.clone();
            match blocking(move || Ok(chain.pooled(hash))).await {
                Ok(Some((tx, sender))) => send(&sink, &convert::pending_transaction(tx, sender)).await,
                _ => continue,
            }
        } else {
            send(&sink, &hash).await
        };
        if !sent {
            return;
        }
    }
}

/// The next event, or `None` when the client left, the node stops, or the client is too slow to be sent everything: then the
/// subscription ends rather than silently having a gap.
async fn next<T: Clone>(sink: &SubscriptionSink, events: &mut Receiver<T>) -> Option<T> {
    tokio::select! {
        () = sink.closed() => None,
        event = events.recv() => match event {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "a subscriber is too slow: its subscription ends");
                None
            }
            Err(RecvError::Closed) => None,
        },
    }
}

async fn send(sink: &SubscriptionSink, item: &impl Serialize) -> bool {
    match SubscriptionMessage::new(sink.method_name(), sink.subscription_id(), item) {
        Ok(message) => sink.send(message).await.is_ok(),
        Err(error) => {
            tracing::error!(%error, "a notification could not be encoded");
            false
        }
    }
}
