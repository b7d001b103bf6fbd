//! Whether images can be what they were given for: images in each other's place, maps given as images, inverted contrast.
//!
//! Thresholds lie between what twelve simulated heads, a real T2w, a real crop of a gradient-echo scan and a real EPI
//! showed: in an SWI the 95th percentile is 1.14 to 1.29 of the median (in T2w 2.05 to 2.65, because of fluid) and the
//! details' skewness −0.23 to −0.05 (T2w 0.08 to 0.24, an inverted SWI 0.07 to 0.11, EPI 0.20, magnitude −0.12 to 0.04).

use std::path::Path;

use deepmir_volume::{Mask, Volume, Warning, statistics};

use crate::{CaseError, Modality};

/// Resampling leaves few negative voxels; maps of susceptibility and phase are negative in half of the brain.
const NEGATIVE: f64 = 0.05;
/// 95th percentile to median: from here on fluid is bright.
const BRIGHT_FLUID: f32 = 1.8;
/// Below it fluid is not bright.
const NO_BRIGHT_FLUID: f32 = 1.5;
/// Skewness of the details: above it bright ones prevail.
const BRIGHT_DETAILS: f32 = 0.06;
/// Half the width of the square whose mean a voxel is compared with.
const DETAIL_MM: f64 = 1.5;
/// Slices whose details are measured, and voxels that tell their skewness.
const SLICES: usize = 40;
const ENOUGH_VOXELS: usize = 5000;
/// A smaller part of a brain may have no ventricles.
const WHOLE_ML: f64 = 500.0;
/// What lies outside the brain tells about contrast if it is this share of the image.
const OUTSIDE: f64 = 0.2;

/// Checks an SWI or T2w image in the brain.
///
/// # Errors
/// An image that cannot be of this kind.
pub(crate) fn check(
    modality: Modality,
    image: &Volume<f32>,
    brain: &Mask,
    path: &Path,
) -> Result<Vec<Warning>, CaseError> {
    let refused = |reason: String| Err(CaseError::Image { path: path.to_owned(), reason });
    let mut inside = within(image, brain, true);
    let negative = inside.iter().filter(|&&value| value < 0.0).count() as f64;
    let share = negative / inside.len().max(1) as f64;
    if share > NEGATIVE {
        return refused(format!(
            "the {modality} is negative in {:.0} % of the brain, as maps of susceptibility and phase are; give the {modality} \
             (one whose values were shifted needs its offset back)",
            100.0 * share
        ));
    }
    let (Some(median), Some(high)) =
        (statistics::median(&mut inside), statistics::quantile(&mut inside, 0.95))
    else {
        return Ok(Vec::new());
    };
    if median <= 0.0 {
        return refused(format!(
            "the {modality} is 0 in most of the brain; give the whole image, or another mask"
        ));
    }
    let (contrast, skewness) = (high / median, skewness(image, brain));
    let bright = skewness.is_some_and(|skewness| skewness > BRIGHT_DETAILS);
    let warning = |code: &str, what: &str| {
        Ok(vec![Warning::new(code, format!("{what}: {}", path.display()))])
    };
    match modality {
        Modality::Swi if bright && contrast > BRIGHT_FLUID => refused(
            "fluid is bright in this SWI as in a T2w image; give the SWI with --swi and T2w with --t2w".to_owned(),
        ),
        Modality::Swi if bright && is_bright_around(image, brain, high) => {
            refused("this SWI is inverted, air is brighter than the brain; invert it back".to_owned())
        }
        Modality::Swi if bright => warning(
            "swi_contrast",
            "bright details prevail in this SWI, where veins and microbleeds should be dark; see whether it is inverted or \
             an image of another kind",
        ),
        Modality::T2w
            if contrast < NO_BRIGHT_FLUID
                && !bright
                && crate::brain::millilitres(brain) > WHOLE_ML =>
        {
            warning("t2w_contrast", "fluid is not bright in this T2w image; see whether it is one")
        }
        _ => Ok(Vec::new()),
    }
}

/// The values inside (or outside) a brain.
fn within(image: &Volume<f32>, brain: &Mask, inside: bool) -> Vec<f32> {
    let voxels = image.data().iter().zip(brain.data());
    voxels.filter(|&(_, &there)| there == inside).map(|(&value, _)| value).collect()
}

/// Whether what lies around the brain is brighter than nearly all of it: air, if the image is inverted.
fn is_bright_around(image: &Volume<f32>, brain: &Mask, high: f32) -> bool {
    let mut around = within(image, brain, false);
    around.len() as f64 >= OUTSIDE * brain.data().len() as f64
        && statistics::median(&mut around).is_some_and(|median| median > high)
}

