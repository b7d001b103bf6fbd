//! What is true of a simulated scan.

use std::path::Path;

use deepmir_cases::bids::write_text;
use deepmir_volume::components::Connectivity;
use deepmir_volume::morphology::{close_mm, fill_holes, largest_component};
use deepmir_volume::{Affine, Mask, Volume};
use rayon::prelude::*;
use serde::Serialize;

use crate::PhantomError;
use crate::geometry::Geometry;
use crate::paint::Painting;
use crate::physics::average::{average, average_of, shares};
use crate::source::{Inclusion, Source};

/// A part of a scan voxel, filled by a lesion, from which on the voxel is the lesion's.
pub(crate) const LABEL_FRACTION: f32 = 0.5;

/// Width of the sulci that belong to the brain mask in millimetres (twice the radius of closing).
const MASK_CLOSING_MM: f32 = 3.5;

/// The truth on the scan's grid.
#[derive(Clone, Debug)]
pub struct Truth {
    /// 0 background, 1 CMB, 2 NHID.
    pub lesions: Volume<u8>,
    /// The brain with its ventricles and sulci.
    pub brain_mask: Mask,
    /// Mean susceptibility of each voxel in ppm.
    pub chi_ppm: Volume<f32>,
    /// Mean field of each voxel in ppm, as shimmed.
    pub field_ppm: Volume<f32>,
    /// Mean R2* of each voxel in 1/s, dephasing between fine voxels not counted.
    pub r2star_hz: Volume<f32>,
    /// What susceptibility and R2* are made of, if it was asked for.
    pub parts: Option<TrueParts>,
    /// All drawn sources.
    pub sources: Vec<SourceRecord>,
}

/// Both parts of susceptibility, and R2, on the scan's grid.
#[derive(Clone, Debug)]
pub struct TrueParts {
    /// Mean paramagnetic susceptibility of each voxel in ppm, 0 or more.
    pub chi_positive_ppm: Volume<f32>,
    /// Mean diamagnetic susceptibility of each voxel in ppm, 0 or less.
    pub chi_negative_ppm: Volume<f32>,
    /// Mean R2 of each voxel in 1/s.
    pub r2_hz: Volume<f32>,
}

/// A row of the table of sources.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceRecord {
    /// CMB, NHID, calcification, cavernoma, vessel, vein or haemorrhage.
    pub kind: &'static str,
    /// Centre in the scanner's (RAS+) millimetres.
    pub x_mm: f64,
    /// Centre in the scanner's (RAS+) millimetres.
    pub y_mm: f64,
    /// Centre in the scanner's (RAS+) millimetres.
    pub z_mm: f64,
    /// Drawn volume in mm³ (0 if vanished).
    pub volume_mm3: f64,
    /// Susceptibility added to the tissue's in ppm.
    pub chi_ppm: f64,
    /// Region or structure.
    pub site: String,
    /// Number in the subject, the same at all sessions.
    pub source_id: u32,
    /// Diameter of the ball of the drawn volume in millimetres.
    pub diameter_mm: f64,
    /// Voxels of the label map.
    pub n_voxels: usize,
    /// Since the session before.
    pub change: &'static str,
}

impl SourceRecord {
    /// Of a source with its centre in the scanner's millimetres, the volume that was drawn, and the voxels of its label.
    pub(crate) fn of(
        source: &Source,
        [x_mm, y_mm, z_mm]: [f64; 3],
        volume_mm3: f64,
        n_voxels: usize,
    ) -> Self {
        Self {
            kind: source.kind.name(),
            x_mm,
            y_mm,
            z_mm,
            volume_mm3,
            chi_ppm: source.chi_ppm,
            site: source.site.clone(),
            source_id: source.id,
            diameter_mm: (6.0 * volume_mm3 / std::f64::consts::PI).cbrt(),
            n_voxels,
            change: source.change.name(),
        }
    }
}

/// Writes the table of sources: a row for each, columns as in [`SourceRecord`].
///
/// # Errors
/// If the file cannot be written.
pub fn write_sources(path: &Path, sources: &[SourceRecord]) -> Result<(), PhantomError> {
    let mut table = String::from(
        "kind\tx_mm\ty_mm\tz_mm\tvolume_mm3\tchi_ppm\tsite\tsource_id\tdiameter_mm\tn_voxels\tchange\n",
    );
    for row in sources {
        table += &format!(
            "{}\t{:.2}\t{:.2}\t{:.2}\t{:.2}\t{:.3}\t{}\t{}\t{:.2}\t{}\t{}\n",
            row.kind,
            row.x_mm,
            row.y_mm,
            row.z_mm,
            row.volume_mm3,
            row.chi_ppm,
            row.site,
            row.source_id,
            row.diameter_mm,
            row.n_voxels,
            row.change,
        );
    }
    Ok(write_text(path, &table)?)
}

