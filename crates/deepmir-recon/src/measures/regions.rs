//! Measures by tissue, with the labels of the challenge's phantom.

use deepmir_volume::{Mask, Volume};

use super::Measure;
use super::calcification::calcification;
use crate::accuracy::{map_error, slope_over_means};

/// Deep grey matter: caudate nucleus, globus pallidus, putamen, red nucleus, dentate nucleus, substantia nigra.
const NUCLEI: std::ops::RangeInclusive<i32> = 1..=6;

/// Thalamus, white matter and cortex.
const TISSUE: std::ops::RangeInclusive<i32> = 7..=9;

/// Veins.
const BLOOD: i32 = 11;

/// The calcification.
const CALCIFICATION: i32 = 16;

/// A label map with the numbers of the challenge's phantom: 1 caudate nucleus, 2 globus pallidus, 3 putamen, 4 red
/// nucleus, 5 dentate nucleus, 6 substantia nigra, 7 thalamus, 8 white matter, 9 grey matter, 10 fluid, 11 blood, 13
/// bone, 14 air, 15 muscle, 16 calcification; 0 is none of these.
#[derive(Clone, Debug, PartialEq)]
pub struct TissueLabels(Volume<i32>);

impl TissueLabels {
    /// Takes a label map.
    ///
    /// # Errors
    /// The first values that are not among the phantom's, at most five.
    pub fn new(labels: Volume<i32>) -> Result<Self, Vec<i32>> {
        let mut strange: Vec<i32> =
            labels.data().iter().copied().filter(|label| !(0..=16).contains(label)).collect();
        strange.sort_unstable();
        strange.dedup();
        strange.truncate(5);
        if strange.is_empty() { Ok(Self(labels)) } else { Err(strange) }
    }

    /// Voxels along each axis.
    pub fn shape(&self) -> [usize; 3] {
        self.0.shape()
    }

    /// Where a label is among `wanted`, in a region.
    fn of(&self, region: &Mask, wanted: &std::ops::RangeInclusive<i32>) -> Mask {
        let mut mask = region.clone();
        let labels = self.0.data();
        mask.data_mut()
            .iter_mut()
            .zip(labels)
            .for_each(|(inside, label)| *inside &= wanted.contains(label));
        mask
    }
}

/// Detrended NRMSE of tissue, veins and deep grey matter, linearity over the nuclei, and the calcification.
pub fn by_tissue(
    chi: &Volume<f32>,
    truth: &Volume<f32>,
    region: &Mask,
    labels: &TissueLabels,
) -> Vec<Measure> {
    let nuclei = labels.of(region, &NUCLEI);
    let parts = [
        ("tissue", labels.of(region, &TISSUE)),
        ("blood", widened(&labels.of(region, &(BLOOD..=BLOOD)), region)),
        ("deep_grey_matter", nuclei.clone()),
    ];
    let mut measures: Vec<Measure> = parts
        .into_iter()
        .map(|(name, part)| Measure {
            name: "detrended_nrmse",
            region: name,
            voxels: part.count(),
            unit: "percent",
            value: map_error(chi, truth, &part).map(|error| error.detrended_nrmse_percent),
        })
        .collect();
    let each: Vec<Mask> = NUCLEI.map(|label| labels.of(region, &(label..=label))).collect();
    let slope = slope_over_means(chi, truth, &each);
    measures.push(Measure {
        name: "linearity_deviation",
        region: "deep_grey_matter",
        voxels: nuclei.count(),
        unit: "1",
        value: slope.map(|slope| (1.0 - slope).abs()),
    });
    let calcified = labels.of(region, &(CALCIFICATION..=CALCIFICATION));
    let (moment, streaking) = calcification(chi, truth, region, &calcified);
    for (name, unit, value) in
        [("moment_deviation", "ppm*voxel", moment), ("streaking", "1", streaking)]
    {
        let voxels = calcified.count();
        measures.push(Measure { name, region: "calcification", voxels, unit, value });
    }
    measures
}

/// With the 26 neighbours of each voxel, as far as they lie in the region.
fn widened(mask: &Mask, region: &Mask) -> Mask {
    let connectivity = deepmir_volume::components::Connectivity::TwentySix;
    let mut wide = deepmir_volume::morphology::dilate(mask, connectivity);
    wide.data_mut().iter_mut().zip(region.data()).for_each(|(wide, inside)| *wide &= *inside);
    wide
}
