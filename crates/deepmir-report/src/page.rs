//! The template that all pages share: one file that loads nothing else, in one style, escaped.

use minijinja::{AutoEscape, Environment, Value};

use crate::ReportError;

/// Head, style and print rules of every page.
const PAGE: &str = include_str!("../templates/page.html");

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
    environment.add_template("this", template).map_err(fault)?;
    environment.get_template("this").and_then(|page| page.render(values)).map_err(fault)
}
