//! Where the microbleeds of a cohort lie, on the outline of a template.

use std::collections::BTreeMap;

use deepmir_lesion::{LesionClass, MarsRegion, Side};
use deepmir_report::{GlassView, Place, frequency_map};

use super::Row;

/// About the middle of each region of MARS on the right, in MNI millimetres. What has no sides lies at the midline.
fn centre_mm(region: MarsRegion) -> [f64; 3] {
    match region {
        MarsRegion::Brainstem => [0.0, -28.0, -30.0],
        MarsRegion::Cerebellum => [26.0, -62.0, -38.0],
        MarsRegion::BasalGanglia => [18.0, 10.0, 2.0],
        MarsRegion::Thalamus => [12.0, -19.0, 8.0],
        MarsRegion::InternalCapsule => [21.0, -8.0, 14.0],
        MarsRegion::ExternalCapsule => [31.0, 4.0, -4.0],
        MarsRegion::CorpusCallosum => [0.0, 6.0, 22.0],
        MarsRegion::DeepWhiteMatter => [26.0, -30.0, 28.0],
        MarsRegion::Frontal => [30.0, 40.0, 26.0],
        MarsRegion::Parietal => [34.0, -54.0, 48.0],
        MarsRegion::Temporal => [52.0, -26.0, -16.0],
        MarsRegion::Occipital => [24.0, -86.0, 6.0],
        MarsRegion::Insula => [40.0, 0.0, 4.0],
    }
}

/// The map; empty if no microbleed has a region.
pub(super) fn map(rows: &[Row]) -> Vec<GlassView> {
    let mut counts: BTreeMap<(MarsRegion, Option<u8>), usize> = BTreeMap::new();
    let lesions = rows.iter().flat_map(|row| &row.lesions);
    for lesion in lesions.filter(|lesion| lesion.class == LesionClass::Cmb) {
        if let Some(region) = lesion.mars_region {
            *counts.entry((region, lesion.side.map(|side| side as u8))).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return Vec::new();
    }
    let place = |(&(region, side), &count): (&(MarsRegion, Option<u8>), &usize)| {
        let [x, y, z] = centre_mm(region);
        let left = side == Some(Side::Left as u8);
        let name = match side {
            Some(_) => format!("{} {}", if left { "left" } else { "right" }, region.name()),
            None => region.name().to_owned(),
        };
        let x = match side {
            Some(_) if left => -x,
            Some(_) => x,
            None => 0.0,
        };
        Place { name, centre_mm: [x, y, z], count }
    };
    let places: Vec<Place> = counts.iter().map(place).collect();
    frequency_map(&deepmir_anatomy::template_brain(), &places)
}
