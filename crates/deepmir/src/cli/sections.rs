//! What a long help text has below its options: examples, files, exit statuses.

use std::fmt::Write;

use clap::builder::{StyledStr, Styles};

/// Exit statuses of verbs that work on one thing.
pub const EXIT_STATUS: (&str, &str) = (
    "Exit status",
    "  0  success
  1  the command or its input is wrong; the message names the remedy
  2  internal error",
);

/// Titled paragraphs, shown by `--help` below the options. Lines of the text are kept as they are.
pub fn sections(parts: &[(&str, &str)]) -> StyledStr {
    let header = *Styles::styled().get_header();
    let mut text = String::new();
    for (n, (title, body)) in parts.iter().enumerate() {
        let gap = if n == 0 { "" } else { "\n\n" };
        // A String takes whatever is written.
        let _ = write!(text, "{gap}{header}{title}:{header:#}\n{body}");
    }
    text.into()
}

/// The titles and paragraphs of a text made by [`sections`].
pub fn split(text: &StyledStr) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in text.to_string().lines() {
        let title = line.strip_suffix(':').filter(|title| !title.starts_with(' '));
        match (title, parts.last_mut()) {
            (Some(title), _) => parts.push((title.to_owned(), String::new())),
            (None, Some((_, body))) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    parts
}
