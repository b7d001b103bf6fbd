//! Which patches are shown, and how they are cut.

use deepmir_lesion::LesionClass;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::store::{LesionSite, StoredCase};
use super::synthetic::SyntheticQueue;
use super::{SamplingConfig, TrainingConfig};
use crate::augment::{self, AugmentConfig, Cut};
use crate::{NetError, Plan};

/// Patches with their targets, ready for the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `[batch, channels, height, width]`.
    pub inputs: Vec<f32>,
    /// Class numbers, `[batch, height, width]`: 0 background, n the plan's n-th class.
    pub targets: Vec<u8>,
    /// Patches.
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

/// Who a step may show.
struct Shown<'a> {
    cases: Vec<&'a StoredCase>,
    /// For each class that there is, every lesion: case and position in the case's list.
    lesions: Vec<Vec<(usize, usize)>>,
}

impl<'a> Shown<'a> {
    fn new(cases: Vec<&'a StoredCase>, plan: &Plan) -> Self {
        let of_class = |&class: &LesionClass| {
            let each = cases.iter().enumerate().flat_map(|(case, stored)| {
                let lesions = stored.lesions.iter().enumerate();
                lesions.filter(move |(_, site)| site.class == class).map(move |(n, _)| (case, n))
            });
            each.collect::<Vec<_>>()
        };
        let lesions = plan.classes.iter().map(of_class).filter(|lesions| !lesions.is_empty());
        Self { lesions: lesions.collect(), cases }
    }
}

/// A voxel that a patch is to show: case, slice, pixel.
type Site = (usize, usize, [f64; 2]);

impl<'a> Sampler<'a> {
    /// A sampler over subjects (at least one, or a companion).
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

    /// Shows extra_training, too, and subjects that join them while training.
    pub(super) fn joined_by(
        self,
        extra_training: &'a [StoredCase],
        synthetic: &'a SyntheticQueue,
    ) -> Self {
        Self { extra_training, synthetic: Some(synthetic), ..self }
    }

    /// The batch of a step: the same for the same seed and step, whatever was drawn before.
    ///
    /// # Errors
    /// If a stored subject cannot be read, or one that joins could not be made.
    pub fn batch(&self, step: u64) -> Result<Batch, NetError> {
        let synthetic =
            self.synthetic.map(|synthetic| synthetic.at(step)).transpose()?.unwrap_or_default();
        let own = Shown::new(self.cases.iter().collect(), self.plan);
        let extra_training =
            self.extra_training.iter().chain(synthetic.iter().map(AsRef::as_ref)).collect();
        let extra_training = Shown::new(extra_training, self.plan);
        let area = self.size[0] * self.size[1];
        let mut batch = Batch {
            inputs: vec![0.0; self.batch_size * self.plan.input_channels() * area],
            targets: vec![0; self.batch_size * area],
            count: self.batch_size,
        };
        let inputs = batch.inputs.chunks_exact_mut(self.plan.input_channels() * area);
        for (n, (input, target)) in inputs.zip(batch.targets.chunks_exact_mut(area)).enumerate() {
            let mut generator = augment::generator(self.seed, step, n as u64);
            let shown = match (own.cases.is_empty(), extra_training.cases.is_empty()) {
                (_, true) => &own,
                (true, false) => &extra_training,
                (false, false) if generator.random_bool(self.sampling.extra) => &extra_training,
                (false, false) => &own,
            };
            self.cut(shown, &mut generator, input, target)?;
        }
        Ok(batch)
    }

