//! The page of one subject: its lesions, in slices and close-ups.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deepmir_lesion::{Certainty, LabelMap, Lesion, LesionClass, LesionRow, Region, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Mask, Volume};
use minijinja::context;
use serde::Serialize;

use crate::page::{render, within};
use crate::patches::{Patches, Shown};
use crate::{Canvas, Mosaic, ReportError, class_colour};

const TEMPLATE: &str = include_str!("../templates/subject.html");
/// Lesions that are shown close up; the rest are in the table.
const MOST_PATCHES: usize = 40;
/// A page is no larger than this, so that it opens from a file share and goes by mail.
const MOST_BYTES: usize = 3_000_000;

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

/// Everything that the page of a subject shows.
pub struct SubjectReport<'a> {
    /// The subject.
    pub id: String,
    /// Images on one grid, the reference first.
    pub images: Vec<Shown<'a>>,
    /// What was found, in the order of the table.
    pub lesions: Vec<&'a Lesion>,
    /// Probability of a lesion of any class, for the close-ups.
    pub probability: Option<Volume<f32>>,
    /// The brain.
    pub brain: &'a Mask,
    /// The lesion table.
    pub rows: &'a [LesionRow],
    /// The probability that each is a lesion, in the order of the table, where the model has a candidate
    /// classifier; else empty.
    pub lesion_probabilities: Vec<f32>,
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

#[derive(Serialize)]
struct LesionCard {
    id: usize,
    class: &'static str,
    patches: Option<String>,
    facts: Vec<(&'static str, String)>,
    note: Option<String>,
}

impl SubjectReport<'_> {
    /// The page: one HTML file of 3 MB at most that loads nothing else. With very many lesions its
    /// pictures are compressed more.
    ///
    /// # Errors
    /// If a picture cannot be encoded.
    pub fn html(&self) -> Result<String, ReportError> {
        within(MOST_BYTES, |quality| self.html_of(quality))
    }

    fn html_of(&self, quality: u8) -> Result<String, ReportError> {
        let counts: Vec<(&str, usize)> = LesionClass::ALL
            .iter()
            .map(|&class| (class.name(), self.rows.iter().filter(|row| row.class == class).count()))
            .collect();
        let colour = |class| {
            let [red, green, blue] = class_colour(class);
            format!("rgb({red},{green},{blue})")
        };
        let values = context! {
            id => self.id,
            counts => counts,
            colours => [colour(LesionClass::Cmb), colour(LesionClass::Nhid)],
            mosaics => self.mosaics(quality)?,
            lesions => self.cards(quality)?,
            tables => self.tables,
            checks => self.checks(quality)?,
            warnings => self.warnings,
            quality => self.quality,
            methods => self.methods,
            provenance => self.provenance,
        };
        render(TEMPLATE, values)
    }

    fn mosaics(&self, quality: u8) -> Result<Vec<Picture>, ReportError> {
        let mut pictures = Vec::new();
        let mut add = |title: String, shown: &Shown<'_>, lesions: &[&Lesion]| {
            let lesions = lesions.iter().copied();
            let canvas = Mosaic::new(shown.volume, lesions, self.brain, shown.window).draw();
            picture(title, &canvas, quality).map(|picture| pictures.push(picture))
        };
        for shown in &self.images {
            add(format!("{}, found lesions outlined", shown.name), shown, &self.lesions)?;
        }
        if let (Some(truth), Some(shown)) = (self.truth, self.images.first()) {
            let truth = lesions_of(truth, Connectivity::TwentySix);
            let truth: Vec<&Lesion> = truth.iter().collect();
            add(format!("{}, true lesions outlined", shown.name), shown, &truth)?;
        }
        Ok(pictures)
    }

    fn checks(&self, quality: u8) -> Result<Vec<Picture>, ReportError> {
        self.checks.iter().map(|(title, canvas)| picture(title.clone(), canvas, quality)).collect()
    }

    fn cards(&self, quality: u8) -> Result<Vec<LesionCard>, ReportError> {
        let mut shown = self.images.clone();
        shown.extend(self.probability.as_ref().map(|volume| Shown {
            name: "probability".to_owned(),
            volume,
            window: crate::Window { low: 0.0, high: 1.0 },
        }));
        let patches = Patches::new(&shown, self.lesions.iter().copied(), self.brain.grid());
        let mut by_size: Vec<&LesionRow> = self.rows.iter().collect();
        by_size.sort_by(|a, b| b.volume_mm3.total_cmp(&a.volume_mm3));
        let close_up: Vec<usize> =
            by_size.iter().take(MOST_PATCHES).map(|row| row.lesion_id).collect();
        self.rows
            .iter()
            .enumerate()
            .map(|(n, row)| {
                let patches = close_up
                    .contains(&row.lesion_id)
                    .then(|| patches.draw([row.x_mm, row.y_mm, row.z_mm]).jpeg_of(quality));
                Ok(LesionCard {
                    id: row.lesion_id,
                    class: row.class.name(),
                    patches: patches.transpose()?.map(|bytes| data_url("image/jpeg", &bytes)),
                    facts: facts(row, self.lesion_probabilities.get(n)),
                    note: row.note.clone(),
                })
            })
            .collect()
    }
}

