use std::{convert::Infallible, time::Duration};

use alloy_primitives::B256;
use axum::{
    Json,
    http::HeaderValue,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use openledger_attribution::Usage;
use serde_json::{Value, json};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

use super::{
    ApiError,
    generation::{Completed, Generation, Piece, REQUEST_ID},
};

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How an endpoint spells its answers.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: String,
    pub(super) kind: Kind,
    pub(super) include_usage: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Chat,
    Text,
}

impl Shape {
    pub(super) fn new(kind: Kind, model: String, include_usage: bool) -> Self {
        let prefix = if kind == Kind::Chat { "chatcmpl" } else { "cmpl" };
        let id = format!("{prefix}-{}", hex::encode(&B256::random()[..12]));
        Self { id, created: crate::payment::now(), model, kind, include_usage }
    }

    fn object(&self, streaming: bool) -> &'static str {
        match (self.kind, streaming) {
            (Kind::Chat, false) => "chat.completion",
            (Kind::Chat, true) => "chat.completion.chunk",
            (Kind::Text, _) => "text_completion",
        }
    }

    fn envelope(&self, streaming: bool, choices: Value) -> Value {
        json!({
            "id": self.id, "object": self.object(streaming), "created": self.created, "model": self.model,
            "choices": choices,
        })
    }

    fn chunk(&self, text: Option<&str>, first: bool, reason: Option<&str>) -> Value {
        let mut choice = json!({"index": 0, "logprobs": null, "finish_reason": reason});
        match self.kind {
            Kind::Text => choice["text"] = text.unwrap_or_default().into(),
            Kind::Chat => {
                let mut delta = json!({});
                if first {
                    delta["role"] = "assistant".into();
                }
                if let Some(text) = text {
                    delta["content"] = text.into();
                }
                choice["delta"] = delta;
            }
        }
        self.envelope(true, json!([choice]))
    }
}

fn usage_json(usage: &Usage) -> Value {
    let (input, output) = (usage.tokens_in, usage.tokens_out);
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": u64::from(input) + u64::from(output)})
}

/// The whole answer at once.
pub(super) async fn whole(shape: Shape, generation: Generation) -> Result<Response, ApiError> {
    let Generation { request, first, mut rest } = generation;
    let mut text = String::new();
    let mut next = Some(first);
    let completed = loop {
        match next {
            Some(Piece::Text(more)) => text.push_str(&more),
            Some(Piece::Done(completed)) => break completed,
            Some(Piece::Failed(error)) => return Err(error),
            None => return Err(ApiError::internal("the answer was lost")),
        }
        next = rest.recv().await;
    };
    let mut choice = json!({"index": 0, "logprobs": null, "finish_reason": completed.reason.as_str()});
    match shape.kind {
        Kind::Chat => choice["message"] = json!({"role": "assistant", "content": text, "refusal": null}),
        Kind::Text => choice["text"] = text.into(),
    }
    let mut body = shape.envelope(false, json!([choice]));
    body["usage"] = usage_json(&completed.usage);
    if let Some(openledger) = completed.openledger {
        body["openledger"] = openledger;
    }
    Ok(with_request(request, Json(body).into_response()))
}

/// The answer as server-sent events, as it comes.
pub(super) fn streamed(shape: Shape, generation: Generation) -> Response {
    let Generation { request, first, rest } = generation;
    let pieces = tokio_stream::once(first).chain(ReceiverStream::new(rest));
    let mut begun = false;
    let events = pieces.map(move |piece| {
        let values = chunks(&shape, &mut begun, piece);
        tokio_stream::iter(values.into_iter().map(|data| Ok::<_, Infallible>(Event::default().data(data))))
    });
    let events = futures::StreamExt::flatten(events);
    let sse = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    with_request(request, sse.into_response())
}

/// The events' data that a piece becomes.
fn chunks(shape: &Shape, begun: &mut bool, piece: Piece) -> Vec<String> {
    let first = !std::mem::replace(begun, true);
    match piece {
        Piece::Text(text) => vec![shape.chunk(Some(&text), first, None).to_string()],
        Piece::Done(Completed { reason, usage, openledger }) => {
            let mut last = shape.chunk(None, first, Some(reason.as_str()));
            if let Some(openledger) = openledger {
                last["openledger"] = openledger;
            }
            let mut chunks = vec![last.to_string()];
            if shape.include_usage {
                let mut chunk = shape.envelope(true, json!([]));
                chunk["usage"] = usage_json(&usage);
                chunks.push(chunk.to_string());
            }
            chunks.push("[DONE]".into());
            chunks
        }
        Piece::Failed(error) => vec![error.body().to_string(), "[DONE]".into()],
    }
}

fn with_request(request: Option<B256>, mut response: Response) -> Response {
    let value = request.and_then(|request| HeaderValue::from_str(&request.to_string()).ok());
    if let Some(value) = value {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
