//! The page of a study: sections of text, tables, plots and pictures in one file.

use minijinja::context;
use serde::Serialize;

use crate::page::render;
use crate::subject::data_url;
use crate::{Canvas, ReportError, TextTable};

const TEMPLATE: &str = include_str!("../templates/study.html");

/// A page that loads nothing else and prints well.
#[derive(Debug, Default)]
pub struct StudyPage {
    /// What kind of result it is, in a word or two.
    pub kind: &'static str,
    /// On top.
    pub title: String,
    /// What was done, in a few sentences.
    pub lead: Vec<String>,
    /// Limits that a reader must know.
    pub warnings: Vec<String>,
    /// The rest.
    pub sections: Vec<Section>,
    /// Name and value of whatever the result depends on.
    pub provenance: Vec<(String, String)>,
}

/// A part of a page.
#[derive(Debug, Default)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// Paragraphs.
    pub text: Vec<String>,
    /// Plots, as SVG.
    pub figures: Vec<Figure>,
    /// Tables; a line break in a cell stays one.
    pub tables: Vec<TextTable>,
    /// Pictures with what is known of them.
    pub cards: Vec<Card>,
}

/// A plot.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figure {
    /// Below it.
    pub caption: String,
    /// As made by [`curves`](crate::curves) and [`intervals`](crate::intervals).
    pub svg: String,
}

/// A picture with what is known of it.
#[derive(Debug)]
pub struct Card {
    /// Above it.
    pub title: String,
    /// The picture.
    pub picture: Canvas,
    /// Names and values.
    pub facts: Vec<(String, String)>,
}

#[derive(Serialize)]
struct ShownSection<'a> {
    title: &'a str,
    text: &'a [String],
    figures: &'a [Figure],
    tables: &'a [TextTable],
    cards: Vec<ShownCard<'a>>,
}

#[derive(Serialize)]
struct ShownCard<'a> {
    title: &'a str,
    source: String,
    facts: &'a [(String, String)],
}

impl StudyPage {
    /// The page.
    ///
    /// # Errors
    /// If a picture cannot be encoded.
    pub fn html(&self) -> Result<String, ReportError> {
        let sections =
            self.sections.iter().map(Section::shown).collect::<Result<Vec<_>, ReportError>>()?;
        let values = context! {
            kind => self.kind,
            title => self.title,
            lead => self.lead,
            warnings => self.warnings,
            sections => sections,
            provenance => self.provenance,
        };
        render(TEMPLATE, values)
    }
}

impl Section {
    fn shown(&self) -> Result<ShownSection<'_>, ReportError> {
        let card = |card: &Card| Ok(data_url("image/jpeg", &card.picture.jpeg()?));
        let pictures = self.cards.iter().map(card).collect::<Result<Vec<_>, ReportError>>()?;
        let cards = self.cards.iter().zip(pictures).map(|(card, source)| ShownCard {
            title: &card.title,
            source,
            facts: &card.facts,
        });
        Ok(ShownSection {
            title: &self.title,
            text: &self.text,
            figures: &self.figures,
            tables: &self.tables,
            cards: cards.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_everything_and_asks_for_nothing() {
        let page = StudyPage {
            kind: "study",
            title: "Inputs <1>".to_owned(),
            lead: vec!["Three arms.".to_owned()],
            warnings: vec!["Simulated & small.".to_owned()],
            sections: vec![Section {
                title: "Results".to_owned(),
                figures: vec![Figure {
                    caption: "F1".to_owned(),
                    svg: "<svg><circle/></svg>".to_owned(),
                }],
                tables: vec![TextTable {
                    title: "CMB".to_owned(),
                    header: vec!["arm".to_owned()],
                    rows: vec![vec!["SWI & QSM\n0.5 ± 0.1".to_owned()]],
                }],
                cards: vec![Card {
                    title: "missed".to_owned(),
                    picture: Canvas::new(4, 4),
                    facts: vec![("scan".to_owned(), "sub-01".to_owned())],
                }],
                ..Section::default()
            }],
            provenance: vec![("program".to_owned(), "deepmir".to_owned())],
        };
        let html = page.html().unwrap();
        for text in [
            "Inputs &lt;1&gt;",
            "Simulated &amp; small.",
            "<svg><circle/></svg>",
            "SWI &amp; QSM\n0.5 ± 0.1",
            "data:image/jpeg",
            "sub-01",
        ] {
            assert!(html.contains(text), "{text}");
        }
        for outside in ["http://", "https://", "src=\"/", "@import", "<script"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
