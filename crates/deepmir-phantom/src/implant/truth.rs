//! What is true of implants, on a scan's grid.

use deepmir_volume::{Affine, Grid, Volume};

use crate::source::{Source, rasterise};
use crate::truth::{LABEL_FRACTION, SourceRecord};

/// The label map of sources on a grid (a voxel at least half filled is the lesion's; of a lesion that fills none so far, the
/// one it fills most), and a row of the table for each.
pub fn truth_of(sources: &[Source], grid: &Grid) -> (Volume<u8>, Vec<SourceRecord>) {
    let identity = Affine::from_spacing([1.0; 3], [0.0; 3]);
    let mut labels = Volume::filled(*grid, 0_u8);
    let records = sources
        .iter()
        .map(|source| {
            let parts =
                if source.is_present() { rasterise(source, grid, &identity) } else { Vec::new() };
            let mut voxels: Vec<usize> = parts
                .iter()
                .filter(|part| part.fraction >= LABEL_FRACTION)
                .map(|part| part.index)
                .collect();
            if voxels.is_empty() {
                let most = parts.iter().max_by(|a, b| a.fraction.total_cmp(&b.fraction));
                voxels.extend(most.map(|part| part.index));
            }
            match source.kind.label() {
                Some(label) => voxels.iter().for_each(|&index| labels.data_mut()[index] = label),
                None => voxels.clear(),
            }
            let filled: f64 = parts.iter().map(|part| f64::from(part.fraction)).sum();
            SourceRecord::of(
                source,
                source.centre_mm(),
                filled * grid.voxel_volume_mm3(),
                voxels.len(),
            )
        })
        .collect();
    (labels, records)
}
