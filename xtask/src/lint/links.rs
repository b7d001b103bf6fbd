//! Relative links of the documents: the file exists, and so does the heading that an anchor names.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::command::root;

/// Documents outside `docs/`.
const DOCUMENTS: [&str; 6] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "models/README.md",
    "dist/README.md",
];
/// The folder of the book.
const BOOK: &str = "docs";
/// Its table of contents.
const SUMMARY: &str = "docs/SUMMARY.md";

/// Checks every document, and that the book's table of contents names every page.
pub fn check() -> Result<(), String> {
    eprintln!("» links of the documents");
    let root = root();
    let mut documents: Vec<PathBuf> = DOCUMENTS.iter().map(|name| root.join(name)).collect();
    let pages = markdown_below(&root.join(BOOK)).map_err(|error| format!("{BOOK}: {error}"))?;
    documents.extend(pages.iter().cloned());
    let mut faults = Vec::new();
    let mut anchors = Anchors::default();
    for document in &documents {
        let text = read(document)?;
        for link in links(&text) {
            if let Some(reason) = anchors.fault(document, &link.target) {
                let place = document.strip_prefix(&root).unwrap_or(document);
                faults.push(format!("{}:{}: {reason}", place.display(), link.line));
            }
        }
    }
    let summary = root.join(SUMMARY);
    let listed: Vec<PathBuf> =
        links(&read(&summary)?).iter().map(|link| root.join(BOOK).join(&link.target)).collect();
    for page in pages.iter().filter(|page| **page != summary && !listed.contains(page)) {
        let page = page.strip_prefix(&root).unwrap_or(page);
        faults.push(format!("{SUMMARY}: {} is not listed", page.display()));
    }
    if faults.is_empty() {
        return Ok(());
    }
    faults.iter().for_each(|fault| eprintln!("{fault}"));
    Err(format!("links of the documents: {} broken", faults.len()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn markdown_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(markdown_below(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A link and the line it stands in, from 1.
#[derive(Debug, PartialEq)]
struct Link {
    line: usize,
    target: String,
}

/// Relative links of a document: inline, images, reference definitions and `src` of HTML.
fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for (line, prose) in prose(text) {
        let mut add = |target: &str| {
            let target = target.split_whitespace().next().unwrap_or_default();
            let target = target.trim_matches(['<', '>']);
            if !target.is_empty() && !is_external(target) {
                found.push(Link { line, target: target.to_owned() });
            }
        };
        for (opening, closing) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            for rest in prose.split(opening).skip(1) {
                add(rest.split(closing).next().unwrap_or_default());
            }
        }
        if let Some((name, target)) = prose.split_once("]: ")
            && name.starts_with('[')
        {
            add(target);
        }
    }
    found
}

fn is_external(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

/// Lines outside code blocks, with their numbers and without inline code.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            lines.push((index + 1, outside));
        }
    }
    lines
}

/// The anchors of the documents read so far.
#[derive(Default)]
struct Anchors(HashMap<PathBuf, Vec<String>>);

impl Anchors {
    /// Why a link of a document leads nowhere; `None` if it leads somewhere.
    fn fault(&mut self, document: &Path, target: &str) -> Option<String> {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = if path.is_empty() {
            document.to_owned()
        } else {
            document.parent().unwrap_or(document).join(path)
        };
        if !file.exists() {
            return Some(format!("there is no {path}"));
        }
        if anchor.is_empty() || file.extension().is_none_or(|ending| ending != "md") {
            return None;
        }
        let key = file.canonicalize().unwrap_or(file);
        let anchors = self
            .0
            .entry(key)
            .or_insert_with_key(|key| anchors(&fs::read_to_string(key).unwrap_or_default()));
        let known = anchors.iter().any(|known| known == anchor);
        (!known).then(|| format!("there is no heading #{anchor} in {target}"))
    }
}

/// The anchors of a document's headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> Vec<String> {
    let mut in_code = false;
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let title = line.trim_start_matches('#');
        if in_code || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let base = slug(title);
        let mut anchor = base.clone();
        let mut count = 0;
        while found.contains(&anchor) {
            count += 1;
            anchor = format!("{base}-{count}");
        }
        found.push(anchor);
    }
    found
}

/// A heading in lower case, spaces as hyphens, without punctuation; of a link its text.
fn slug(title: &str) -> String {
    let mut text = String::new();
    let mut rest = title.trim();
    while let Some((before, after)) = rest.split_once("](") {
        text += before;
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    text += rest;
    let letters =
        text.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    letters
        .flat_map(char::to_lowercase)
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::{Anchors, Link, anchors, links};

    #[test]
    fn a_missing_file_and_a_missing_heading_are_told() {
        let folder = env::temp_dir().join(format!("xtask-links-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let page = folder.join("page.md");
        fs::write(&page, "# Here\n[a](#here)\n").unwrap();
        let mut anchors = Anchors::default();
        let mut fault = |target: &str| anchors.fault(&page, target).unwrap_or_default();
        assert_eq!(fault("#here"), "");
        assert_eq!(fault("page.md#here"), "");
        assert_eq!(fault("."), "");
        assert!(fault("#there").contains("no heading #there"));
        assert!(fault("other.md").contains("no other.md"));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn links_are_found_outside_code_only() {
        let text = "See [a](b.md#c) and ![p](d.png \"t\").\n```\n[no](x)\n```\n`[no](y)` [w](https://z)\n\
                    [r]: e.md\n<img src=\"f.png\">\n";
        let targets: Vec<(usize, String)> =
            links(text).into_iter().map(|Link { line, target }| (line, target)).collect();
        let expected = [(1, "b.md#c"), (1, "d.png"), (6, "e.md"), (7, "f.png")];
        assert_eq!(targets, expected.map(|(line, target)| (line, target.to_owned())));
    }

    #[test]
    fn headings_become_anchors_as_on_github() {
        let text = "# How good, how fast?\n## `[plan]`: images\n## [Link](x.md) here\n## Same\n## Same\n\
                    ```\n# no\n```\n#no\n";
        assert_eq!(
            anchors(text),
            ["how-good-how-fast", "plan-images", "link-here", "same", "same-1"]
        );
    }
}