fn facts(row: &LesionRow, probability: Option<&f32>) -> Vec<(&'static str, String)> {
    let maybe = |value: Option<f64>, digits: usize| {
        value.map_or("n/a".to_owned(), |value| format!("{value:.digits$}"))
    };
    let mut facts = vec![
        ("certainty", row.certainty.map_or("n/a", Certainty::name).to_owned()),
        ("place", place(row)),
        ("centre", format!("{:.1}, {:.1}, {:.1} mm", row.x_mm, row.y_mm, row.z_mm)),
        ("volume", format!("{:.1} mm³ ({} voxels)", row.volume_mm3, row.n_voxels)),
        ("diameter", diameter(row)),
        ("highest voxel probability", maybe(row.max_probability, 2)),
        ("mean susceptibility", format!("{} ppm", maybe(row.chi_mean_ppm, 3))),
        ("total susceptibility", format!("{} ppm·mm³", maybe(row.chi_total_ppm_mm3, 2))),
        ("SWI contrast", maybe(row.swi_contrast, 2)),
        ("T2w contrast", maybe(row.t2w_contrast, 2)),
        ("sphericity", format!("{:.2}", row.sphericity)),
    ];
    if let Some(probability) = probability {
        facts.insert(0, ("probability", format!("{probability:.2}")));
    }
    facts
}

/// `frontal lobe (lobar), left`, as far as it is known.
fn place(row: &LesionRow) -> String {
    let region = row.region.map_or("n/a", Region::name);
    let Some(mars) = row.mars_region else { return region.to_owned() };
    let lobe = row.lobe.filter(|_| mars.lobe().is_none());
    let lobe = lobe.map_or(String::new(), |lobe| format!(" near the {} lobe", lobe.name()));
    let side = row.side.map_or(String::new(), |side| format!(", {}", side.name()));
    format!("{} ({region}){lobe}{side}", mars.name())
}

fn diameter(row: &LesionRow) -> String {
    let size = row.bombs_size.map_or(String::new(), |size| format!(" (BOMBS {} mm)", size.name()));
    format!("{:.1} mm{size}", row.diameter_mm)
}

pub(crate) fn picture(title: String, canvas: &Canvas, quality: u8) -> Result<Picture, ReportError> {
    let source = data_url("image/jpeg", &canvas.jpeg_of(quality)?);
    Ok(Picture { title, source, width: canvas.size().0 })
}

