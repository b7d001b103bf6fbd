//! The true label map on the prepared grid.

use deepmir_lesion::{LabelMap, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Grid, Mask, Volume};

use crate::placement::{numbers_on, voxels_of};

/// The labels of some classes, resampled to another grid by nearest neighbour. A lesion too small to be nearest to any
/// voxel keeps the voxel at its centre.
pub(super) fn labels_on(labels: &Volume<u8>, target: &Grid, classes: &[LesionClass]) -> LabelMap {
    let mut wanted = LabelMap::empty(*labels.grid());
    for &class in classes {
        let voxels = (0..labels.data().len()).filter(|&n| labels.data()[n] == class.label());
        wanted.paint(&voxels.collect::<Vec<_>>(), class);
    }
    if target == labels.grid() {
        return wanted;
    }
    let lesions = lesions_of(&wanted, Connectivity::TwentySix);
    let numbers = numbers_on(&lesions.iter().collect::<Vec<_>>(), wanted.grid(), target);
    let mut on_target = LabelMap::empty(*target);
    for (lesion, voxels) in lesions.iter().zip(voxels_of(&numbers, lesions.len())) {
        on_target.paint(&voxels, lesion.class);
    }
    on_target
}

/// Unknown places without the labelled voxels, which are known.
pub(super) fn known_where_labelled(mut unknown: Mask, labels: Option<&LabelMap>) -> Mask {
    if let Some(labels) = labels {
        let labels = labels.volume().data();
        unknown.data_mut().iter_mut().zip(labels).for_each(|(place, label)| *place &= *label == 0);
    }
    unknown
}
