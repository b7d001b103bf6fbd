//! Presets: a plan, an architecture and hyperparameters that belong together.

use deepmir_cases::Modality;
use deepmir_lesion::LesionClass;
use serde::Serialize;

use crate::architecture::{Architecture, Output};
use crate::augment::AugmentConfig;
use crate::plan::{Normalisation, Plan};
use crate::train::{LossConfig, PatchClassifierConfig, SamplingConfig, TrainingConfig};

/// A plan, an architecture and the hyperparameters of its training.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// From images to input.
    pub plan: Plan,
    /// The network.
    pub architecture: Architecture,
    /// The hyperparameters of its training.
    pub training: TrainingConfig,
}

/// The preset of a name.
///
/// # Errors
/// If there is none; the message lists the presets.
pub fn by_name(name: &str) -> Result<Preset, String> {
    match name {
        "deepmir" => Ok(deepmir()),
        "paper" => Ok(paper()),
        _ => Err(format!("there is no preset {name:?}; there are deepmir and paper")),
    }
}

/// The preset `deepmir`: a small U-Net with context from neighbouring slices, susceptibility on a fixed scale in ppm,
/// and one voxel size for all scanners.
pub fn deepmir() -> Preset {
    let plan = Plan {
        inputs: Modality::ALL.to_vec(),
        optional: Vec::new(),
        classes: LesionClass::ALL.to_vec(),
        context_slices: 3,
        voxel_mm: Some([0.75, 0.75, 1.5]),
        normalisation: Modality::ALL.map(deepmir_normalisation).to_vec(),
    };
    let architecture = Architecture {
        input_channels: plan.input_channels(),
        widths: vec![16, 32, 64, 96, 128],
        output_channels: 3,
        output: Output::Softmax,
        norm_after_concatenation: false,
        norm_epsilon: 1e-5,
        norm_momentum: 0.1,
    };
    let training = TrainingConfig {
        seed: 1,
        steps: 6000,
        batch_size: 8,
        patch: [128, 128],
        learning_rate: 1e-3,
        warmup_steps: 200,
        cosine: true,
        weight_decay: 1e-2,
        weight_average: 0.995,
        loss: LossConfig {
            cross_entropy: 1.0,
            overlap: 1.0,
            false_positive: 0.5,
            false_negative: 0.5,
        },
        sampling: SamplingConfig { lesion: 0.5, mimic: 0.25, jitter: 0.8, extra: 0.5 },
        augment: AugmentConfig {
            rotation_degrees: 15.0,
            scale: 0.1,
            flip_left_right: true,
            flip_front_back: false,
            flip_bottom_top: true,
            noise: 0.1,
            contrast: 0.15,
            susceptibility: 0.1,
            bias: 0.1,
            blur_chance: 0.1,
            missing_slice_chance: 0.05,
            misalignment_voxels: 0.5,
            absent_chance: 0.15,
            missing_chance: 0.15,
        },
        restrict_nhid_to_basal_ganglia: true,
        candidate_classifier: true,
        patch_classifier: Some(PatchClassifierConfig {
            size: [12, 20, 20],
            widths: vec![16, 32, 64],
            hidden: 64,
            networks: 3,
            min_lesions: 200,
            steps: 6000,
            batch_size: 48,
            learning_rate: 2e-3,
            weight_decay: 2e-2,
            dropout: 0.4,
            label_smoothing: 0.03,
            shift: [1, 2, 2],
            modality_dropout: 0.25,
        }),
        best_after: 0.5,
        threshold_beta: 1.5,
        validate_every: 500,
        patience: 0,
    };
    Preset { plan, architecture, training }
}

/// The preset `paper`: the paper's 2D U-Net of 31.1 million parameters on whole slices of 256 × 256.
///
/// The paper does not give its learning rate; Keras' default is used. Its defects are corrected (see the design notes in
/// ARCHITECTURE.md).
pub fn paper() -> Preset {
    let plan = Plan {
        inputs: Modality::ALL.to_vec(),
        optional: Vec::new(),
        classes: LesionClass::ALL.to_vec(),
        context_slices: 1,
        voxel_mm: None,
        normalisation: vec![Normalisation::WholeVolume; 3],
    };
    let architecture = Architecture {
        input_channels: 3,
        widths: vec![32, 64, 128, 256, 512, 1024],
        output_channels: 3,
        output: Output::Softmax,
        norm_after_concatenation: true,
        norm_epsilon: 1e-3,
        norm_momentum: 0.01,
    };
    let training = TrainingConfig {
        seed: 1,
        steps: 6000,
        batch_size: 32,
        patch: [256, 256],
        learning_rate: 1e-3,
        warmup_steps: 0,
        cosine: false,
        weight_decay: 0.0,
        weight_average: 0.0,
        loss: LossConfig {
            cross_entropy: 1.0,
            overlap: 0.0,
            false_positive: 1.0,
            false_negative: 1.0,
        },
        sampling: SamplingConfig { lesion: 0.5, mimic: 0.0, jitter: 0.35, extra: 0.5 },
        augment: AugmentConfig {
            rotation_degrees: 178.0,
            flip_left_right: true,
            flip_front_back: true,
            ..AugmentConfig::NONE
        },
        restrict_nhid_to_basal_ganglia: false,
        candidate_classifier: false,
        patch_classifier: None,
        best_after: 0.0,
        threshold_beta: 1.0,
        validate_every: 200,
        patience: 0,
    };
    Preset { plan, architecture, training }
}