/// How far bright details (positive) or dark ones (negative) prevail: a voxel less the mean of a square of 3 mm around it,
/// and of all voxels in the brain the distance of the 99.5th percentile from the median less that of the 0.5th, over
/// their sum.
fn skewness(image: &Volume<f32>, brain: &Mask) -> Option<f32> {
    let [nx, ny, nz] = image.shape();
    let sizes = image.grid().voxel_sizes_mm();
    let reach = [0, 1].map(|axis| (DETAIL_MM / sizes[axis]).round().max(1.0) as usize);
    let area = ((2 * reach[0] + 1) * (2 * reach[1] + 1)) as f64;
    let mut details = Vec::new();
    for k in (0..nz).step_by((nz / SLICES).max(1)) {
        let (slice, mask) = (image.slice(k), brain.slice(k));
        let sums = Sums::of(nx, ny, |at| if mask[at] { f64::from(slice[at]) } else { 0.0 });
        let counts = Sums::of(nx, ny, |at| f64::from(u8::from(mask[at])));
        for j in reach[1]..ny.saturating_sub(reach[1]) {
            for i in reach[0]..nx.saturating_sub(reach[0]) {
                if counts.around([i, j], reach) == area {
                    let mean = sums.around([i, j], reach) / area;
                    details.push(slice[i + nx * j] - mean as f32);
                }
            }
        }
    }
    if details.len() < ENOUGH_VOXELS {
        return None;
    }
    let mut at = |q| statistics::quantile(&mut details, q);
    let (low, middle, high) = (at(0.005)?, at(0.5)?, at(0.995)?);
    (high > low).then(|| (low + high - 2.0 * middle) / (high - low))
}

/// Sums over all rectangles of a slice that begin at its corner.
struct Sums {
    width: usize,
    sums: Vec<f64>,
}

impl Sums {
    fn of(nx: usize, ny: usize, value: impl Fn(usize) -> f64) -> Self {
        let width = nx + 1;
        let mut sums = vec![0.0; width * (ny + 1)];
        for j in 0..ny {
            let mut row = 0.0;
            for i in 0..nx {
                row += value(i + nx * j);
                sums[i + 1 + width * (j + 1)] = sums[i + 1 + width * j] + row;
            }
        }
        Self { width, sums }
    }

    /// The sum over the rectangle of `reach` voxels to each side.
    fn around(&self, [i, j]: [usize; 2], reach: [usize; 2]) -> f64 {
        let at = |i: usize, j: usize| self.sums[i + self.width * j];
        let (low, high) = ([i - reach[0], j - reach[1]], [i + reach[0] + 1, j + reach[1] + 1]);
        at(high[0], high[1]) - at(low[0], high[1]) - at(high[0], low[1]) + at(low[0], low[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};

    /// A brain of 80 mm with veins, ventricles and some noise: brightness of tissue, veins and fluid.
    fn head([tissue, veins, fluid]: [f32; 3], air: f32) -> (Volume<f32>, Mask) {
        let affine = Affine::from_spacing([1.0, 1.0, 4.0], [-50.0; 3]);
        let grid = Grid::new([100, 100, 25], affine).unwrap();
        let radius = |voxel| {
            let place = grid.position_mm(voxel);
            place.iter().map(|x| x * x).sum::<f64>().sqrt()
        };
        let brain = Volume::from_fn(grid, |voxel| radius(voxel) < 45.0);
        let image = Volume::from_fn(grid, |voxel| {
            let [i, j, k] = voxel;
            let noise = ((i * 7919 + j * 104_729 + k * 1_299_709) % 101) as f32 / 100.0 - 0.5;
            let value = match radius(voxel) {
                radius if radius >= 45.0 => return air,
                radius if radius < 18.0 => fluid,
                _ if i % 7 == 0 && j % 7 == 0 => veins,
                _ => tissue,
            };
            value + 4.0 * noise
        });
        (image, brain)
    }

    fn verdict(
        modality: Modality,
        image: &Volume<f32>,
        brain: &Mask,
    ) -> Result<Vec<String>, String> {
        let found = check(modality, image, brain, Path::new("image.nii"));
        let codes = |found: Vec<Warning>| found.into_iter().map(|warning| warning.code).collect();
        found.map(codes).map_err(|error| error.to_string())
    }

    #[test]
    fn images_that_are_what_they_were_given_for_pass() {
        let (swi, brain) = head([100.0, 40.0, 110.0], 5.0);
        assert_eq!(verdict(Modality::Swi, &swi, &brain), Ok(vec![]));
        let (t2w, _) = head([100.0, 130.0, 260.0], 5.0);
        assert_eq!(verdict(Modality::T2w, &t2w, &brain), Ok(vec![]));
    }

    #[test]
    fn a_t2w_given_as_swi_is_refused() {
        let (t2w, brain) = head([100.0, 300.0, 260.0], 0.0);
        let error = verdict(Modality::Swi, &t2w, &brain).unwrap_err();
        assert!(error.contains("T2w image") && error.contains("image.nii"), "{error}");
    }

    #[test]
    fn a_susceptibility_map_given_as_swi_is_refused() {
        let (chi, brain) = head([-0.5, 60.0, 0.5], 0.0);
        for modality in [Modality::Swi, Modality::T2w] {
            let error = verdict(modality, &chi, &brain).unwrap_err();
            assert!(error.contains("negative"), "{error}");
        }
    }

    #[test]
    fn an_inverted_swi_is_refused_with_its_air_and_warned_of_without() {
        let (swi, brain) = head([100.0, 160.0, 90.0], 200.0);
        let error = verdict(Modality::Swi, &swi, &brain).unwrap_err();
        assert!(error.contains("inverted"), "{error}");
        let (stripped, _) = head([100.0, 160.0, 90.0], 0.0);
        assert_eq!(verdict(Modality::Swi, &stripped, &brain), Ok(vec!["swi_contrast".to_owned()]));
    }

    #[test]
    fn a_mask_beside_the_image_is_refused() {
        let (swi, brain) = head([100.0, 40.0, 110.0], 0.0);
        let beside = brain.map(|inside| !inside);
        let error = verdict(Modality::Swi, &swi, &beside).unwrap_err();
        assert!(error.contains("another mask"), "{error}");
    }
}
