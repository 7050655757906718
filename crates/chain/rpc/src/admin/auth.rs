//! Who does not know the secret gets a 401 and nothing else.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use alloy_rpc_types_engine::JwtSecret;
use http::{
    HeaderValue, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use parking_lot::Mutex;
use tower::{Layer, Service};

/// Longest token that is looked at, in bytes. One with all claims that there are has a few hundred.
const MAX_TOKEN: usize = 4096;

/// Time between two lines about refused requests: who sends many must not fill the log.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Lets requests pass that carry a token signed with the secret within the last 60 s.
#[derive(Clone, Debug)]
pub(crate) struct AuthLayer {
    secret: JwtSecret,
    refusals: Arc<Mutex<Refusals>>,
}

impl AuthLayer {
    pub(crate) fn new(secret: JwtSecret) -> Self {
        Self { secret, refusals: Arc::default() }
    }

    fn check(&self, authorization: Option<&HeaderValue>) -> Result<(), String> {
        let value = authorization.and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '));
        let token = match value {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err("no token: send `Authorization: Bearer <JWT>`".to_owned()),
        };
        if token.len() > MAX_TOKEN {
            return Err(format!("the token is longer than {MAX_TOKEN} bytes"));
        }
        self.secret.validate(token).map_err(|error| error.to_string())
    }
}

/// Requests that were refused since the last line about them.
#[derive(Debug, Default)]
struct Refusals {
    said: Option<Instant>,
    count: u64,
}

impl Refusals {
    /// One more. Returns how many there are to be said, if it is time to.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.said.is_some_and(|said| now.saturating_duration_since(said) < SAY_EVERY) {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Auth { layer: self.clone(), inner }
    }
}

/// See [`AuthLayer`].
#[derive(Clone, Debug)]
pub(crate) struct Auth<S> {
    layer: AuthLayer,
    inner: S,
}

impl<S, B> Service<HttpRequest<B>> for Auth<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = HttpResponse;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        match self.layer.check(request.headers().get(AUTHORIZATION)) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(reason) => {
                let count = self.layer.refusals.lock().count(Instant::now());
                if let Some(count) = count {
                    tracing::warn!(
                        reason,
                        count,
                        "refused at the admin port since the last such line: the reason is that of the newest"
                    );
                }
                Box::pin(async move { Ok(unauthorized(&reason)) })
            }
        }
    }
}

fn unauthorized(reason: &str) -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from(format!("{reason}\n")));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_rpc_types_engine::Claims;

    fn token(secret: &JwtSecret, seconds: i64) -> String {
        let now = Claims::with_current_timestamp().iat;
        secret.encode(&Claims { iat: now.saturating_add_signed(seconds), exp: None }).unwrap()
    }

    fn refused(authorization: &str) -> Option<String> {
        let value = HeaderValue::from_str(authorization).unwrap();
        AuthLayer::new(secret()).check(Some(&value)).err()
    }

    fn secret() -> JwtSecret {
        JwtSecret::from_hex("11".repeat(32)).unwrap()
    }

    #[test]
    fn a_token_is_good_for_a_minute_around_its_time() {
        for (seconds, good) in [(0, true), (-50, true), (50, true), (-70, false), (120, false)] {
            let refused = refused(&format!("Bearer {}", token(&secret(), seconds)));
            assert_eq!(refused.is_none(), good, "{seconds} s: {refused:?}");
        }
        assert_eq!(refused(&format!("bearer  {}", token(&secret(), 0))), None);
    }

    #[test]
    fn anything_else_is_refused() {
        let good = token(&secret(), 0);
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let other = token(&JwtSecret::random(), 0);
        // {"alg":"none"}, with and without the signature.
        let (_, claims) = signed.split_once('.').unwrap();
        let none = format!("eyJhbGciOiJub25lIn0.{claims}");
        let long = format!("{signed}.{signature}{}", "A".repeat(MAX_TOKEN));
        for token in
            [&other, signed, &format!("{signed}."), &format!("{none}."), &format!("{none}.{signature}"), &long, ""]
        {
            assert!(refused(&format!("Bearer {token}")).is_some(), "{token}");
        }
        assert!(refused(&format!("Basic {good}")).is_some());
        assert!(refused(&good).is_some());
        assert!(AuthLayer::new(secret()).check(None).is_err());
    }

    #[test]
    fn refusals_are_said_once_in_ten_seconds_and_all_are_counted() {
        let mut refusals = Refusals::default();
        let start = Instant::now();
        let mut at = |milliseconds| refusals.count(start + Duration::from_millis(milliseconds));
        assert_eq!(at(0), Some(1));
        assert_eq!((1..10_000).filter_map(&mut at).count(), 0);
        assert_eq!(at(10_000), Some(10_000));
        assert_eq!(at(19_999), None);
        assert_eq!(at(40_000), Some(2));
        assert_eq!(at(50_000), Some(1));
    }

    /// Each connection has a copy of the layer's service: together they say no more than one.
    #[tokio::test]
    async fn all_connections_count_together() {
        let layer = AuthLayer::new(secret());
        let inner = tower::service_fn(|_: HttpRequest<()>| async {
            Ok::<_, std::convert::Infallible>(HttpResponse::default())
        });
        for _ in 0..5 {
            let answer = layer.layer(inner).call(HttpRequest::default()).await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        }
        let refusals = layer.refusals.lock();
        assert!(refusals.said.is_some());
        assert_eq!(refusals.count, 4);
    }
}
