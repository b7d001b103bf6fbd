//! Drawing batches of patches: where they are cut, and how they are augmented.

mod pixels;
mod subjects;

use deepmir_lesion::LesionClass;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::loss::UNKNOWN;
use super::store::{StoredCase, UNKNOWN_LABEL};
use super::synthetic::SyntheticQueue;
use super::{SamplingConfig, TrainingConfig};
use crate::augment::{self, AugmentConfig, Cut};
use crate::{NetError, Plan};
use pixels::{bilinear, fill};
use subjects::Subjects;

/// Patches and their targets, in the network's layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `[batch, channels, height, width]`.
    pub inputs: Vec<f32>,
    /// Class numbers, `[batch, height, width]`: 0 background, n the plan's n-th class, 255 where nobody knows.
    pub targets: Vec<u8>,
    /// Number of patches.
    pub count: usize,
}

/// Draws batches from stored subjects.
pub struct Sampler<'a> {
    cases: &'a [StoredCase],
    extra_training: &'a [StoredCase],
    plan: &'a Plan,
    seed: u64,
    batch_size: usize,
    size: [usize; 2],
    sampling: SamplingConfig,
    augment: AugmentConfig,
    synthetic: Option<&'a SyntheticQueue>,
}

impl<'a> Sampler<'a> {
    /// A sampler over the cohort's subjects. There must be one here or in the extra training data.
    pub fn new(cases: &'a [StoredCase], plan: &'a Plan, config: &TrainingConfig) -> Self {
        Self {
            cases,
            extra_training: &[],
            plan,
            seed: config.seed,
            batch_size: config.batch_size,
            size: config.patch,
            sampling: config.sampling,
            augment: config.augment,
            synthetic: None,
        }
    }

    /// Adds extra training data, and synthetic subjects that join it during the training.
    pub(super) fn with_extra_training(
        self,
        extra_training: &'a [StoredCase],
        synthetic: &'a SyntheticQueue,
    ) -> Self {
        Self { extra_training, synthetic: Some(synthetic), ..self }
    }

    /// The batch of a step: the same for the same seed and step, whatever was drawn before.
    ///
    /// # Errors
    /// If a stored subject cannot be read, or a synthetic one could not be made.
    pub fn batch(&self, step: u64) -> Result<Batch, NetError> {
        let synthetic =
            self.synthetic.map(|synthetic| synthetic.at(step)).transpose()?.unwrap_or_default();
        let own = Subjects::new(self.cases.iter().collect(), self.plan);
        let extra_training =
            self.extra_training.iter().chain(synthetic.iter().map(AsRef::as_ref)).collect();
        let extra_training = Subjects::new(extra_training, self.plan);
        let area = self.size[0] * self.size[1];
        let mut batch = Batch {
            inputs: vec![0.0; self.batch_size * self.plan.input_channels() * area],
            targets: vec![0; self.batch_size * area],
            count: self.batch_size,
        };
        let inputs = batch.inputs.chunks_exact_mut(self.plan.input_channels() * area);
        for (n, (input, target)) in inputs.zip(batch.targets.chunks_exact_mut(area)).enumerate() {
            let mut generator = augment::generator(self.seed, step, n as u64);
            let subjects = match (own.cases.is_empty(), extra_training.cases.is_empty()) {
                (_, true) => &own,
                (true, false) => &extra_training,
                (false, false) if generator.random_bool(self.sampling.extra) => &extra_training,
                (false, false) => &own,
            };
            self.cut(subjects, &mut generator, input, target)?;
        }
        Ok(batch)
    }

    /// Fills one patch: `input` is `[channels, height, width]`, `target` `[height, width]`.
    fn cut(
        &self,
        subjects: &Subjects<'_>,
        generator: &mut ChaCha8Rng,
        input: &mut [f32],
        target: &mut [u8],
    ) -> Result<(), NetError> {
        let (case, slice, pixel) = subjects.draw(&self.sampling, generator);
        let stored = subjects.cases[case];
        let [nx, ny, nz] = stored.shape();

        // The drawn pixel lies within the jitter around the patch's centre.
        let mut place = |side: usize| {
            let half = side as f64 / 2.0;
            half + self.sampling.jitter * half * (2.0 * generator.random::<f64>() - 1.0)
        };
        let (u, v) = (place(self.size[0]), place(self.size[1]));
        let cut = Cut::random([0.0; 2], &self.augment, generator);
        let cut = cut.centred_so_that(pixel, u, v, self.size);

        let context = self.plan.context_slices;
        let first = slice.saturating_sub(context / 2);
        let last = (slice + context / 2).min(nz - 1);
        let slab = stored.slices(first, last + 1 - first)?;
        let area = self.size[0] * self.size[1];
        let missing = augment::missing_slice(context, &self.augment, generator);
        for (channel, &modality) in self.plan.inputs.iter().enumerate() {
            let cut = cut.moved(augment::misalignment(modality, &self.augment, generator));
            let slices = &mut input[channel * context * area..(channel + 1) * context * area];
            for (position, patch) in slices.chunks_exact_mut(area).enumerate() {
                let position = if missing == Some(position) { context / 2 } else { position };
                let offset = if cut.flip_slices { context - 1 - position } else { position };
                let at = (slice + offset).saturating_sub(context / 2).clamp(first, last);
                let from = ((at - first) * self.plan.inputs.len() + channel) * nx * ny;
                let source = &slab[from..from + nx * ny];
                fill(patch, self.size, &cut, |x, y| bilinear(source, [nx, ny], x, y));
            }
            augment::intensities(slices, self.size, modality, &self.augment, generator);
            let optional = self.plan.optional.contains(&modality);
            if optional && augment::missing(&self.augment, generator) {
                slices.fill(0.0);
            } else {
                augment::absent_side(slices, self.size, modality, &self.augment, generator);
            }
        }

        let labels = stored.labels(slice)?;
        fill(target, self.size, &cut, |x, y| {
            let (x, y) = (x.round(), y.round());
            if x < 0.0 || y < 0.0 || x >= nx as f64 || y >= ny as f64 {
                return 0;
            }
            self.class_number(labels[x as usize + nx * y as usize])
        });
        Ok(())
    }

    /// The network's number of a label: 0 background, n the plan's n-th class, [`UNKNOWN`].
    fn class_number(&self, label: u8) -> u8 {
        if label == UNKNOWN_LABEL {
            return UNKNOWN;
        }
        LesionClass::from_label(label)
            .and_then(|class| self.plan.classes.iter().position(|&other| other == class))
            .map_or(0, |position| position as u8 + 1)
    }
}

#[cfg(test)]
mod tests;
