//! What is too large for a microbleed, and large candidates that were rejected: told in a table of their own, never
//! counted, never passed over.
//!
//! A microbleed measures at most 10 mm (Greenberg et al. 2009). Larger bleeds are other findings, such as
//! haemorrhages or cavernomas, which the networks and the candidate classifier were not taught and often drop.

mod table;

use deepmir_cases::{Case, Modality};
use deepmir_detect::large_regions;
use deepmir_lesion::shape::principal_axes_mm;
use deepmir_lesion::{
    Candidate, LARGEST_MICROBLEED_MM, LabelMap, Lesion, LesionClass, LesionRow, MeasuredImages,
};
use deepmir_volume::{Grid, Warning};

pub(super) use table::{page_table, pictures, write};

/// A candidate from this volume on, a ball of 5.8 mm, is told although the candidate classifier rejects it. In twelve
/// simulated heads and five of the cohort the rejected ones are below 83 mm³, but for a cavernoma and a deposit.
const TOLD_MM3: f64 = 100.0;
/// If the networks are at least so sure of it.
const TOLD_PROBABILITY: f32 = 0.5;
/// A region belongs to a lesion, or the other way round, if they share this much of the smaller one.
const SHARED: f64 = 0.5;
/// Lesions that fill at least this part of a region are what it is.
const EXPLAINED: f64 = 1.0 / 3.0;
/// What is longer than so many diameters of the ball of its volume, and no network marks, is a vein: 1.9 of a great
/// cerebral vein, 1.15 to 1.5 of bleeds, cavernomas and deposits.
const VEIN: f64 = 1.6;
/// So many are named in a warning; the rest is in the table.
const NAMED: usize = 5;

/// A finding that is too large for a microbleed, or large and rejected.
#[derive(Clone, Debug, PartialEq)]
pub struct LargeFinding {
    /// Its voxels; the class says nothing.
    pub lesion: Lesion,
    /// Its measures.
    pub row: LesionRow,
    /// Its longest diameter: that of the ellipsoid with its principal axes.
    pub longest_mm: f64,
    /// The highest probability of the candidates in it, by the networks and by the candidate classifier.
    pub probabilities: Option<(f32, f32)>,
}

impl LargeFinding {
    /// `macrobleed` above 10 mm, else `large`.
    pub fn name(&self) -> &'static str {
        if self.longest_mm > LARGEST_MICROBLEED_MM { "macrobleed" } else { "large" }
    }

    fn place(&self) -> String {
        let LesionRow { x_mm, y_mm, z_mm, volume_mm3, .. } = &self.row;
        format!("{:.0} mm³ at ({x_mm:.0}, {y_mm:.0}, {z_mm:.0}) mm", volume_mm3)
    }

    /// As the page names it.
    pub(crate) fn title(&self) -> String {
        let (id, name) = (self.row.lesion_id, self.name());
        format!("finding {id}, {name}: {} mm long, {}", self.longest_mm.round(), self.place())
    }
}

/// Tells which of the `found` are lesions of the table, and which are too large for microbleeds. With the latter come
/// the large regions that are none of the `found`: dark compact ones of the images, and candidates that the networks
/// are sure of. They are measured in `images`, which are the case's.
pub(super) fn sift<'a>(
    case: &Case,
    images: &MeasuredImages<'_>,
    candidates: impl Iterator<Item = &'a Candidate>,
    found: impl Iterator<Item = &'a Candidate>,
) -> (Vec<LargeFinding>, Vec<bool>) {
    let candidates: Vec<&Candidate> = candidates.collect();
    let found: Vec<&Lesion> = found.map(|candidate| &candidate.lesion).collect();
    let grid = case.grid();
    let qsm_ppm = case.images.get(&Modality::Qsm);
    let swi = case.images.get(&Modality::Swi);
    let regions = swi.map(|swi| large_regions(swi, qsm_ppm, &case.brain)).unwrap_or_default();
    let mut large: Vec<Lesion> =
        regions.into_iter().map(|voxels| Lesion::new(LesionClass::Cmb, voxels, grid)).collect();
    let is_marked = |region: &Lesion| {
        let mut marked = candidates.iter().filter(|one| one.peak_probability >= TOLD_PROBABILITY);
        marked.any(|candidate| share(&candidate.lesion, region) >= SHARED)
    };
    large.retain(|region| {
        longest_mm(region, grid) <= VEIN * region.diameter_mm() || is_marked(region)
    });
    // A deposit may be as large: it stays what it is.
    let deposits = || found.iter().copied().filter(|lesion| lesion.class == LesionClass::Nhid);
    large.retain(|region| !is_explained(region, deposits()));
    let is_lesion = |lesion: &&Lesion| {
        let belongs_to = |region: &Lesion| {
            region.diameter_mm() > LARGEST_MICROBLEED_MM && share(lesion, region) >= SHARED
        };
        lesion.class == LesionClass::Nhid
            || lesion.diameter_mm() <= LARGEST_MICROBLEED_MM && !large.iter().any(belongs_to)
    };
    let kept: Vec<bool> = found.iter().map(is_lesion).collect();
    // What is in the lesion table need not be told twice.
    let is_told = |region: &Lesion| {
        let told = found.iter().zip(&kept).filter(|(_, kept)| **kept);
        is_explained(region, told.map(|(lesion, _)| *lesion))
    };
    large.retain(|region| !is_told(region));
    let taken = found.iter().zip(&kept).filter(|(_, kept)| !**kept).map(|(lesion, _)| *lesion);
    let dropped = candidates.iter().filter(|candidate| {
        candidate.peak_probability >= TOLD_PROBABILITY
            && candidate.lesion.volume_mm3 >= TOLD_MM3
            && !is_told(&candidate.lesion)
    });
    for lesion in taken.chain(dropped.map(|candidate| &candidate.lesion)) {
        if !large.iter().any(|region| share(lesion, region) >= SHARED) {
            large.push(lesion.clone());
        }
    }
    large.sort_by(|a, b| b.volume_mm3.total_cmp(&a.volume_mm3));
    let labels = LabelMap::of(*grid, &large);
    let rows = images.measure(&labels, &large);
    let findings = large.into_iter().zip(rows);
    (findings.map(|(lesion, row)| finding(lesion, row, &candidates, grid)).collect(), kept)
}