    /// Fills one patch: `input` is `[channels, height, width]`, `target` `[height, width]`.
    fn cut(
        &self,
        shown: &Shown<'_>,
        generator: &mut ChaCha8Rng,
        input: &mut [f32],
        target: &mut [u8],
    ) -> Result<(), NetError> {
        let (case, slice, pixel) = self.site(shown, generator);
        let stored = shown.cases[case];
        let [nx, ny, nz] = stored.shape();

        // The chosen pixel lands anywhere within the jitter around the patch's middle.
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

    /// The network's number of a label: 0 background, n the plan's n-th class.
    fn class_number(&self, label: u8) -> u8 {
        LesionClass::from_label(label)
            .and_then(|class| self.plan.classes.iter().position(|&other| other == class))
            .map_or(0, |position| position as u8 + 1)
    }

    fn site(&self, shown: &Shown<'_>, generator: &mut ChaCha8Rng) -> Site {
        let kind: f64 = generator.random();
        if kind < self.sampling.lesion && !shown.lesions.is_empty() {
            return lesion_site(shown, generator);
        }
        let case = generator.random_range(0..shown.cases.len());
        let stored = shown.cases[case];
        let dark = kind < self.sampling.lesion + self.sampling.mimic && !stored.mimics.is_empty();
        let sites = if dark { &stored.mimics } else { &stored.brain };
        let [i, j, k] = sites[generator.random_range(0..sites.len())];
        (case, k, [i as f64, j as f64])
    }
}

fn lesion_site(shown: &Shown<'_>, generator: &mut ChaCha8Rng) -> Site {
    let of_class = &shown.lesions[generator.random_range(0..shown.lesions.len())];
    let (case, lesion) = of_class[generator.random_range(0..of_class.len())];
    let LesionSite { slices, .. } = &shown.cases[case].lesions[lesion];
    let (slice, pixel) = slices[generator.random_range(0..slices.len())];
    (case, slice, pixel)
}

fn fill<T>(patch: &mut [T], size: [usize; 2], cut: &Cut, value: impl Fn(f64, f64) -> T) {
    for (v, row) in patch.chunks_exact_mut(size[0]).enumerate() {
        for (u, pixel) in row.iter_mut().enumerate() {
            let [x, y] = cut.source(u, v, size);
            *pixel = value(x, y);
        }
    }
}

/// Bilinear interpolation; zero outside.
fn bilinear(source: &[half::f16], [nx, ny]: [usize; 2], x: f64, y: f64) -> f32 {
    if x < 0.0 || y < 0.0 || x > nx as f64 - 1.0 || y > ny as f64 - 1.0 {
        return 0.0;
    }
    let (i, j) = (x as usize, y as usize);
    let (right, below) = ((i + 1).min(nx - 1), (j + 1).min(ny - 1));
    let (a, b) = ((x - i as f64) as f32, (y - j as f64) as f32);
    let at = |i: usize, j: usize| source[i + nx * j].to_f32();
    if a == 0.0 && b == 0.0 {
        return at(i, j);
    }
    (at(i, j) * (1.0 - a) + at(right, j) * a) * (1.0 - b)
        + (at(i, below) * (1.0 - a) + at(right, below) * a) * b
}

#[cfg(test)]
mod tests {
    use deepmir_lesion::LabelMap;

    use super::*;
    use crate::prepare::tests::prepared_subject;
    use crate::preset;
    use deepmir_cases::Modality;

    #[test]
    fn a_lesion_patch_shows_its_lesion_and_a_batch_repeats() {
        let folder = tempfile::tempdir().unwrap();
        let preset = preset::deepmir();
        let (prepared, _) = prepared_subject(&preset.plan);
        let path = folder.path().join("case");
        let cases = [StoredCase::write(&prepared, &preset.plan, &path).unwrap()];
        assert_eq!(cases[0].lesions.len(), 2);
        let mut config = preset.training;
        config.patch = [32, 32];
        config.sampling.lesion = 1.0;
        config.sampling.mimic = 0.0;
        let sampler = Sampler::new(&cases, &preset.plan, &config);
        let batch = sampler.batch(3).unwrap();
        assert_eq!(batch, sampler.batch(3).unwrap());
        assert_ne!(batch, sampler.batch(4).unwrap());
        for target in batch.targets.chunks_exact(32 * 32) {
            assert!(target.iter().any(|&class| class > 0));
        }
    }

