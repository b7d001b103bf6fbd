//! The template that all pages share: one file that loads nothing else, in one style, escaped.

use minijinja::{AutoEscape, Environment, Value};

use crate::ReportError;

/// Head, style and print rules of every page.
const PAGE: &str = include_str!("../templates/page.html");
/// A lesion close up.
const CARD: &str = include_str!("../templates/card.html");

/// Qualities of a page's pictures, until it is small enough.
const JPEG_QUALITIES: [u8; 5] = [88, 75, 55, 35, 20];

/// A page of `most` bytes, made with pictures of the quality that it is given. With the lowest it may be larger.
///
/// # Errors
/// As making it.
pub(crate) fn within(
    most: usize,
    page_of: impl Fn(u8) -> Result<String, ReportError>,
) -> Result<String, ReportError> {
    let mut page = String::new();
    for quality in JPEG_QUALITIES {
        page = page_of(quality)?;
        if page.len() <= most {
            break;
        }
    }
    Ok(page)
}

/// Fills a template that extends `page`. Values are escaped unless the template marks them as
/// safe.
///
/// # Errors
/// If it cannot be rendered.
pub(crate) fn render(template: &'static str, values: Value) -> Result<String, ReportError> {
    let fault = |error: minijinja::Error| ReportError::Draw { reason: error.to_string() };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page", PAGE).map_err(fault)?;
    environment.add_template("card", CARD).map_err(fault)?;
    environment.add_template("this", template).map_err(fault)?;
    environment.get_template("this").and_then(|page| page.render(values)).map_err(fault)
}
