//! Who may ask: the token, the Host and the Origin of every request, and the headers of every answer.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use crate::AnnotateError;

/// Nothing from elsewhere is loaded and nothing is sent elsewhere; NiiVue's fonts are data.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// What is checked against.
pub struct Guard {
    address: SocketAddr,
    token: String,
}

impl Guard {
    /// With a token of 256 random bits.
    pub fn new(address: SocketAddr) -> Result<Self, AnnotateError> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| {
            AnnotateError::refused(format!("the system gives no random numbers ({error})"))
        })?;
        let token = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { address, token })
    }

    /// The address to open.
    pub fn url(&self) -> String {
        let mut shown = self.address;
        if shown.ip().is_unspecified() {
            shown.set_ip(if shown.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                [0_u16, 0, 0, 0, 0, 0, 0, 1].into()
            });
        }
        format!("http://{shown}/?token={}", self.token)
    }

    fn cookie_name(&self) -> String {
        // Cookies are shared by all ports of a host.
        format!("deepmir-{}", self.address.port())
    }

    /// The cookie that the page's own requests carry.
    pub fn cookie(&self) -> String {
        format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie_name(), self.token)
    }

    /// Whether a request's Host is this server by address, not by a name that somebody else's DNS
    /// may have led here.
    fn host_is_ours(&self, headers: &HeaderMap) -> bool {
        let Some(host) = text(headers, &header::HOST) else { return false };
        let port = self.address.port();
        if host == format!("localhost:{port}") {
            return true;
        }
        let Ok(asked) = host.parse::<SocketAddr>() else { return false };
        let ip_fits =
            if self.address.ip().is_unspecified() { true } else { asked.ip() == self.address.ip() };
        asked.port() == port && ip_fits
    }

    /// Whether the page that makes a request is ours.
    fn origin_is_ours(&self, method: &Method, headers: &HeaderMap, by_header: bool) -> bool {
        let host = text(headers, &header::HOST).unwrap_or_default();
        let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
        if site.is_some_and(|site| site == "cross-site" || site == "same-site") {
            return false;
        }
        match text(headers, &header::ORIGIN) {
            Some(origin) => origin == format!("http://{host}"),
            // A browser sends it with everything that changes something; a script that knows the
            // token and sends it itself acts for nobody else.
            None => by_header || method == Method::GET || method == Method::HEAD,
        }
    }

    fn is_token(&self, given: &str) -> bool {
        // Takes as long for a wrong token as for a nearly right one.
        given.len() == self.token.len()
            && given.bytes().zip(self.token.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }

    fn bears_token(&self, headers: &HeaderMap) -> bool {
        text(headers, &header::AUTHORIZATION)
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|token| self.is_token(token))
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).any(
            |value| {
                value.split(';').any(|pair| {
                    pair.trim()
                        .split_once('=')
                        .is_some_and(|(key, token)| key == name && self.is_token(token))
                })
            },
        )
    }

    /// The token in the address, which only the first page has.
    fn in_address(&self, request: &Request) -> bool {
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        uri.path() == "/"
            && query
                .split('&')
                .any(|pair| pair.strip_prefix("token=").is_some_and(|token| self.is_token(token)))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Refuses what is not ours, and marks every answer.
pub async fn check(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let guard = &app.guard;
    let headers = request.headers();
    let by_header = guard.bears_token(headers);
    let by_address = guard.in_address(&request);
    let mut response = if !guard.host_is_ours(headers) {
        (StatusCode::MISDIRECTED_REQUEST, "this server answers to its address only\n")
            .into_response()
    } else if !guard.origin_is_ours(request.method(), headers, by_header) {
        (StatusCode::FORBIDDEN, "this request comes from another page\n").into_response()
    } else if !(by_header || by_address || guard.has_cookie(headers)) {
        let words = "open the whole address that deepmir printed, with its token\n";
        (StatusCode::UNAUTHORIZED, words).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    if by_address && let Ok(cookie) = HeaderValue::from_str(&guard.cookie()) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
