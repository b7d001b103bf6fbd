//! The server, its store and its page.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test says where")]

mod browser;
mod http;
mod security;
mod store;
mod support;
mod vendored;
