//! The page of one subject: what was found, its lesions close up, and how it was found.

mod cards;
mod summary;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deepmir_lesion::{CountInterval, LabelMap, Lesion, LesionClass, LesionRow, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Mask, Volume};
use minijinja::context;
use serde::Serialize;

use crate::closeup::{CloseUps, FIELD_MM, GAP, HEIGHT, SIDE, diverging};
use crate::glass::{Mark, glass_brain};
use crate::page::{render, within};
use crate::{Canvas, Mosaic, Paint, Pane, ReportError, Shown, class_colour};

const TEMPLATE: &str = include_str!("../../templates/subject.html");
const SCRIPT: &str = include_str!("../../templates/subject.js");
/// A page is no larger than this, so that it opens from a file share and goes by mail.
const MOST_BYTES: usize = 4_000_000;
/// Colours of the bar beside a diverging map.
const STOPS: usize = 9;

/// Headings and rows of a table of text.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TextTable {
    /// What it is.
    pub title: String,
    /// Column headings.
    pub header: Vec<String>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
}

/// A candidate that was not called a lesion.
pub struct NearMiss<'a> {
    /// Its voxels.
    pub lesion: &'a Lesion,
    /// Its measures.
    pub row: LesionRow,
    /// The probability that it is a lesion.
    pub probability: f32,
    /// Why it was not called, in plain words.
    pub reason: String,
}

/// Everything that the page of a subject shows.
pub struct SubjectReport<'a> {
    /// The subject.
    pub id: String,
    /// Images on one grid, the reference first.
    pub images: Vec<Shown<'a>>,
    /// What the close-ups show, on the same grid.
    pub panes: Vec<Pane<'a>>,
    /// What was found, in the order of the table.
    pub lesions: Vec<&'a Lesion>,
    /// The brain.
    pub brain: &'a Mask,
    /// Numbers of the regions of MARS plus one, on any grid, for the overview.
    pub mars: Option<&'a Volume<u8>>,
    /// The lesion table.
    pub rows: &'a [LesionRow],
    /// The probability that each is a lesion, in the order of the table, where the model has a candidate
    /// classifier; else empty.
    pub lesion_probabilities: Vec<f32>,
    /// Mean paramagnetic and diamagnetic susceptibility of each lesion in ppm; empty where they were not separated.
    pub parts: Vec<[Option<f64>; 2]>,
    /// Why each was called, in plain words.
    pub reasons: Vec<String>,
    /// The most probable candidates that were not called.
    pub near_misses: Vec<NearMiss<'a>>,
    /// How many lesions of each class there are, where that is known.
    pub count_intervals: BTreeMap<LesionClass, CountInterval>,
    /// How many findings are told but not counted.
    pub large_findings: usize,
    /// The true label map, where it is known.
    pub truth: Option<&'a LabelMap>,
    /// More tables, such as an evaluation.
    pub tables: Vec<TextTable>,
    /// Pictures to check the subject by, with their titles.
    pub checks: Vec<(String, Canvas)>,
    /// What was noticed about the images that may make the result wrong, a sentence each.
    pub warnings: Vec<String>,
    /// Name and value of what was measured of the images' quality.
    pub quality: Vec<(String, String)>,
    /// The methods paragraph.
    pub methods: String,
    /// Name and value of whatever the result depends on: versions, checksums, settings.
    pub provenance: Vec<(String, String)>,
}

#[derive(Serialize)]
pub(crate) struct Picture {
    title: String,
    source: String,
    width: u32,
}

impl SubjectReport<'_> {
    /// The page: one HTML file of 4 MB at most that loads nothing else. With very many lesions its
    /// pictures are compressed more.
    ///
    /// # Errors
    /// If a picture cannot be encoded.
    pub fn html(&self) -> Result<String, ReportError> {
        let [lesions, near] = cards::regions(self);
        let close = CloseUps::new(&self.panes, &lesions, &near, self.brain.grid());
        let marks = self.rows.iter().map(|row| Mark {
            number: row.lesion_id,
            class: row.class,
            centre_mm: [row.x_mm, row.y_mm, row.z_mm],
            diameter_mm: row.diameter_mm,
        });
        let glass = glass_brain(self.brain, self.mars, &marks.collect::<Vec<_>>());
        let mosaics = self.mosaics();
        within(MOST_BYTES, |quality| {
            let pictures = mosaics.iter().chain(&self.checks);
            let pictures = pictures.map(|(title, canvas)| picture(title.clone(), canvas, quality));
            let mut mosaics = pictures.collect::<Result<Vec<_>, _>>()?;
            let checks = mosaics.split_off(mosaics.len() - self.checks.len());
            let colour = |class| {
                let [red, green, blue] = class_colour(class);
                format!("rgb({red},{green},{blue})")
            };
            let values = context! {
                id => self.id,
                counts => LesionClass::ALL.map(|class| {
                    let count = self.rows.iter().filter(|row| row.class == class).count();
                    (class.name(), count)
                }),
                summary => summary::sentences(self),
                colours => [colour(LesionClass::Cmb), colour(LesionClass::Nhid)],
                glass => glass,
                has_parts => self.mars.is_some(),
                columns => cards::COLUMNS,
                rows => cards::table(self),
                lesions => cards::lesions(self, &close, quality)?,
                near_misses => cards::near_misses(self, &close, quality)?,
                side => SIDE,
                tall => HEIGHT,
                step => SIDE + GAP,
                bar => 5.0 / FIELD_MM * SIDE as f64,
                limit => self.limit(),
                stops => stops(),
                mosaics => mosaics,
                tables => self.tables,
                checks => checks,
                warnings => self.warnings,
                quality => self.quality,
                methods => self.methods,
                provenance => self.provenance,
                script => SCRIPT,
            };
            render(TEMPLATE, values)
        })
    }

    /// The reference image with what was found and, where it is known, what is there.
    fn mosaics(&self) -> Vec<(String, Canvas)> {
        let Some(shown) = self.images.first() else { return Vec::new() };
        let draw = |what: &str, lesions: &[&Lesion]| {
            let lesions = lesions.iter().copied();
            let mosaic = Mosaic::new(shown.volume, lesions, self.brain, shown.window);
            (format!("{}, {what} lesions outlined", shown.name), mosaic.draw())
        };
        let mut mosaics = vec![draw("found", &self.lesions)];
        if let Some(truth) = self.truth {
            let truth = lesions_of(truth, Connectivity::TwentySix);
            mosaics.push(draw("true", &truth.iter().collect::<Vec<_>>()));
        }
        mosaics
    }

    /// Where the colours of a diverging map are full.
    fn limit(&self) -> Option<String> {
        self.panes.iter().find_map(|pane| match pane.paint {
            Paint::Diverging(limit) => Some(limit.to_string()),
            Paint::Grey(_) | Paint::Lowest(_) => None,
        })
    }
}

/// Place in percent and colour along the bar of a diverging map.
fn stops() -> Vec<(f32, String)> {
    let share = |n: usize| n as f32 / (STOPS - 1) as f32;
    let stop = |n: usize| {
        let [red, green, blue] = diverging(2.0 * share(n) - 1.0);
        (100.0 * share(n), format!("rgb({red},{green},{blue})"))
    };
    (0..STOPS).map(stop).collect()
}

pub(crate) fn picture(title: String, canvas: &Canvas, quality: u8) -> Result<Picture, ReportError> {
    let source = data_url("image/jpeg", &canvas.jpeg_of(quality)?);
    Ok(Picture { title, source, width: canvas.size().0 })
}

pub(crate) fn data_url(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests;
