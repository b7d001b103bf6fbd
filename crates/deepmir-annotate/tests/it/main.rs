//! The server, its store and its page.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

mod browser;
mod candidates;
mod http;
mod results;
mod security;
mod store;
mod support;
mod vendored;
mod visits;