/// The brain mask: parenchyma and ventricles, gaps closed.
pub(crate) fn brain_mask(painting: &Painting, geometry: &Geometry) -> Mask {
    let start = geometry.fine_in_wide.start();
    let fx = geometry.fine.shape()[0];
    let brain = average_of(geometry.fine.shape(), &geometry.scan, |k, slice| {
        for (j, row) in slice.chunks_exact_mut(fx).enumerate() {
            let from = geometry.wide.index([start[0], start[1] + j, start[2] + k]);
            let labels = &painting.structures.data()[from..from + fx];
            for (value, label) in row.iter_mut().zip(labels) {
                *value = if label.is_brain() { 1.0 } else { 0.0 };
            }
        }
    });
    let brain = brain.map(|&part| part > 0.5);
    let whole = largest_component(&brain, Connectivity::Six);
    fill_holes(&close_mm(&whole, MASK_CLOSING_MM))
}

/// Collects the truth. `field_ppm` is that of the fine grid.
pub(crate) fn collect(
    painting: &Painting,
    geometry: &Geometry,
    sources: &[Source],
    field_ppm: &Volume<f32>,
    brain_mask: Mask,
    to_head: &Affine,
) -> Truth {
    let start = geometry.fine_in_wide.start();
    let fx = geometry.fine.shape()[0];
    let chi_ppm = average_of(geometry.fine.shape(), &geometry.scan, |k, slice| {
        for (j, row) in slice.chunks_exact_mut(fx).enumerate() {
            let from = geometry.wide.index([start[0], start[1] + j, start[2] + k]);
            row.copy_from_slice(&painting.chi_ppm.data()[from..from + fx]);
        }
    });
    let (lesions, counts) = label(painting, geometry, sources);
    let to_world = to_head.inverse();
    let fine_mm3 = geometry.fine.voxel_volume_mm3();
    let records = sources.iter().zip(&painting.sources).zip(counts).map(|((source, filled), n)| {
        let parts: f64 = filled.iter().map(|part| f64::from(part.fraction)).sum();
        SourceRecord::of(source, to_world.apply(source.centre_mm()), parts * fine_mm3, n)
    });
    let parts = painting.parts.as_ref().map(|parts| {
        let chi_positive_ppm = average(&parts.chi_positive_ppm, &geometry.scan);
        let mut chi_negative_ppm = chi_ppm.clone();
        let positive = chi_positive_ppm.data().iter();
        // Nothing but rounding is above zero.
        let part = |(chi, positive): (&mut f32, &f32)| *chi = (*chi - positive).min(0.0);
        chi_negative_ppm.data_mut().iter_mut().zip(positive).for_each(part);
        TrueParts {
            chi_positive_ppm,
            chi_negative_ppm,
            r2_hz: average(&parts.r2_hz, &geometry.scan),
        }
    });
    Truth {
        parts,
        sources: records.collect(),
        lesions,
        brain_mask,
        chi_ppm,
        field_ppm: average(field_ppm, &geometry.scan),
        r2star_hz: average(&painting.r2star_hz, &geometry.scan),
    }
}

/// The label map and the number of voxels of each source. A voxel at least half filled is the
/// lesion's; of a lesion that fills none so far, the voxel it fills most.
fn label(painting: &Painting, geometry: &Geometry, sources: &[Source]) -> (Volume<u8>, Vec<usize>) {
    let (fine, scan) = (geometry.fine.shape(), geometry.scan.shape());
    // For each fine index of an axis, the scan voxels that hold it, with the part of them it is.
    let owners: [Vec<Vec<(usize, f32)>>; 3] = std::array::from_fn(|axis| {
        let mut owners = vec![Vec::new(); fine[axis]];
        for (coarse, share) in shares(fine[axis], scan[axis]).into_iter().enumerate() {
            share.into_iter().for_each(|(index, part)| owners[index].push((coarse, part)));
        }
        owners
    });
    let filled: Vec<Vec<(usize, f32)>> = painting
        .sources
        .par_iter()
        .map(|inclusions| {
            let mut parts = std::collections::BTreeMap::<usize, f32>::new();
            for &Inclusion { index, fraction } in inclusions {
                let [i, j, k] = geometry.fine.voxel(index);
                for &(c, wz) in &owners[2][k] {
                    for &(b, wy) in &owners[1][j] {
                        for &(a, wx) in &owners[0][i] {
                            let part = fraction * wx * wy * wz;
                            *parts.entry(geometry.scan.index([a, b, c])).or_default() += part;
                        }
                    }
                }
            }
            parts.into_iter().collect()
        })
        .collect();
    let mut lesions = Volume::filled(geometry.scan, 0_u8);
    let mut counts = Vec::new();
    for (source, parts) in sources.iter().zip(filled) {
        let half: Vec<usize> = parts
            .iter()
            .filter(|(_, part)| *part >= LABEL_FRACTION)
            .map(|(index, _)| *index)
            .collect();
        let most = parts.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| *index);
        let voxels = if half.is_empty() { most.into_iter().collect() } else { half };
        let Some(label) = source.kind.label() else {
            counts.push(0);
            continue;
        };
        voxels.iter().for_each(|&index| lesions.data_mut()[index] = label);
        counts.push(voxels.len());
    }
    (lesions, counts)
}