impl Preset {
    /// The preset with other inputs and classes; channels, outputs and normalisation are adapted. A single class gets a
    /// sigmoid and, in the preset `paper`, the paper's loss for it: binary cross-entropy plus soft intersection over
    /// union.
    #[must_use]
    pub fn with(mut self, inputs: &[Modality], classes: &[LesionClass]) -> Self {
        let from_paper = self.plan.voxel_mm.is_none();
        self.plan.normalisation =
            inputs
                .iter()
                .map(|&input| {
                    if from_paper {
                        Normalisation::WholeVolume
                    } else {
                        deepmir_normalisation(input)
                    }
                })
                .collect();
        self.plan.inputs = inputs.to_vec();
        self.plan.optional.clear();
        self.plan.classes = classes.to_vec();
        self.architecture.input_channels = self.plan.input_channels();
        if classes.len() == 1 {
            self.architecture.output = Output::Sigmoid;
            self.architecture.output_channels = 1;
            self.training.loss.overlap = 1.0;
        } else {
            self.architecture.output = Output::Softmax;
            self.architecture.output_channels = classes.len() + 1;
        }
        self
    }

    /// Overrides the preset, key by key, with the tables `plan`, `architecture` and `training` of a config file; other
    /// tables are ignored.
    ///
    /// # Errors
    /// Naming a key that does not exist, or a value of the wrong type.
    pub fn changed_by(mut self, changes: &toml::Table) -> Result<Self, String> {
        fn change<T>(value: &mut T, name: &str, changes: &toml::Table) -> Result<(), String>
        where
            T: Serialize + serde::de::DeserializeOwned,
        {
            let Some(toml::Value::Table(changes)) = changes.get(name) else { return Ok(()) };
            // By way of the text, so that a second serialiser and deserialiser need not be compiled.
            let base = toml::to_string(value).map_err(|error| error.to_string())?;
            let base = base.parse().map_err(|error: toml::de::Error| error.to_string())?;
            let merged =
                toml::to_string(&merged(base, changes)).map_err(|error| error.to_string())?;
            *value = toml::from_str(&merged)
                .map_err(|error| format!("[{name}] {}", toml_error(&error, &merged)))?;
            Ok(())
        }
        change(&mut self.plan, "plan", changes)?;
        change(&mut self.architecture, "architecture", changes)?;
        change(&mut self.training, "training", changes)?;
        self.architecture.input_channels = self.plan.input_channels();
        Ok(self)
    }
}

/// What is wrong with a text that no user has seen, in one line: the reason and the key.
pub fn toml_error(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().and_then(|span| {
        let start = text.get(..span.start)?.rfind('\n').map_or(0, |end| end + 1);
        text.get(start..)?.lines().next()
    });
    match line.and_then(|line| line.split_once('=')) {
        Some((key, _)) => format!("{} in `{}`", error.message(), key.trim()),
        None => error.message().to_owned(),
    }
}

/// Merges `changes` into `base`, table by table.
pub fn merged(mut base: toml::Table, changes: &toml::Table) -> toml::Table {
    for (key, change) in changes {
        let value = match (base.remove(key), change) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(change)) => {
                toml::Value::Table(merged(inner, change))
            }
            (_, change) => change.clone(),
        };
        base.insert(key.clone(), value);
    }
    base
}

fn deepmir_normalisation(input: Modality) -> Normalisation {
    match input {
        Modality::Qsm => Normalisation::FixedScale { scale_ppm: 0.1, clip: 8.0 },
        Modality::Swi | Modality::T2w => Normalisation::RobustBrain { clip: 8.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_network_has_its_published_size() {
        let count = paper().architecture.parameter_count();
        assert_eq!((count as f64 / 1e5).round(), 311.0, "{count}");
        let single = paper().with(&[Modality::Swi], &[LesionClass::Cmb]);
        single.architecture.validate().unwrap();
        single.plan.validate().unwrap();
    }

    #[test]
    fn a_config_overrides_the_keys_that_it_holds_and_no_others() {
        let changes = "[plan]\ncontext_slices = 5\n[training.loss]\noverlap = 0.25\n";
        let changed = deepmir().changed_by(&toml::from_str(changes).unwrap()).unwrap();
        assert_eq!(changed.architecture.input_channels, 15);
        assert_eq!(changed.training.loss.overlap, 0.25);
        assert_eq!(changed.training.loss.cross_entropy, 1.0);
        let wrong = deepmir().changed_by(&toml::from_str("[training]\nsteps = 'many'").unwrap());
        let reason = wrong.unwrap_err();
        assert!(reason.starts_with("[training] ") && reason.ends_with("in `steps`"), "{reason}");
        let wrong = deepmir().changed_by(&toml::from_str("[training]\nstepps = 3").unwrap());
        assert!(wrong.unwrap_err().contains("stepps"));
    }

    #[test]
    fn the_deepmir_network_fits_in_five_megabytes_of_16_bit_floats() {
        let preset = deepmir();
        assert!(preset.architecture.parameter_count() * 2 < 5_000_000);
        let multiple = preset.architecture.size_multiple();
        preset.training.validate(multiple).unwrap();
    }
}
