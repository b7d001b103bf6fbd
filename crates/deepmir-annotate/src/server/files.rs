//! The page's own files, which are part of the program.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

#[derive(rust_embed::RustEmbed)]
#[folder = "page"]
struct Page;

/// The page.
pub async fn index() -> Response {
    file(Path("index.html".to_owned())).await
}

/// Its scripts and styles. Only names of embedded files mean anything; none is looked up on disk.
pub async fn file(Path(name): Path<String>) -> Response {
    let Some(file) = Page::get(&name) else { return nothing().await };
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    };
    ([(header::CONTENT_TYPE, kind)], file.data).into_response()
}

/// The protocol, as shown beside the images.
pub async fn protocol() -> Response {
    let text = include_str!("../../../../docs/protocol.md");
    let options = pulldown_cmark::Options::ENABLE_TABLES;
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new_ext(text, options));
    Html(html).into_response()
}

/// For every other address.
pub async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "there is nothing here\n").into_response()
}
