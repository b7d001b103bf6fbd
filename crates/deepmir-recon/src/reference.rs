//! Which part of the head has a susceptibility of zero.

use deepmir_volume::morphology::erode_mm;
use deepmir_volume::{Mask, Volume, statistics};
use serde::{Deserialize, Serialize};

use crate::config::ReconConfig;
use crate::pipeline::Reconstruction;
use crate::scan::GradientEchoScan;
use crate::separation::separated;
use crate::swi::weighted_by_susceptibility;

/// Whose median susceptibility is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// The reliable part of the brain.
    #[default]
    Brain,
    /// The fluid of the ventricles, which has no iron and no myelin and is much the same in all heads.
    Fluid,
}

/// How zero was set in a susceptibility map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ZeroReference {
    /// Whose median is zero.
    pub region: Reference,
    /// The volume of what the median was taken over.
    #[serde(rename = "VolumeMm3")]
    pub volume_mm3: f64,
    /// The median over the reliable part of the brain.
    #[serde(rename = "BrainMedianPpm")]
    pub brain_median_ppm: f32,
}

/// What is taken off the outside of the ventricles, millimetres: their outline is drawn on voxels of 2 mm.
const MARGIN_MM: f32 = 2.0;
/// The least fluid that says where zero is. Its median's error is below that of the tissue around it from
/// some hundred voxels on.
pub const LEAST_FLUID_MM3: f64 = 500.0;

impl Reconstruction {
    /// Sets zero to the median over the fluid of `ventricles`, a mask on the scan's grid, and makes the
    /// image from susceptibility anew, if there is one.
    ///
    /// Fluid is what lies 2 mm inside the ventricles, in the reliable part, and, with two echoes or more,
    /// decays at most `brain.fluid_decay` as fast as the brain's median: that leaves out choroid plexus,
    /// vessels and tissue (as R2* below 5 per second does in MEDI+0; Liu et al., "MEDI+0: morphology
    /// enabled dipole inversion with automatic uniform cerebrospinal fluid zero reference for
    /// quantitative susceptibility mapping", 2018; a share of the brain's rate is good at any field
    /// strength).
    ///
    /// # Errors
    /// The volume of fluid in cubic millimetres if it is less than [`LEAST_FLUID_MM3`]; the maps stay as
    /// they were.
    pub fn refer_to_fluid(
        &mut self,
        scan: &GradientEchoScan,
        ventricles: &Mask,
        config: &ReconConfig,
    ) -> Result<(), f64> {
        let fluid = self.fluid(ventricles, config.brain.fluid_decay);
        let volume_mm3 = fluid.count() as f64 * fluid.grid().voxel_volume_mm3();
        let median = median_over(&self.chi_ppm, &fluid);
        let (Some(median), true) = (median, volume_mm3 >= LEAST_FLUID_MM3) else {
            return Err(volume_mm3);
        };
        let voxels = self.chi_ppm.data_mut().iter_mut().zip(self.reliable.data());
        voxels.filter(|(_, reliable)| **reliable).for_each(|(value, _)| *value -= median);
        let brain_median_ppm = self.zero.brain_median_ppm - median;
        self.zero = ZeroReference { region: Reference::Fluid, volume_mm3, brain_median_ppm };
        self.swi_from_susceptibility =
            weighted_by_susceptibility(scan, &self.chi_ppm, &self.reliable, &config.swi);
        let rate = self.r2_star_per_s.as_ref();
        self.separated = separated(scan, &self.chi_ppm, rate, &self.reliable, config.separation);
        Ok(())
    }

    fn fluid(&self, ventricles: &Mask, decay: f32) -> Mask {
        let mut fluid = erode_mm(ventricles, MARGIN_MM);
        let reliable = self.reliable.data().iter();
        fluid.data_mut().iter_mut().zip(reliable).for_each(|(value, &reliable)| *value &= reliable);
        if let Some(rate) = &self.r2_star_per_s
            && let Some(typical) = median_over(rate, &self.brain)
        {
            let rates = rate.data().iter();
            let slow = |rate: f32| rate <= decay * typical;
            fluid.data_mut().iter_mut().zip(rates).for_each(|(value, &rate)| *value &= slow(rate));
        }
        fluid
    }
}

fn median_over(map: &Volume<f32>, mask: &Mask) -> Option<f32> {
    let inside = map.data().iter().zip(mask.data()).filter(|(_, inside)| **inside);
    let mut values: Vec<f32> = inside.map(|(&value, _)| value).collect();
    statistics::median(&mut values)
}
