//! The page of a cohort: every scan in a table, distributions, and the outliers.

use minijinja::context;
use serde::Serialize;

use crate::histogram::histogram;
use crate::page::render;
use crate::{Figure, GlassView, ReportError, TextTable};

const TEMPLATE: &str = include_str!("../templates/cohort.html");
const SCRIPT: &str = include_str!("../templates/cohort.js");

/// What the page shows.
#[derive(Clone, Debug, Default)]
pub struct CohortPage {
    /// A line under the title: how many, by which program.
    pub summary: String,
    /// Scans that were skipped or failed, with the reasons.
    pub failed: Vec<Noticed>,
    /// Scans about which there are warnings.
    pub noticed: Vec<Noticed>,
    /// What the columns are.
    pub columns: Vec<CohortColumn>,
    /// A row a scan.
    pub rows: Vec<CohortRow>,
    /// Tables behind that of the scans.
    pub leading: Vec<TextTable>,
    /// Plots of how many lesions there are.
    pub figures: Vec<Figure>,
    /// Where they lie.
    pub frequency: Vec<GlassView>,
    /// Values by name, for the distributions.
    pub measures: Vec<(String, Vec<f64>)>,
    /// Scans unlike the rest.
    pub outliers: Vec<OutlierCard>,
    /// More tables.
    pub tables: Vec<TextTable>,
    /// Paragraphs on what columns mean.
    pub notes: Vec<String>,
}

/// A column of the table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CohortColumn {
    /// As in the table on disk, and in filters.
    pub name: String,
    /// As people call it.
    pub label: String,
    /// Its unit, if it has one.
    pub unit: String,
    /// What it is, in a sentence.
    pub meaning: String,
    /// Whether it holds numbers.
    pub is_number: bool,
    /// Whether it is shown before anybody chooses.
    pub is_chosen: bool,
}

/// A row of the table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CohortRow {
    /// Its cells, as text.
    pub cells: Vec<String>,
    /// The page of the scan, relative to this one.
    pub link: Option<String>,
}

/// A scan, and what there is to say about it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Noticed {
    /// The scan.
    pub scan: String,
    /// Its page, relative to this one.
    pub link: Option<String>,
    /// A sentence each.
    pub warnings: Vec<String>,
}

/// One outlier in the gallery.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OutlierCard {
    /// The scan.
    pub scan: String,
    /// What about it.
    pub what: String,
    /// Its page, relative to this one.
    pub link: Option<String>,
    /// A small picture, as a `data:` address ([`crate::thumbnail`]).
    pub picture: Option<String>,
}

impl CohortPage {
    /// The page: one HTML file that loads nothing else.
    ///
    /// # Errors
    /// If it cannot be rendered.
    pub fn html(&self) -> Result<String, ReportError> {
        let data = serde_json::json!({ "columns": self.columns, "rows": self.rows }).to_string();
        let charts: Vec<(&str, String)> = self
            .measures
            .iter()
            .map(|(name, values)| (name.as_str(), histogram(values)))
            .filter(|(_, svg)| !svg.is_empty())
            .collect();
        let values = context! {
            summary => self.summary,
            // Inside a script element only `<` could end it.
            data => data.replace('<', "\\u003c"),
            scans => self.rows.len(),
            failed => self.failed,
            noticed => self.noticed,
            leading => self.leading,
            figures => self.figures,
            frequency => self.frequency,
            script => SCRIPT,
            charts => charts,
            outliers => self.outliers,
            tables => self.tables,
            notes => self.notes,
        };
        render(TEMPLATE, values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_its_data_and_asks_for_nothing() {
        let column = |name: &str, is_number| CohortColumn {
            name: name.to_owned(),
            is_number,
            ..CohortColumn::default()
        };
        let page = CohortPage {
            summary: "2 scans".to_owned(),
            columns: vec![column("scan_id", false), column("cmb_count", true)],
            rows: vec![CohortRow {
                cells: vec!["</script><b>".to_owned(), "3".to_owned()],
                link: Some("../sub-01/a.html".to_owned()),
            }],
            measures: vec![("cmb_count".to_owned(), vec![1.0, 2.0])],
            outliers: vec![OutlierCard { scan: "sub-<2>".to_owned(), ..Default::default() }],
            ..CohortPage::default()
        };
        let html = page.html().unwrap();
        assert_eq!(html.matches("</script>").count(), 2, "the data and the script, no more");
        assert!(html.contains("sub-&lt;2&gt;") && html.contains("<svg"));
        let plain = html.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http://", "https://", "@import", "src=\"/", "fetch(", "XMLHttp"] {
            assert!(!plain.contains(outside), "{outside}");
        }
    }
}