pub(crate) fn data_url(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Window;
    use deepmir_lesion::{Lobe, MarsRegion, MeasuredImages, Side};
    use deepmir_volume::{Affine, Grid};

    #[test]
    fn the_page_shows_every_lesion_and_asks_for_nothing() {
        let affine = Affine::from_spacing([1.0, 1.0, 1.0], [-20.0, -20.0, -20.0]);
        let grid = Grid::new([40, 40, 40], affine).unwrap();
        let brain: Mask = Volume::from_fn(grid, |voxel| {
            grid.position_mm(voxel).iter().map(|x| x * x).sum::<f64>() < 300.0
        });
        let swi = brain.map(|&inside| if inside { 0.5 } else { 0.0 });
        let mut labels = LabelMap::empty(grid);
        labels.paint(&[grid.index([10, 20, 10])], LesionClass::Cmb);
        labels.paint(&[grid.index([25, 22, 14])], LesionClass::Nhid);
        let images = MeasuredImages { swi: Some(&swi), brain: Some(&brain), ..Default::default() };
        let lesions = lesions_of(&labels, Connectivity::TwentySix);
        let rows = images.measure(&labels, &lesions);
        let window = Window { low: 0.0, high: 1.0 };
        let report = SubjectReport {
            id: "sub-<1>".to_owned(),
            images: vec![Shown { name: "SWI".to_owned(), volume: &swi, window }],
            lesions: lesions.iter().collect(),
            probability: None,
            brain: &brain,
            rows: &rows,
            lesion_probabilities: vec![0.125, 0.75],
            truth: Some(&labels),
            tables: vec![TextTable {
                title: "Evaluation".to_owned(),
                header: vec!["class".to_owned()],
                rows: vec![vec!["CMB & more".to_owned()]],
            }],
            checks: vec![("Brain".to_owned(), Canvas::new(8, 8))],
            warnings: vec!["is the map in <ppm>?".to_owned()],
            quality: vec![("signal to noise".to_owned(), "12".to_owned())],
            methods: "By hand.".to_owned(),
            provenance: vec![("model".to_owned(), "none".to_owned())],
        };
        let html = report.html().unwrap();
        assert!(html.contains("<td>0.75</td>"));
        assert!(html.contains("<li>is the map in &lt;ppm&gt;?</li>"));
        assert!(html.contains("sub-&lt;1&gt;") && html.contains("CMB &amp; more"));
        assert_eq!(html.matches("data:image/jpeg").count(), 5, "mosaics, lesions, a check");
        let outside = ["http://", "https://", "src=\"/", "@import", "<script"];
        for what in outside {
            let body = html.replace("https://doi.org", "");
            assert!(!body.contains(what), "{what}");
        }
    }

    #[test]
    fn a_place_is_told_as_far_as_it_is_known() {
        let grid = Grid::new([3; 3], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mut labels = LabelMap::empty(grid);
        labels.paint(&[13], LesionClass::Cmb);
        let lesions = lesions_of(&labels, Connectivity::TwentySix);
        let mut row = MeasuredImages::default().measure(&labels, &lesions).remove(0);
        assert_eq!(
            (place(&row), diameter(&row)),
            ("n/a".to_owned(), "1.2 mm (BOMBS <5 mm)".to_owned())
        );
        row.region = Some(Region::Deep);
        assert_eq!(place(&row), "deep");
        (row.mars_region, row.side) = (Some(MarsRegion::DeepWhiteMatter), Some(Side::Left));
        row.lobe = Some(Lobe::Parietal);
        assert_eq!(
            place(&row),
            "deep and periventricular white matter (deep) near the parietal lobe, left"
        );
        (row.mars_region, row.region) = (Some(MarsRegion::Parietal), Some(Region::Lobar));
        assert_eq!(place(&row), "parietal lobe (lobar), left");
    }

    #[test]
    fn a_page_of_very_many_lesions_is_not_too_large() {
        let affine = Affine::from_spacing([1.0; 3], [-90.0, -110.0, -70.0]);
        let grid = Grid::new([180, 220, 140], affine).unwrap();
        // Noise, which compresses badly.
        let mut state = 1_u32;
        let swi = Volume::from_fn(grid, |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            0.4 + 0.2 * (state >> 8) as f32 / (1 << 24) as f32
        });
        let brain = swi.map(|_| true);
        let mut labels = LabelMap::empty(grid);
        for n in 0..100 {
            let voxel = [30 + 12 * (n % 10), 40 + 14 * (n / 10), 10 + n];
            labels.paint(&[grid.index(voxel)], LesionClass::Cmb);
        }
        let images = MeasuredImages { swi: Some(&swi), brain: Some(&brain), ..Default::default() };
        let lesions = lesions_of(&labels, Connectivity::TwentySix);
        let rows = images.measure(&labels, &lesions);
        let window = Window { low: 0.0, high: 1.0 };
        let shown = |name: &str| Shown { name: name.to_owned(), volume: &swi, window };
        let report = SubjectReport {
            id: "sub-1".to_owned(),
            images: ["SWI", "QSM", "T2w"].map(shown).to_vec(),
            lesions: lesions.iter().collect(),
            probability: None,
            brain: &brain,
            rows: &rows,
            lesion_probabilities: Vec::new(),
            truth: None,
            tables: Vec::new(),
            checks: Vec::new(),
            warnings: Vec::new(),
            quality: Vec::new(),
            methods: String::new(),
            provenance: Vec::new(),
        };
        let html = report.html().unwrap();
        assert!(html.len() <= MOST_BYTES, "{} bytes", html.len());
        assert_eq!(html.matches("class=\"card\"").count(), 100);
    }
}
