use super::*;
use crate::Window;
use deepmir_lesion::{Certainty, Lobe, MarsRegion, MeasuredImages, Region, Side};
use deepmir_volume::{Affine, Grid};

const WINDOW: Window = Window { low: 0.0, high: 1.0 };

/// A scan with labelled lesions, measured.
struct Scene {
    image: Volume<f32>,
    brain: Mask,
    labels: LabelMap,
    lesions: Vec<Lesion>,
    rows: Vec<LesionRow>,
}

impl Scene {
    fn new(image: Volume<f32>, brain: Mask, labels: LabelMap) -> Self {
        let lesions = lesions_of(&labels, Connectivity::TwentySix);
        let images =
            MeasuredImages { swi: Some(&image), brain: Some(&brain), ..Default::default() };
        let rows = images.measure(&labels, &lesions);
        Self { image, brain, labels, lesions, rows }
    }

    fn small() -> Self {
        let affine = Affine::from_spacing([1.0, 1.0, 1.0], [-20.0, -20.0, -20.0]);
        let grid = Grid::new([40, 40, 40], affine).unwrap();
        let brain: Mask = Volume::from_fn(grid, |voxel| {
            grid.position_mm(voxel).iter().map(|x| x * x).sum::<f64>() < 300.0
        });
        let mut labels = LabelMap::empty(grid);
        labels.paint(&[grid.index([10, 20, 10])], LesionClass::Cmb);
        labels.paint(&[grid.index([25, 22, 14])], LesionClass::Nhid);
        Self::new(brain.map(|&inside| if inside { 0.5 } else { 0.0 }), brain, labels)
    }

    fn report(&self) -> SubjectReport<'_> {
        let pane = |name: &str, paint| Pane { name: name.to_owned(), volume: &self.image, paint };
        SubjectReport {
            id: "sub-<1>".to_owned(),
            images: vec![Shown { name: "SWI".to_owned(), volume: &self.image, window: WINDOW }],
            panes: vec![pane("SWI", Paint::Grey(WINDOW)), pane("QSM", Paint::Diverging(0.3))],
            lesions: self.lesions.iter().collect(),
            brain: &self.brain,
            mars: None,
            rows: &self.rows,
            lesion_probabilities: Vec::new(),
            parts: Vec::new(),
            reasons: Vec::new(),
            near_misses: Vec::new(),
            count_intervals: BTreeMap::new(),
            large_findings: 0,
            truth: None,
            tables: Vec::new(),
            checks: Vec::new(),
            warnings: Vec::new(),
            quality: Vec::new(),
            methods: String::new(),
            provenance: Vec::new(),
        }
    }
}

#[test]
fn the_page_shows_every_lesion_and_asks_for_nothing() {
    let scene = Scene::small();
    let report = SubjectReport {
        lesion_probabilities: vec![0.125, 0.75],
        parts: Vec::new(),
        reasons: vec!["Called because it is <dark>.".to_owned(), String::new()],
        near_misses: vec![NearMiss {
            lesion: &scene.lesions[0],
            row: scene.rows[0].clone(),
            probability: 0.25,
            reason: "Not called.".to_owned(),
        }],
        truth: Some(&scene.labels),
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
        ..scene.report()
    };
    let html = report.html().unwrap();
    assert!(html.contains("<td>0.12</td>") && html.contains("<dd>0.75</dd>"));
    assert!(html.contains("<li>is the map in &lt;ppm&gt;?</li>"));
    assert!(html.contains("sub-&lt;1&gt;") && html.contains("CMB &amp; more"));
    assert!(html.contains("it is &lt;dark&gt;.") && html.contains("id=\"candidate-A\""));
    let pictures = html.matches("data:image/jpeg").count();
    assert_eq!(pictures, 3 + 3 * 2, "mosaics and a check; two images of each card");
    assert_eq!(html.matches("<script>").count(), 1);
    for what in ["http://", "https://", "src=\"/", "@import", "fetch(", "url("] {
        assert!(!html.replace("https://doi.org", "").contains(what), "{what}");
    }
}

#[test]
fn a_place_is_told_as_far_as_it_is_known() {
    let grid = Grid::new([3; 3], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
    let mut labels = LabelMap::empty(grid);
    labels.paint(&[13], LesionClass::Cmb);
    let lesions = lesions_of(&labels, Connectivity::TwentySix);
    let mut row = MeasuredImages::default().measure(&labels, &lesions).remove(0);
    let place = cards::place;
    assert_eq!(
        (place(&row), cards::diameter(&row)),
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
fn the_summary_tells_count_pattern_places_and_what_to_check() {
    let mut scene = Scene::small();
    let at = |row: &LesionRow, lesion_id, mars: MarsRegion, diameter_mm: f64| LesionRow {
        lesion_id,
        class: LesionClass::Cmb,
        mars_region: Some(mars),
        region: Some(mars.region()),
        side: Some(Side::Left),
        certainty: Some(Certainty::Definite),
        diameter_mm,
        volume_mm3: diameter_mm.powi(3),
        ..row.clone()
    };
    let row = scene.rows[0].clone();
    scene.rows = vec![
        at(&row, 1, MarsRegion::Frontal, 4.0),
        at(&row, 2, MarsRegion::Frontal, 3.0),
        at(&row, 3, MarsRegion::Thalamus, 2.0),
    ];
    scene.rows[2].certainty = Some(Certainty::Possible);
    let interval = CountInterval { expected: 3.0, low: 2, high: 5 };
    let report = SubjectReport {
        lesion_probabilities: vec![0.9, 0.8, 0.55],
        parts: Vec::new(),
        count_intervals: BTreeMap::from([(LesionClass::Cmb, interval)]),
        large_findings: 1,
        ..scene.report()
    };
    let [cmb, nhid, first] = summary::sentences(&report).try_into().unwrap();
    assert_eq!(
        cmb,
        "3 cerebral microbleeds (90 % interval 2 to 5), 2 definite and 1 possible; mixed pattern (2 lobar, 1 deep): left \
         frontal lobe 2, left thalamus 1. The largest is lesion 1 with 4.0 mm, in the left frontal lobe."
    );
    assert_eq!(nhid, "No non-hemorrhage iron deposit was found.");
    assert_eq!(
        first,
        "To check first: the large finding, which is not counted; lesion 3 in the left thalamus (probability 0.55)."
    );
}

#[test]
fn a_page_of_very_many_lesions_is_not_too_large() {
    let affine = Affine::from_spacing([1.0; 3], [-90.0, -110.0, -70.0]);
    let grid = Grid::new([180, 220, 140], affine).unwrap();
    // Noise, which compresses badly.
    let mut state = 1_u32;
    let image = Volume::from_fn(grid, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        0.4 + 0.2 * (state >> 8) as f32 / (1 << 24) as f32
    });
    let mut labels = LabelMap::empty(grid);
    for n in 0..100 {
        let voxel = [30 + 12 * (n % 10), 40 + 14 * (n / 10), 10 + n];
        labels.paint(&[grid.index(voxel)], LesionClass::Cmb);
    }
    let brain = image.map(|_| true);
    let scene = Scene::new(image, brain, labels);
    let html = scene.report().html().unwrap();
    assert!(html.len() <= MOST_BYTES, "{} bytes", html.len());
    assert_eq!(html.matches("class=\"card\"").count(), 100);
}
