//! The cohort's tables: a row a scan, and a row a lesion.

use deepmir_lesion::{LesionClass, LesionRow, Region};

use super::outliers::Outlier;
use super::{Row, grade};
use crate::run::State;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(Option<String>),
    /// A number, and the digits after the point that tables show.
    Number(Option<f64>, usize),
    /// A count.
    Count(Option<i64>),
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// As written: `n/a` where there is none.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(Some(text)) => text.replace(['\t', '\n', '\r'], " "),
            Self::Number(Some(value), digits) => format!("{value:.digits$}"),
            Self::Count(Some(value)) => value.to_string(),
            Self::Text(None) | Self::Number(None, _) | Self::Count(None) => "n/a".to_owned(),
        }
    }
}

/// A table: every column holds one kind of cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Names and, to know the kind of a column in a table without rows, an empty cell of each.
    pub columns: Vec<(&'static str, Cell)>,
    /// Cells.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Tab-separated, with a header.
    pub fn tsv(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let mut text = names.join("\t") + "\n";
        for row in &self.rows {
            text += &row.iter().map(Cell::shown).collect::<Vec<_>>().join("\t");
            text.push('\n');
        }
        text
    }

    fn of(rows: Vec<Vec<(&'static str, Cell)>>, header: Vec<(&'static str, Cell)>) -> Self {
        let cells = |row: Vec<(&'static str, Cell)>| row.into_iter().map(|(_, cell)| cell);
        Self {
            columns: header
                .into_iter()
                .map(|(name, cell)| match cell {
                    Cell::Text(_) => (name, Cell::Text(None)),
                    Cell::Number(_, digits) => (name, Cell::Number(None, digits)),
                    Cell::Count(_) => (name, Cell::Count(None)),
                })
                .collect(),
            rows: rows.into_iter().map(|row| cells(row).collect()).collect(),
        }
    }
}

/// A row a scan.
pub(super) fn subjects(rows: &[Row], outliers: &[Outlier]) -> Table {
    let row = |(n, row)| scan(row, outliers.iter().filter(|outlier| outlier.row == n));
    let laid_out: Vec<_> = rows.iter().enumerate().map(row).collect();
    let header = laid_out.first().cloned().unwrap_or_default();
    Table::of(laid_out, header)
}

fn scan<'a>(row: &Row, outliers: impl Iterator<Item = &'a Outlier>) -> Vec<(&'static str, Cell)> {
    let done = row.state == State::Done;
    let of = |class| row.lesions.iter().filter(move |lesion: &&LesionRow| lesion.class == class);
    let there = |class, region: Option<Region>| {
        of(class).filter(move |lesion| region.is_none() || lesion.region == region)
    };
    let count = |class, region| Cell::Count(done.then(|| there(class, region).count() as i64));
    let volume = |class, region| {
        // The sum of nothing is minus zero.
        let sum = || there(class, region).map(|lesion| lesion.volume_mm3).sum::<f64>() + 0.0;
        Cell::Number(done.then(sum), 3)
    };
    let chi = |class| {
        let sum = of(class).map(|lesion| lesion.chi_total_ppm_mm3).sum::<Option<f64>>();
        Cell::Number(sum.filter(|_| done).map(|sum| sum + 0.0), 4)
    };
    let (cmb, nhid) = (LesionClass::Cmb, LesionClass::Nhid);
    let when_done = |text: &str| Cell::Text(done.then(|| text.to_owned()));
    let quality = row.quality.as_ref();
    let flags = quality.map(|quality| match quality.warnings.is_empty() {
        true => "none".to_owned(),
        false => quality.codes().join(","),
    });
    let unusual: Vec<&str> = outliers.map(|outlier| outlier.measure).collect();
    vec![
        ("scan_id", Cell::text(&row.scan)),
        ("participant_id", Cell::text(&row.subject)),
        ("session_id", Cell::Text(row.session.as_ref().map(|name| format!("ses-{name}")))),
        ("run_id", Cell::Text(row.run.as_ref().map(|name| format!("run-{name}")))),
        ("state", Cell::text(row.state.name())),
        ("reason", Cell::Text(row.reason.clone())),
        ("cmb_count", count(cmb, None)),
        ("cmb_grade", when_done(grade::by_number(of(cmb).count()))),
        ("cmb_pattern", when_done(grade::pattern(&row.lesions))),
        ("cmb_lobar", count(cmb, Some(Region::Lobar))),
        ("cmb_deep", count(cmb, Some(Region::Deep))),
        ("cmb_infratentorial", count(cmb, Some(Region::Infratentorial))),
        ("cmb_volume_mm3", volume(cmb, None)),
        ("cmb_lobar_volume_mm3", volume(cmb, Some(Region::Lobar))),
        ("cmb_deep_volume_mm3", volume(cmb, Some(Region::Deep))),
        ("cmb_infratentorial_volume_mm3", volume(cmb, Some(Region::Infratentorial))),
        ("cmb_chi_total_ppm_mm3", chi(cmb)),
        ("nhid_count", count(nhid, None)),
        ("nhid_volume_mm3", volume(nhid, None)),
        ("nhid_chi_total_ppm_mm3", chi(nhid)),
        ("brain_ml", Cell::Number(quality.map(|quality| quality.brain_ml), 1)),
        ("snr", Cell::Number(quality.and_then(|quality| quality.snr), 2)),
        (
            "registration_similarity",
            Cell::Number(quality.and_then(|quality| quality.registration_similarity), 4),
        ),
        (
            "chi_deviation_ppm",
            Cell::Number(quality.and_then(|quality| quality.chi_deviation_ppm), 5),
        ),
        ("flags", Cell::Text(flags)),
        ("warnings", Cell::Text((!row.warnings.is_empty()).then(|| row.warnings.join("; ")))),
        ("outlier_in", Cell::Text((!unusual.is_empty()).then(|| unusual.join(",")))),
        ("model", Cell::Text(row.model.as_ref().map(|(name, _)| name.clone()))),
        ("model_id", Cell::Text(row.model.as_ref().map(|(_, id)| id.clone()))),
    ]
}

