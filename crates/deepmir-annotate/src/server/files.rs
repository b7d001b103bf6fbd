//! The page's own files, which are part of the program.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// Names below the folder `page`, each with its content.
macro_rules! embedded {
    ($($name:literal,)*) => {
        &[$((
            $name,
            include_bytes!(concat!("../../page/", $name)).as_slice(),
        )),*]
    };
}

static PAGE: &[(&str, &[u8])] = embedded![
    "icon.svg",
    "index.html",
    "js/api.js",
    "js/app.js",
    "js/brush.js",
    "js/frames.js",
    "js/keys.js",
    "js/lists.js",
    "js/marks.js",
    "js/niivue.js",
    "js/panes.js",
    "js/pointers.js",
    "js/results.js",
    "js/sheet.js",
    "js/state.js",
    "js/viewer.js",
    "js/work.js",
    "style.css",
    "vendor/LICENSE.niivue.txt",
    "vendor/README.md",
    "vendor/niivue-0.69.0.umd.js",
];

/// The page.
pub async fn index() -> Response {
    file(Path("index.html".to_owned())).await
}

/// Its scripts and styles. Only names of embedded files mean anything; none is looked up on disk.
pub async fn file(Path(name): Path<String>) -> Response {
    let Some((_, content)) = PAGE.iter().find(|(embedded, _)| *embedded == name) else {
        return nothing().await;
    };
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    };
    ([(header::CONTENT_TYPE, kind)], *content).into_response()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::PAGE;

    fn files(folder: &Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_file_of_the_page_is_in_the_program() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let mut there: Vec<String> = files(&folder)
            .iter()
            .map(|file| file.strip_prefix(&folder).unwrap().to_str().unwrap().replace('\\', "/"))
            .collect();
        there.sort_unstable();
        let mut embedded: Vec<&str> = PAGE.iter().map(|(name, _)| *name).collect();
        embedded.sort_unstable();
        assert_eq!(embedded, there, "the table in files.rs lists the folder `page`");
    }
}
