//! Inference: the slices of a prepared subject through an ensemble of networks to probability maps.

mod slices;

use deepmir_detect::ProbabilityMaps;
use deepmir_lesion::LesionClass;
use deepmir_volume::Volume;

use crate::architecture::Output;
use crate::cpu::{self, CpuNetwork};
use crate::gpu;
pub use crate::network::Network;
use crate::{Architecture, DeviceChoice, NetError, Plan, Prepared, Weights};
use slices::{Mirror, PaddedSlices};

/// Opens networks of one architecture on a device.
///
/// # Errors
/// If the weights do not fit the architecture, or the device is not there.
pub fn networks(
    architecture: &Architecture,
    members: &[Weights],
    device: DeviceChoice,
) -> Result<Vec<Box<dyn Network>>, NetError> {
    if !device.is_cpu() {
        return gpu::networks(architecture, members, device);
    }
    let engine = cpu::engine()?;
    let mut networks: Vec<Box<dyn Network>> = Vec::with_capacity(members.len());
    for weights in members {
        networks.push(Box::new(CpuNetwork::new(architecture, weights, &engine)?));
    }
    Ok(networks)
}

/// How networks are run over a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InferenceOptions {
    /// Slices in one batch.
    pub batch: usize,
    /// Test-time augmentation: average over the slice, its mirror images and its half turn. Four times the work.
    pub flips: bool,
}

impl Default for InferenceOptions {
    fn default() -> Self {
        Self { batch: 4, flips: false }
    }
}

/// Runs an ensemble over every slice that holds brain and takes the median of its members (of two, the mean). A median
/// is not moved by one outlier, and stays on the scale of the members, so that thresholds chosen for one member hold for
/// the ensemble. The maps are on the prepared grid. `progress` is called with the slices done and their total.
///
/// # Errors
/// If a device fails.
pub fn probability_maps(
    networks: &mut [Box<dyn Network>],
    prepared: &Prepared,
    plan: &Plan,
    architecture: &Architecture,
    options: &InferenceOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<ProbabilityMaps, NetError> {
    let grid = prepared.grid();
    let [nx, ny, nz] = grid.shape();
    let multiple = architecture.size_multiple();
    let (width, height) = (nx.next_multiple_of(multiple), ny.next_multiple_of(multiple));
    let padded = PaddedSlices { prepared, context: plan.context_slices, width, height };
    let slices: Vec<usize> =
        (0..nz).filter(|&k| prepared.brain.slice(k).iter().any(|&inside| inside)).collect();
    let mirrors: &[Mirror] = if options.flips { &Mirror::ALL } else { &Mirror::ALL[..1] };
    let weight = 1.0 / mirrors.len() as f32;

    let mut maps: Vec<(LesionClass, Volume<f32>)> =
        plan.classes.iter().map(|&class| (class, Volume::filled(*grid, 0.0))).collect();
    let outputs = architecture.output_channels;
    let first_class = usize::from(architecture.output == Output::Softmax);
    let area = nx * ny;
    for (done, batch) in slices.chunks(options.batch.max(1)).enumerate() {
        // For each network `[class][slice][row][column]`.
        let mut of_networks = vec![vec![0.0; maps.len() * batch.len() * area]; networks.len()];
        for mirror in mirrors {
            let input = padded.input(batch, *mirror);
            let shape = [batch.len(), plan.input_channels(), height, width];
            for (network, probabilities) in networks.iter_mut().zip(&mut of_networks) {
                let output = network.probabilities(input.clone(), shape)?;
                for (place, slice) in probabilities.chunks_exact_mut(area).enumerate() {
                    let (class, n) = (place / batch.len(), place % batch.len());
                    let channel = n * outputs + first_class + class;
                    let plane = &output[channel * width * height..][..width * height];
                    padded.add(slice, plane, *mirror, weight);
                }
            }
        }
        let median = ensemble_median(of_networks);
        for (place, slice) in median.chunks_exact(area).enumerate() {
            let (class, k) = (place / batch.len(), batch[place % batch.len()]);
            maps[class].1.data_mut()[k * area..(k + 1) * area].copy_from_slice(slice);
        }
        progress((done * options.batch + batch.len()).min(slices.len()), slices.len());
    }
    for (_, map) in &mut maps {
        let voxels = map.data_mut().iter_mut().zip(prepared.brain.data());
        voxels.filter(|(_, inside)| !**inside).for_each(|(value, _)| *value = 0.0);
    }
    ProbabilityMaps::new(maps)
        .ok_or_else(|| NetError::Config { reason: "a plan without classes".to_owned() })
}

/// The median over the members, value by value; of two the mean.
pub fn ensemble_median(mut members: Vec<Vec<f32>>) -> Vec<f32> {
    let middle = members.len() / 2;
    if members.len() < 2 {
        return members.pop().unwrap_or_default();
    }
    let mut column = vec![0.0; members.len()];
    (0..members[0].len())
        .map(|n| {
            column.iter_mut().zip(&members).for_each(|(value, member)| *value = member[n]);
            column.sort_unstable_by(f32::total_cmp);
            if column.len() % 2 == 1 {
                column[middle]
            } else {
                0.5 * (column[middle - 1] + column[middle])
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::tests::prepared_subject;
    use crate::preset;

    /// Predicts CMB where SWI is dark in the middle slice.
    struct Threshold {
        outputs: usize,
    }

    impl Network for Threshold {
        fn probabilities(
            &mut self,
            input: Vec<f32>,
            shape: [usize; 4],
        ) -> Result<Vec<f32>, NetError> {
            let [batch, channels, height, width] = shape;
            let area = height * width;
            let mut output = vec![0.0; batch * self.outputs * area];
            for n in 0..batch {
                for pixel in 0..area {
                    let dark = input[(n * channels + 1) * area + pixel] < -3.0;
                    output[(n * self.outputs + 1) * area + pixel] = f32::from(dark);
                }
            }
            Ok(output)
        }
    }

    #[test]
    fn an_outlier_does_not_move_the_ensemble_median() {
        assert_eq!(
            ensemble_median(vec![vec![0.9, 0.1], vec![0.0, 0.2], vec![0.8, 1.0]]),
            [0.8, 0.2]
        );
        assert_eq!(ensemble_median(vec![vec![0.5], vec![1.0]]), [0.75]);
        assert_eq!(ensemble_median(vec![vec![0.5]]), [0.5]);
        assert!(ensemble_median(Vec::new()).is_empty());
    }

    #[test]
    fn slices_land_where_they_came_from_with_and_without_test_time_augmentation() {
        let preset = preset::deepmir();
        let (prepared, case) = prepared_subject(&preset.plan);
        for flips in [false, true] {
            let mut networks: Vec<Box<dyn Network>> =
                vec![Box::new(Threshold { outputs: 3 }), Box::new(Threshold { outputs: 3 })];
            let mut last = (0, 0);
            let maps = probability_maps(
                &mut networks,
                &prepared,
                &preset.plan,
                &preset.architecture,
                &InferenceOptions { batch: 3, flips },
                &mut |done, total| last = (done, total),
            );
            let maps = maps.unwrap();
            assert!(last.0 == last.1 && last.1 > 0);
            let map = prepared.placement.restore(maps.of(LesionClass::Cmb).unwrap());
            let truth = case.truth.as_ref().unwrap().volume();
            for (probability, &label) in map.data().iter().zip(truth.data()) {
                assert!((probability - f32::from(label > 0)).abs() < 1e-6);
            }
        }
    }
}