fn finding(lesion: Lesion, row: LesionRow, candidates: &[&Candidate], grid: &Grid) -> LargeFinding {
    let longest_mm = longest_mm(&lesion, grid);
    let within = candidates.iter().filter(|candidate| share(&candidate.lesion, &lesion) >= SHARED);
    let probabilities = within.fold(None, |highest: Option<(f32, f32)>, candidate| {
        let (peak, score) = highest.unwrap_or_default();
        Some((peak.max(candidate.peak_probability), score.max(candidate.score())))
    });
    LargeFinding { lesion, row, longest_mm, probabilities }
}

/// The longest diameter: an ellipsoid is √5 standard deviations long in each direction.
fn longest_mm(lesion: &Lesion, grid: &Grid) -> f64 {
    2.0 * 5.0_f64.sqrt() * principal_axes_mm(&lesion.voxels, grid)[0]
}

/// Whether lesions of about its size fill a part of a region: a small deposit in a bleed does not explain it, nor does
/// what a network marks all over the brain.
fn is_explained<'a>(region: &Lesion, lesions: impl Iterator<Item = &'a Lesion>) -> bool {
    let comparable = lesions.filter(|lesion| EXPLAINED * lesion.volume_mm3 <= region.volume_mm3);
    let filled: usize = comparable.map(|lesion| shared(lesion, region)).sum();
    filled as f64 >= EXPLAINED * region.voxels.len() as f64
}

/// How many voxels two regions share; both are ascending.
fn shared(a: &Lesion, b: &Lesion) -> usize {
    a.voxels.iter().filter(|voxel| b.voxels.binary_search(voxel).is_ok()).count()
}

/// The voxels that two regions share, as a part of the smaller one.
fn share(a: &Lesion, b: &Lesion) -> f64 {
    let (few, many) = if a.voxels.len() <= b.voxels.len() { (a, b) } else { (b, a) };
    shared(few, many) as f64 / few.voxels.len().max(1) as f64
}

/// What the user is told of them; `None` if there are none.
pub(super) fn warning(findings: &[LargeFinding]) -> Option<Warning> {
    let largest = findings.first()?;
    let named: Vec<String> = findings.iter().take(NAMED).map(LargeFinding::place).collect();
    let more = findings.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let longest_mm =
        findings.iter().map(|finding| finding.longest_mm).fold(largest.longest_mm, f64::max);
    let counted = match findings.len() {
        1 => "a large finding is".to_owned(),
        several => format!("{several} large findings are"),
    };
    let message = format!(
        "{counted} not counted, of up to {longest_mm:.0} mm ({}{more}): too large for a microbleed, or rejected by the \
         candidate classifier; a haemorrhage, cavernoma, deposit or calcification: look at each, they are listed in \
         *_large.tsv",
        named.join(", "),
    );
    let is_macrobleed = findings.iter().any(|finding| finding.longest_mm > LARGEST_MICROBLEED_MM);
    Some(Warning::new(if is_macrobleed { "macrobleed" } else { "large_finding" }, message))
}

#[cfg(test)]
mod tests {
    use super::super::measured_images;
    use super::*;
    use std::collections::BTreeMap;

    use deepmir_volume::{Affine, Volume, nifti};

