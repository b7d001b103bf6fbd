//! The page of a cohort: every scan in a table, distributions, and the outliers.

use minijinja::context;
use serde::Serialize;

use crate::histogram::histogram;
use crate::page::render;
use crate::{ReportError, TextTable};

const TEMPLATE: &str = include_str!("../templates/cohort.html");

/// What the page shows.
#[derive(Clone, Debug, Default)]
pub struct CohortPage {
    /// A line under the title: how many, by which program.
    pub summary: String,
    /// Scans about which there are warnings.
    pub noticed: Vec<Noticed>,
    /// Headings, and whether the column holds numbers.
    pub columns: Vec<(String, bool)>,
    /// A row a scan.
    pub rows: Vec<CohortRow>,
    /// Values by name, for the distributions.
    pub measures: Vec<(String, Vec<f64>)>,
    /// Scans unlike the rest.
    pub outliers: Vec<OutlierCard>,
    /// More tables.
    pub tables: Vec<TextTable>,
    /// Paragraphs on what columns mean.
    pub notes: Vec<String>,
}

/// A row of the table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CohortRow {
    /// Its cells, as text.
    pub cells: Vec<String>,
    /// The page of the scan, relative to this one.
    pub link: Option<String>,
}

/// A scan about which there are warnings.
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
            noticed => self.noticed,
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
        let page = CohortPage {
            summary: "2 scans".to_owned(),
            columns: vec![("scan_id".to_owned(), false), ("cmb_count".to_owned(), true)],
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
