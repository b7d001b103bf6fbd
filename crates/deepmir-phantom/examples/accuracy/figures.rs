//! Errors of a reconstruction over the whole brain and its parts.

use std::fmt;

use deepmir_phantom::physics::dipole::dipole_field;
use deepmir_phantom::{PhantomConfig, Scan, Structure, Subject};
use deepmir_recon::accuracy::{MapError, dice, map_error, slope_over_means, xsim};
use deepmir_recon::{Padding, Reconstruction};
use deepmir_volume::{Mask, Volume};

/// The parts of the brain that the QSM challenge 2.0 looks at.
pub struct Regions {
    /// Grey and white matter away from drawn sources.
    tissue: Mask,
    /// Veins and venous sinuses inside the brain's mask.
    blood: Mask,
    /// Deep grey nuclei away from drawn sources.
    deep_grey: Mask,
    /// Each nucleus by itself.
    nuclei: Vec<Mask>,
}

impl Regions {
    pub fn of(subject: &Subject, config: &PhantomConfig, scan: &Scan) -> Self {
        let grid = scan.geometry.scan;
        let structures = subject.head.sample(&grid, &subject.pose(config, 0));
        let venous = subject.tissues(config, 0).of(Structure::Vein).chi_ppm() as f32;
        let truth = &scan.truth;
        let mut drawn = Volume::filled(grid, false);
        for source in truth.sources.iter().filter(|source| source.volume_mm3 > 0.0) {
            let centre = [source.x_mm, source.y_mm, source.z_mm];
            // Strewn deposits reach further than the ball of their volume.
            let reach = 1.5 * source.diameter_mm / 2.0 + 2.0;
            super::sources::for_ball(&grid, centre, reach, |index, _| {
                drawn.data_mut()[index] = true;
            });
        }
        let part = |wanted: &dyn Fn(usize) -> bool| {
            let mut mask = Volume::filled(grid, false);
            for (index, value) in mask.data_mut().iter_mut().enumerate() {
                *value = !drawn.data()[index] && wanted(index);
            }
            mask
        };
        let chi = truth.chi_ppm.data();
        let label = |index: usize| structures.data()[index];
        let nucleus =
            |structure: Structure| part(&|index| label(index) == structure && chi[index] < venous);
        Self {
            tissue: part(&|index| {
                matches!(label(index), Structure::WhiteMatter | Structure::Cortex)
                    && chi[index] < 0.3 * venous
            }),
            blood: part(&|index| {
                chi[index] > 0.5 * venous
                    && !label(index).is_deep_grey()
                    && truth.brain_mask.data()[index]
            }),
            deep_grey: part(&|index| label(index).is_deep_grey()),
            nuclei: Structure::ALL
                .into_iter()
                .filter(|structure| structure.is_deep_grey())
                .map(nucleus)
                .collect(),
        }
    }
}

/// Errors in per cent of the truth's deviation, unless another unit is named.
#[derive(Clone, Copy, Debug)]
pub struct Figures([f64; 13]);

impl Figures {
    /// The columns.
    pub const HEADER: &'static str = "Dice, part of the true brain that is reliable, NRMSE of the \
        total field, of the local field, of susceptibility, detrended, its slope, XSIM; detrended in \
        tissue, blood, deep grey; 1 - slope over nuclei; streaks around calcifications (ppm)";

    pub fn of(made: &Reconstruction, scan: &Scan, regions: &Regions) -> Self {
        let truth = &scan.truth;
        let inside = both(&made.reliable, &truth.brain_mask);
        let in_brain = both(&made.brain, &truth.brain_mask);
        let nrmse = |error: Option<MapError>| error.map_or(f64::NAN, |error| error.nrmse_percent);
        let part = |mask: &Mask| {
            let error = map_error(&made.chi_ppm, &truth.chi_ppm, &both(mask, &inside));
            error.map_or(f64::NAN, |error| error.detrended_nrmse_percent)
        };
        let total = map_error(&made.total_field_ppm, &truth.field_ppm, &in_brain);
        let local = map_error(&made.local_field_ppm, &local_field(scan, &inside), &inside);
        let chi = map_error(&made.chi_ppm, &truth.chi_ppm, &inside);
        let nuclei: Vec<Mask> = regions.nuclei.iter().map(|mask| both(mask, &inside)).collect();
        let slope = slope_over_means(&made.chi_ppm, &truth.chi_ppm, &nuclei);
        Self([
            dice(&made.brain, &truth.brain_mask),
            inside.count() as f64 / truth.brain_mask.count() as f64,
            nrmse(total),
            nrmse(local),
            nrmse(chi),
            chi.map_or(f64::NAN, |error| error.detrended_nrmse_percent),
            chi.map_or(f64::NAN, |error| error.slope),
            xsim(&made.chi_ppm, &truth.chi_ppm, &inside).unwrap_or(f64::NAN),
            part(&regions.tissue),
            part(&regions.blood),
            part(&regions.deep_grey),
            slope.map_or(f64::NAN, |slope| 1.0 - slope),
            super::sources::streaks_ppm(made, scan, &inside),
        ])
    }

    pub fn mean(all: &[Self]) -> Self {
        Self(std::array::from_fn(|column| {
            all.iter().map(|figures| figures.0[column]).sum::<f64>() / all.len() as f64
        }))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [
            dice,
            part,
            total,
            local,
            chi,
            detrended,
            slope,
            xsim,
            tissue,
            blood,
            grey,
            nuclei,
            streaks,
        ] = self.0;
        write!(
            f,
            "{dice:.3} {part:.3} | {total:5.1} {local:5.1} | {chi:5.1} {detrended:5.1} {slope:.3} \
             {xsim:.3} | {tissue:5.1} {blood:5.1} {grey:5.1} {nuclei:6.3} {streaks:.4}"
        )
    }
}

/// The field of what lies inside the mask alone, relative to its mean there.
fn local_field(scan: &Scan, inside: &Mask) -> Volume<f32> {
    let chi = &scan.truth.chi_ppm;
    let values = chi.data().iter().zip(inside.data()).filter(|(_, inside)| **inside);
    let (sum, count) =
        values.fold((0.0, 0.0), |(sum, count), (&value, _)| (sum + f64::from(value), count + 1.0));
    let mean = (sum / f64::max(count, 1.0)) as f32;
    let mut own = chi.clone();
    own.data_mut().iter_mut().zip(inside.data()).for_each(|(value, &inside)| {
        *value = if inside { *value - mean } else { 0.0 };
    });
    let padding = Padding::new(chi.grid(), [24; 3]);
    padding.crop_data(dipole_field(&padding.pad(&own, 0.0), scan.geometry.b0_direction).data())
}

pub fn both(a: &Mask, b: &Mask) -> Mask {
    let mut common = a.clone();
    common.data_mut().iter_mut().zip(b.data()).for_each(|(a, &b)| *a &= b);
    common
}
