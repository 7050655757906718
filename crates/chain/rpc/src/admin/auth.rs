//! Who does not know the secret gets a 401 and nothing else.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use alloy_rpc_types_engine::JwtSecret;
use http::{
    HeaderValue, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use tower::{Layer, Service};

/// Longest token that is looked at, in bytes. One with all claims that there are has a few hundred.
const MAX_TOKEN: usize = 4096;

/// Lets requests pass that carry a token signed with the secret within the last 60 s.
#[derive(Clone, Debug)]
pub(crate) struct AuthLayer(pub(crate) JwtSecret);

impl AuthLayer {
    fn check(&self, authorization: Option<&HeaderValue>) -> Result<(), String> {
        let value = authorization.and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '));
        let token = match value {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err("no token: send `Authorization: Bearer <JWT>`".to_owned()),
        };
        if token.len() > MAX_TOKEN {
            return Err(format!("the token is longer than {MAX_TOKEN} bytes"));
        }
        self.0.validate(token).map_err(|error| error.to_string())
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
                tracing::warn!(reason, "a request to the admin port was refused");
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
        AuthLayer(secret()).check(Some(&value)).err()
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
        assert!(AuthLayer(secret()).check(None).is_err());
    }
}
