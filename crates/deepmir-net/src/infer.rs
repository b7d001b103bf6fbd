//! From prepared images to probability maps: slices through networks.

use burn::tensor::{Device, Tensor, TensorData};
use deepmir_detect::ProbabilityMaps;
use deepmir_lesion::LesionClass;
use deepmir_volume::Volume;

use crate::architecture::Output;
use crate::cpu::{self, CpuNetwork};
use crate::{Architecture, DeviceChoice, NetError, Plan, Prepared, UNet, Weights};

/// Something that turns slices into probabilities.
pub trait Network {
    /// `input` is `[batch, channels, height, width]` with height and width multiples of
    /// [`Architecture::size_multiple`]; the result `[batch, output channels, height, width]`.
    ///
    /// # Errors
    /// If the device fails.
    fn probabilities(&mut self, input: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>, NetError>;
}

/// A network on a Burn device.
pub struct BurnNetwork {
    net: UNet,
    device: Device,
}

impl BurnNetwork {
    /// For evaluation, on a device without autodiff.
    ///
    /// # Errors
    /// If the weights are not those of the architecture.
    pub fn new(
        architecture: &Architecture,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, NetError> {
        Ok(Self { net: UNet::new(architecture, weights, device)?, device: device.clone() })
    }
}

impl Network for BurnNetwork {
    fn probabilities(&mut self, input: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>, NetError> {
        let input = Tensor::<4>::from_data(TensorData::new(input, shape), &self.device);
        let data = self.net.probabilities(input).try_into_data();
        let data = data.map_err(|fault| NetError::Device { reason: format!("{fault:?}") })?;
        Ok(data.iter::<f32>().collect())
    }
}

/// Networks of one architecture, ready to run on a device.
///
/// # Errors
/// If the weights are not those of the architecture, or the device is not there.
pub fn networks(
    architecture: &Architecture,
    members: &[Weights],
    device: DeviceChoice,
) -> Result<Vec<Box<dyn Network>>, NetError> {
    let mut networks: Vec<Box<dyn Network>> = Vec::with_capacity(members.len());
    if device.is_cpu() {
        let engine = cpu::engine()?;
        for weights in members {
            networks.push(Box::new(CpuNetwork::new(architecture, weights, &engine)?));
        }
    } else {
        let device = device.open()?;
        for weights in members {
            networks.push(Box::new(BurnNetwork::new(architecture, weights, &device)?));
        }
    }
    Ok(networks)
}

/// How to run networks over a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InferenceOptions {
    /// Slices at once.
    pub batch: usize,
    /// Average over the slice, its mirror images and its half turn: four times the work.
    pub flips: bool,
}

impl Default for InferenceOptions {
    fn default() -> Self {
        Self { batch: 4, flips: false }
    }
}

/// Runs networks of one architecture over every slice that holds brain and takes their median (of two,
/// the mean): like most of them, and on the scale of each of them, so that thresholds chosen for one
/// hold for all together. The maps are on the prepared grid. `progress` hears of slices done, and of how many.
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
    let frame = Frame { prepared, context: plan.context_slices, width, height };
    let slices: Vec<usize> =
        (0..nz).filter(|&k| prepared.brain.slice(k).iter().any(|&inside| inside)).collect();
    let mirrors: &[Mirror] = if options.flips { &Mirror::ALL } else { &Mirror::ALL[..1] };
    let share = 1.0 / mirrors.len() as f32;

