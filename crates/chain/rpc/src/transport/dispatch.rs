//! From the bytes of a message to its answer: what is a request, a notification, a batch, and what is none of them
//! ([JSON-RPC 2.0](https://www.jsonrpc.org/specification)).

use jsonrpsee::{
    core::middleware::{Batch, BatchEntry, BatchEntryErr, Notification, RpcServiceT},
    server::MethodResponse,
    types::{
        ErrorCode, ErrorObjectOwned, Extensions, Id, InvalidRequest, Request, error::reject_too_big_batch_request,
    },
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

/// The services that answer calls, all with the same kind of answer.
pub(crate) trait Calls:
    RpcServiceT<MethodResponse = MethodResponse, NotificationResponse = MethodResponse, BatchResponse = MethodResponse>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Calls for S where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            NotificationResponse = MethodResponse,
            BatchResponse = MethodResponse,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// Answers one message. What JSON-RPC wants no answer to gets [`MethodResponse::notification`].
pub(super) async fn answer(
    message: &[u8],
    max_batch: u32,
    calls: &impl Calls,
    extensions: &Extensions,
) -> MethodResponse {
    let refused = |code: ErrorCode| MethodResponse::error(Id::Null, code);
    if message.trim_ascii_start().starts_with(b"[") {
        let Ok(entries) = serde_json::from_slice::<Vec<&RawValue>>(message) else {
            return refused(ErrorCode::ParseError);
        };
        let max = max_batch as usize;
        if entries.len() > max {
            return MethodResponse::error(Id::Null, reject_too_big_batch_request(max));
        }
        let entries = entries.into_iter().map(|entry| match Message::read(entry.get().as_bytes(), extensions) {
            Message::Call(call) => Ok(BatchEntry::Call(call)),
            Message::Notification(notification) => Ok(BatchEntry::Notification(notification)),
            Message::Invalid(id) => Err(BatchEntryErr::new(id, ErrorCode::InvalidRequest.into())),
        });
        return calls.batch(Batch::from(entries.collect::<Vec<_>>())).await;
    }
    match Message::read(message, extensions) {
        Message::Call(call) => calls.call(call).await,
        Message::Notification(notification) => calls.notification(notification).await,
        Message::Invalid(_) if serde_json::from_slice::<IgnoredAny>(message).is_err() => refused(ErrorCode::ParseError),
        Message::Invalid(id) => MethodResponse::error(id, ErrorCode::InvalidRequest),
    }
}

/// The answer to a message that is not even looked at, with its id as far as it has one.
pub(super) fn refusal(message: &[u8], error: impl Into<ErrorObjectOwned>) -> MethodResponse {
    let id = serde_json::from_slice::<InvalidRequest<'_>>(message).map_or(Id::Null, |request| request.id);
    MethodResponse::error(id, error.into())
}

/// One message that is no batch, or one entry of a batch.
enum Message<'a> {
    Call(Request<'a>),
    Notification(Notification<'a>),
    /// Not a request, or not even JSON. If it has an id by which its sender knows it, this is it.
    Invalid(Id<'a>),
}

impl<'a> Message<'a> {
    fn read(message: &'a [u8], extensions: &Extensions) -> Self {
        if let Ok(mut call) = serde_json::from_slice::<Request<'a>>(message) {
            *call.extensions_mut() = extensions.clone();
            return Self::Call(call);
        }
        // An id that is neither number nor text does not make a notification of a request.
        let has_id = serde_json::from_slice::<WithId>(message).is_ok();
        match serde_json::from_slice::<Notification<'a>>(message) {
            Ok(mut notification) if !has_id => {
                *notification.extensions_mut() = extensions.clone();
                Self::Notification(notification)
            }
            _ => Self::Invalid(serde_json::from_slice::<InvalidRequest<'a>>(message).map_or(Id::Null, |no| no.id)),
        }
    }
}

/// Something with an id of any kind.
#[derive(Deserialize)]
struct WithId {
    #[serde(rename = "id")]
    _id: IgnoredAny,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{Future, ready};

    use jsonrpsee::server::{BatchResponseBuilder, ResponsePayload};
    use proptest::prelude::*;

    /// Answers each call with the name of its method.
    #[derive(Clone)]
    struct Echo;

    impl RpcServiceT for Echo {
        type MethodResponse = MethodResponse;
        type NotificationResponse = MethodResponse;
        type BatchResponse = MethodResponse;

        fn call<'a>(&self, call: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            ready(MethodResponse::response(call.id, ResponsePayload::success(call.method.into_owned()), 1000))
        }

        fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            let this = self.clone();
            async move {
                let mut answers = BatchResponseBuilder::new_with_limit(10_000);
                for entry in batch {
                    let answer = match entry {
                        Ok(BatchEntry::Call(call)) => this.call(call).await,
                        Ok(BatchEntry::Notification(_)) => continue,
                        Err(refused) => {
                            let (error, id) = refused.into_parts();
                            MethodResponse::error(id, error)
                        }
                    };
                    answers.append(answer).unwrap();
                }
                MethodResponse::from_batch(answers.finish())
            }
        }

        fn notification<'a>(&self, _: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            ready(MethodResponse::notification())
        }
    }

    fn ask(message: &[u8]) -> Option<String> {
        let answer = futures::executor::block_on(answer(message, 3, &Echo, &Extensions::new()));
        (!answer.is_notification()).then(|| answer.as_json().get().to_owned())
    }

    fn code_and_id(message: &str) -> (i64, serde_json::Value) {
        let answer: serde_json::Value = serde_json::from_str(&ask(message.as_bytes()).expect(message)).unwrap();
        (answer["error"]["code"].as_i64().unwrap_or_default(), answer["id"].clone())
    }

    #[test]
    fn what_is_no_request_is_told_from_what_is_no_json() {
        let null = serde_json::Value::Null;
        for message in ["", "{", "{'a':1}", "nothing", "[1,", r#"{"id":1"#, "{} {}", "\u{feff}{}"] {
            assert_eq!(code_and_id(message), (-32700, null.clone()), "{message}");
        }
        for message in
            ["{}", "1", "null", r#""x""#, r#"{"id":{},"jsonrpc":"2.0","method":"x"}"#, r#"{"jsonrpc":"2.0"}"#]
        {
            assert_eq!(code_and_id(message), (-32600, null.clone()), "{message}");
        }
        assert_eq!(code_and_id(r#" {"id":"a"}"#), (-32600, "a".into()));
        assert_eq!(code_and_id(r#"{"id":7,"jsonrpc":"1.0","method":"x"}"#), (-32600, 7.into()));
        assert_eq!(code_and_id(r#"{"id":7,"jsonrpc":"2.0","method":"x"}"#), (0, 7.into()));
        // The batch as a whole, and its entries.
        assert_eq!(code_and_id("[1,2,3,4]"), (-32010, null));
        let answers = ask(br#" [1,{"id":2,"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","method":"x"}]"#).unwrap();
        assert_eq!(
            answers,
            r#"[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid request"}},{"jsonrpc":"2.0","id":2,"result":"x"}]"#
        );
    }

    #[test]
    fn a_notification_has_no_answer() {
        assert_eq!(ask(br#"{"jsonrpc":"2.0","method":"x"}"#), None);
    }

    proptest! {
        /// Whatever comes, it is answered with JSON or not at all, and -32700 says that it was no JSON.
        #[test]
        fn bytes_that_are_no_json_are_a_parse_error(message in r#"[\[\]{}",: a0-9]{0,24}"#) {
            let answer = ask(message.as_bytes());
            let is_json = serde_json::from_str::<IgnoredAny>(&message).is_ok();
            let said = answer.as_ref().is_some_and(|answer| answer.contains("-32700"));
            prop_assert_eq!(said, !is_json, "{:?}", answer);
            prop_assert!(answer.is_none_or(|answer| serde_json::from_str::<serde_json::Value>(&answer).is_ok()));
        }
    }
}