/// A lesion of which nothing is known.
pub(crate) fn unmeasured() -> LesionRow {
    LesionRow {
        lesion_id: 0,
        class: LesionClass::Cmb,
        region: None,
        x_mm: 0.0,
        y_mm: 0.0,
        z_mm: 0.0,
        volume_mm3: 0.0,
        diameter_mm: 0.0,
        n_voxels: 0,
        mean_probability: None,
        max_probability: None,
        chi_mean_ppm: None,
        chi_total_ppm_mm3: None,
        swi_contrast: None,
        t2w_contrast: None,
        sphericity: 0.0,
        note: None,
    }
}

/// A row a lesion.
pub(super) fn lesions(rows: &[Row]) -> Table {
    let laid_out = rows
        .iter()
        .flat_map(|row| row.lesions.iter().map(|found| lesion(&row.scan, &row.subject, found)));
    Table::of(laid_out.collect(), lesion("", "", &unmeasured()))
}

fn lesion(scan: &str, subject: &str, row: &LesionRow) -> Vec<(&'static str, Cell)> {
    vec![
        ("scan_id", Cell::text(scan)),
        ("participant_id", Cell::text(subject)),
        ("lesion_id", Cell::Count(Some(row.lesion_id as i64))),
        ("class", Cell::text(row.class.name())),
        ("region", Cell::Text(row.region.map(|region| region.name().to_owned()))),
        ("x_mm", Cell::Number(Some(row.x_mm), 2)),
        ("y_mm", Cell::Number(Some(row.y_mm), 2)),
        ("z_mm", Cell::Number(Some(row.z_mm), 2)),
        ("volume_mm3", Cell::Number(Some(row.volume_mm3), 3)),
        ("diameter_mm", Cell::Number(Some(row.diameter_mm), 2)),
        ("n_voxels", Cell::Count(Some(row.n_voxels as i64))),
        ("mean_probability", Cell::Number(row.mean_probability, 4)),
        ("max_probability", Cell::Number(row.max_probability, 4)),
        ("chi_mean_ppm", Cell::Number(row.chi_mean_ppm, 4)),
        ("chi_total_ppm_mm3", Cell::Number(row.chi_total_ppm_mm3, 4)),
        ("swi_contrast", Cell::Number(row.swi_contrast, 4)),
        ("t2w_contrast", Cell::Number(row.t2w_contrast, 4)),
        ("sphericity", Cell::Number(Some(row.sphericity), 3)),
        ("note", Cell::Text(row.note.clone())),
    ]
}