    let mut maps: Vec<(LesionClass, Volume<f32>)> =
        plan.classes.iter().map(|&class| (class, Volume::filled(*grid, 0.0))).collect();
    let outputs = architecture.output_channels;
    let first_class = usize::from(architecture.output == Output::Softmax);
    let area = nx * ny;
    for (done, batch) in slices.chunks(options.batch.max(1)).enumerate() {
        // What each network says of each class in each slice.
        let mut said = vec![vec![0.0; maps.len() * batch.len() * area]; networks.len()];
        for mirror in mirrors {
            let input = frame.input(batch, *mirror);
            let shape = [batch.len(), plan.input_channels(), height, width];
            for (network, said) in networks.iter_mut().zip(&mut said) {
                let output = network.probabilities(input.clone(), shape)?;
                for (place, slice) in said.chunks_exact_mut(area).enumerate() {
                    let (class, n) = (place / batch.len(), place % batch.len());
                    let channel = n * outputs + first_class + class;
                    let plane = &output[channel * width * height..][..width * height];
                    frame.add(slice, plane, *mirror, share);
                }
            }
        }
        let together = agreed(said);
        for (place, slice) in together.chunks_exact(area).enumerate() {
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

/// The median over networks, value by value.
fn agreed(mut said: Vec<Vec<f32>>) -> Vec<f32> {
    let middle = said.len() / 2;
    if said.len() < 2 {
        return said.pop().unwrap_or_default();
    }
    let mut column = vec![0.0; said.len()];
    (0..said[0].len())
        .map(|n| {
            column.iter_mut().zip(&said).for_each(|(value, said)| *value = said[n]);
            column.sort_unstable_by(f32::total_cmp);
            if column.len() % 2 == 1 {
                column[middle]
            } else {
                0.5 * (column[middle - 1] + column[middle])
            }
        })
        .collect()
}

/// A way of holding the slice up to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mirror {
    across: bool,
    along: bool,
}

impl Mirror {
    const ALL: [Self; 4] = [
        Self { across: false, along: false },
        Self { across: true, along: false },
        Self { across: false, along: true },
        Self { across: true, along: true },
    ];
}

/// Slices of a prepared subject, padded to what the network takes.
struct Frame<'a> {
    prepared: &'a Prepared,
    context: usize,
    width: usize,
    height: usize,
}

impl Frame<'_> {
    fn input(&self, slices: &[usize], mirror: Mirror) -> Vec<f32> {
        let [nx, ny, nz] = self.prepared.grid().shape();
        let area = self.width * self.height;
        let channels = self.prepared.images.len() * self.context;
        let mut input = vec![0.0; slices.len() * channels * area];
        let mut planes = input.chunks_exact_mut(area);
        for &slice in slices {
            for image in &self.prepared.images {
                for offset in 0..self.context {
                    let k = (slice + offset).saturating_sub(self.context / 2).min(nz - 1);
                    let Some(plane) = planes.next() else { break };
                    for (j, row) in image.slice(k).chunks_exact(nx).enumerate() {
                        let v = if mirror.along { ny - 1 - j } else { j };
                        let to = &mut plane[v * self.width..v * self.width + nx];
                        to.copy_from_slice(row);
                        if mirror.across {
                            to.reverse();
                        }
                    }
                }
            }
        }
        input
    }

    fn add(&self, slice: &mut [f32], plane: &[f32], mirror: Mirror, share: f32) {
        let [nx, ny, _] = self.prepared.grid().shape();
        for (j, row) in slice.chunks_exact_mut(nx).enumerate() {
            let v = if mirror.along { ny - 1 - j } else { j };
            let from = &plane[v * self.width..v * self.width + nx];
            for (i, value) in row.iter_mut().enumerate() {
                let u = if mirror.across { nx - 1 - i } else { i };
                *value += share * from[u];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::tests::prepared_subject;
    use crate::preset;

    /// Calls dark SWI in the middle slice CMB, whatever surrounds it.
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
    fn an_outvoted_network_changes_nothing() {
        assert_eq!(agreed(vec![vec![0.9, 0.1], vec![0.0, 0.2], vec![0.8, 1.0]]), [0.8, 0.2]);
        assert_eq!(agreed(vec![vec![0.5], vec![1.0]]), [0.75]);
        assert_eq!(agreed(vec![vec![0.5]]), [0.5]);
        assert!(agreed(Vec::new()).is_empty());
    }

    #[test]
    fn slices_land_where_they_came_from_mirrored_or_not() {
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
