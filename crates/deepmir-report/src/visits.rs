//! The page of two visits: every change in both, side by side.

use minijinja::context;
use serde::Serialize;

use crate::page::{render, within};
use crate::subject::{Picture, data_url, picture};
use crate::{Canvas, ReportError, TextTable};

const TEMPLATE: &str = include_str!("../templates/visits.html");
/// A page is no larger than this, so that it opens from a file share and goes by mail.
const MOST_BYTES: usize = 4_000_000;

/// A lesion over two visits.
pub struct VisitsCard {
    /// Its number in the table.
    pub number: usize,
    /// CMB or NHID.
    pub class: &'static str,
    /// What became of it.
    pub change: &'static str,
    /// What was measured: name, baseline, follow-up.
    pub facts: Vec<[String; 3]>,
    /// The same place at the baseline and at the follow-up; none for those that are in the table alone.
    pub pictures: Option<[Canvas; 2]>,
}

/// Everything that the page of two visits shows.
#[derive(Default)]
pub struct VisitsPage {
    /// Both scans.
    pub title: String,
    /// Whether the scans are comparable, in words.
    pub verdict: String,
    /// Whether the verdict is one of caution or worse.
    pub caution: bool,
    /// Why.
    pub reasons: Vec<String>,
    /// What was found, in sentences.
    pub summary: Vec<String>,
    /// The sheet that a reader completes and signs: name and value, an empty value for the reader.
    pub sheet: Vec<(String, String)>,
    /// How many of which class and change.
    pub counts: TextTable,
    /// Findings too large for a microbleed, baseline and follow-up; not counted.
    pub large: TextTable,
    /// Lesions that changed, then those that did not.
    pub cards: Vec<VisitsCard>,
    /// What was noticed about the images, a sentence each.
    pub warnings: Vec<String>,
    /// Name, baseline and follow-up of what was measured of the scans.
    pub quality: TextTable,
    /// Pictures to check the registration by, with their titles.
    pub checks: Vec<(String, Canvas)>,
    /// The methods paragraph.
    pub methods: String,
    /// Name and value of whatever the result depends on.
    pub provenance: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Card<'a> {
    number: usize,
    class: &'a str,
    change: &'a str,
    facts: &'a [[String; 3]],
    pictures: Option<[String; 2]>,
}

impl VisitsPage {
    /// The page: one HTML file of 4 MB at most that loads nothing else.
    ///
    /// # Errors
    /// If a picture cannot be encoded.
    pub fn html(&self) -> Result<String, ReportError> {
        within(MOST_BYTES, |quality| self.html_of(quality))
    }

    fn html_of(&self, quality: u8) -> Result<String, ReportError> {
        let mut cards = Vec::new();
        for VisitsCard { number, class, change, facts, pictures } in &self.cards {
            let pictures = match pictures {
                Some([one, other]) => Some([encoded(one, quality)?, encoded(other, quality)?]),
                None => None,
            };
            cards.push(Card { number: *number, class, change, facts, pictures });
        }
        let (stable, changed): (Vec<_>, Vec<_>) =
            cards.into_iter().partition(|card| card.change == "stable");
        let checks = self.checks.iter();
        let checks = checks.map(|(title, canvas)| picture(title.clone(), canvas, quality));
        let checks: Vec<Picture> = checks.collect::<Result<_, _>>()?;
        let values = context! {
            title => self.title,
            verdict => self.verdict,
            caution => self.caution,
            reasons => self.reasons,
            summary => self.summary,
            sheet => self.sheet,
            counts => self.counts,
            large => self.large,
            changed => changed,
            stable => stable,
            warnings => self.warnings,
            quality => self.quality,
            checks => checks,
            methods => self.methods,
            provenance => self.provenance,
        };
        render(TEMPLATE, values)
    }
}

fn encoded(canvas: &Canvas, quality: u8) -> Result<String, ReportError> {
    Ok(data_url("image/jpeg", &canvas.jpeg_of(quality)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_changes_and_folds_what_is_stable() {
        let card = |number, change| VisitsCard {
            number,
            class: "CMB",
            change,
            facts: vec![["volume".to_owned(), "1.0 mm³".to_owned(), "<2> mm³".to_owned()]],
            pictures: Some([Canvas::new(8, 8), Canvas::new(8, 8)]),
        };
        let page = VisitsPage {
            title: "sub-<1>".to_owned(),
            verdict: "comparable with caution".to_owned(),
            caution: true,
            reasons: vec!["echo time: 20 and 30 ms".to_owned()],
            summary: vec!["One new microbleed.".to_owned()],
            sheet: vec![("superficial siderosis".to_owned(), String::new())],
            cards: vec![card(1, "new"), card(2, "stable")],
            ..VisitsPage::default()
        };
        let html = page.html().unwrap();
        assert!(html.contains("sub-&lt;1&gt;") && html.contains("&lt;2&gt; mm³"));
        assert_eq!(html.matches("data:image/jpeg").count(), 4);
        let folded = html.find("<details").unwrap();
        assert!(html.find("lesion-1").unwrap() < folded && html.find("lesion-2").unwrap() > folded);
        for what in ["http://", "https://", "src=\"/", "@import", "<script"] {
            assert!(!html.contains(what), "{what}");
        }
    }
}