    #[test]
    fn extra_data_is_shown_in_their_share_of_the_patches() {
        let folder = tempfile::tempdir().unwrap();
        let preset = preset::deepmir();
        let (prepared, _) = prepared_subject(&preset.plan);
        let own = [StoredCase::write(&prepared, &preset.plan, &folder.path().join("own")).unwrap()];
        // The companion is the same head without lesions.
        let mut healthy = prepared;
        healthy.truth = Some(LabelMap::empty(*healthy.grid()));
        let path = folder.path().join("companion");
        let extra_training = [StoredCase::write(&healthy, &preset.plan, &path).unwrap()];
        assert!(extra_training[0].lesions.is_empty());
        let none = SyntheticQueue::new(0, 1);
        let mut config = preset.training;
        (config.patch, config.batch_size) = ([32, 32], 200);
        config.sampling = SamplingConfig { lesion: 1.0, mimic: 0.0, jitter: 0.5, extra: 0.3 };
        let sampler = Sampler::new(&own, &preset.plan, &config).joined_by(&extra_training, &none);
        let batch = sampler.batch(1).unwrap();
        let empty =
            batch.targets.chunks_exact(32 * 32).filter(|target| target.iter().all(|&c| c == 0));
        // Binomial: mean 60, three standard deviations 19.
        assert!((41..=79).contains(&empty.count()));
    }

    #[test]
    fn optional_images_are_missing_as_often_as_asked_and_others_never() {
        let folder = tempfile::tempdir().unwrap();
        let preset = preset::deepmir();
        let (prepared, _) = prepared_subject(&preset.plan);
        let path = folder.path().join("case");
        let cases = [StoredCase::write(&prepared, &preset.plan, &path).unwrap()];
        let plan = Plan { optional: vec![Modality::T2w], ..preset.plan };
        let mut config = preset.training;
        (config.patch, config.batch_size) = ([16, 16], 400);
        config.augment = AugmentConfig { missing_chance: 0.25, ..AugmentConfig::NONE };
        let batch = Sampler::new(&cases, &plan, &config).batch(1).unwrap();
        let mut blank = [0; 3];
        for input in batch.inputs.chunks_exact(plan.input_channels() * 256) {
            for (blank, image) in blank.iter_mut().zip(input.chunks_exact(3 * 256)) {
                *blank += usize::from(image.iter().all(|&value| value == 0.0));
            }
        }
        // Patches hold brain; binomial: mean 100, four standard deviations 35.
        assert!(blank[0] == 0 && blank[1] == 0 && (65..=135).contains(&blank[2]), "{blank:?}");
    }

    #[test]
    fn without_augmentation_a_patch_is_what_was_prepared() {
        let folder = tempfile::tempdir().unwrap();
        let preset = preset::deepmir();
        let (prepared, _) = prepared_subject(&preset.plan);
        let path = folder.path().join("case");
        let cases = [StoredCase::write(&prepared, &preset.plan, &path).unwrap()];
        let mut config = preset.training;
        (config.patch, config.batch_size, config.augment) = ([16, 16], 16, AugmentConfig::NONE);
        config.sampling =
            SamplingConfig { lesion: 1.0, mimic: 0.0, jitter: 0.0, ..config.sampling };
        let sampler = Sampler::new(&cases, &preset.plan, &config);
        let batch = sampler.batch(0).unwrap();
        // Lesions are drawn dark on SWI (channel 1 is its middle slice) and so must be their targets.
        let channels = preset.plan.input_channels();
        for (input, target) in
            batch.inputs.chunks_exact(channels * 256).zip(batch.targets.chunks_exact(256))
        {
            for (value, &class) in input[256..512].iter().zip(target) {
                assert_eq!(*value < -3.0, class > 0, "{value} {class}");
            }
        }
    }
}