    /// A brain of 44 mm with a dark ball in the middle, of a susceptibility.
    fn case(radius_mm: f64, ppm: f32) -> Case {
        let grid = Grid::new([52; 3], Affine::from_spacing([1.0; 3], [-25.5; 3])).unwrap();
        let within = |voxel, mm: f64| distance_mm(&grid, voxel) <= mm;
        let image = |tissue: f32, lesion: f32| {
            Volume::from_fn(grid, |voxel| match (within(voxel, radius_mm), within(voxel, 22.0)) {
                (true, _) => lesion,
                (_, true) => tissue,
                _ => 0.0,
            })
        };
        let images = [(Modality::Swi, image(1.0, 0.2)), (Modality::Qsm, image(0.001, ppm))];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any.nii");
        nifti::write(&path, &Volume::filled(grid, 0_u8), None).unwrap();
        Case {
            id: "sub-1".to_owned(),
            header: nifti::read_header(&path).unwrap(),
            images: BTreeMap::from(images),
            brain: Volume::from_fn(grid, |voxel| within(voxel, 22.0)),
            contrast: deepmir_cases::Contrast::Swi,
            brain_source: deepmir_cases::BrainSource::Given,
            truth: None,
            unknown: None,
            warnings: Vec::new(),
        }
    }

    fn sift<'a>(
        case: &Case,
        candidates: impl Iterator<Item = &'a Candidate>,
        found: impl Iterator<Item = &'a Candidate>,
    ) -> (Vec<LargeFinding>, Vec<bool>) {
        super::sift(case, &measured_images(case), candidates, found)
    }

    fn distance_mm(grid: &Grid, voxel: [usize; 3]) -> f64 {
        grid.position_mm(voxel).iter().map(|mm| mm * mm).sum::<f64>().sqrt()
    }

    fn candidate(case: &Case, class: LesionClass, radius_mm: f64, peak: f32) -> Candidate {
        let grid = case.grid();
        let inside = |index: &usize| distance_mm(grid, grid.voxel(*index)) <= radius_mm;
        let lesion = Lesion::new(class, (0..grid.len()).filter(inside).collect(), grid);
        Candidate { lesion_probability: Some(0.01), ..Candidate::new(lesion, peak, peak, grid) }
    }

    #[test]
    fn a_bleed_that_nothing_marked_is_told() {
        let (found, _) = sift(&case(6.0, 0.3), [].iter(), [].iter());
        assert_eq!((found.len(), found[0].name(), found[0].probabilities), (1, "macrobleed", None));
        assert!((found[0].longest_mm - 12.0).abs() < 1.0, "{}", found[0].longest_mm);
        let told = warning(&found).unwrap();
        assert!(
            told.code == "macrobleed" && told.message.contains("(0, -0, 0)")
                || told.message.contains("(0, 0, 0)"),
            "{told}"
        );
        // A calcification of the size, and a microbleed.
        assert!(sift(&case(6.0, -0.3), [].iter(), [].iter()).0.is_empty());
        assert!(sift(&case(3.0, 0.3), [].iter(), [].iter()).0.is_empty());
    }

    #[test]
    fn a_microbleed_that_is_a_part_of_a_larger_bleed_is_not_counted() {
        let case = case(6.0, 0.3);
        let [cmb, nhid] = LesionClass::ALL.map(|class| candidate(&case, class, 3.0, 1.0));
        let (found, is_lesion) = sift(&case, [&cmb].into_iter(), [&cmb].into_iter());
        assert_eq!((found.len(), is_lesion), (1, vec![false]));
        assert_eq!(found[0].probabilities, Some((1.0, 0.01)));
        // A deposit may be so large.
        let deposit = candidate(&case, LesionClass::Nhid, 5.5, 1.0);
        let (found, is_lesion) = sift(&case, [&deposit].into_iter(), [&deposit].into_iter());
        assert_eq!((found.len(), is_lesion), (0, vec![true]));
        // A small deposit in it, or one all over the brain, is not the bleed.
        let all = candidate(&case, LesionClass::Nhid, 20.0, 1.0);
        for deposit in [&nhid, &all] {
            let (found, is_lesion) = sift(&case, [deposit].into_iter(), [deposit].into_iter());
            assert_eq!((found.len(), is_lesion), (1, vec![true]));
        }
    }

    #[test]
    fn a_large_candidate_that_was_rejected_is_told() {
        let case = case(2.0, 0.3);
        // 683 mm³.
        let dropped = candidate(&case, LesionClass::Cmb, 5.5, 1.0);
        let (found, _) = sift(&case, [&dropped].into_iter(), [].iter());
        assert_eq!((found.len(), found[0].name()), (1, "macrobleed"));
        let small = candidate(&case, LesionClass::Cmb, 2.5, 1.0);
        let unsure = candidate(&case, LesionClass::Cmb, 5.5, 0.2);
        assert!(sift(&case, [&small, &unsure].into_iter(), [].iter()).0.is_empty());
    }
}
