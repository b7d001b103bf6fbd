//! The arms of a study: inputs, classes and a variant of a preset.

use std::path::Path;

use deepmir_cases::Modality;
use deepmir_lesion::LesionClass;
use deepmir_net::Plan;
use deepmir_net::preset::{self, Preset};

use crate::StudyError;
use crate::plan::config::{StudyConfig, Variant};
use crate::plan::factors::joined;

/// One combination of factors, compared with the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// `deepmir_SWI+QSM_CMB+NHID`.
    pub name: String,
    /// The variant's name.
    pub variant: String,
    /// Modalities of the network's input.
    pub inputs: Vec<Modality>,
    /// Classes that it predicts.
    pub classes: Vec<LesionClass>,
    /// Plan, network and training.
    pub preset: Preset,
    /// Whether it predicts on mirror images, too.
    pub flips: bool,
}

impl Arm {
    /// Every arm of a study: variants, their classes, their inputs.
    ///
    /// # Errors
    /// Unknown presets, impossible networks or trainings.
    pub(crate) fn all(config: &StudyConfig, path: &Path) -> Result<Vec<Self>, StudyError> {
        let fault = |reason: String| StudyError::Experiment { path: path.to_owned(), reason };
        let mut arms = Vec::new();
        for variant in &config.variants {
            let name = variant.preset.as_ref().unwrap_or(&variant.name);
            let base = preset::by_name(name).map_err(|reason| {
                fault(format!("variant {}: {reason}; name it with preset", variant.name))
            })?;
            let sets = chosen(config, variant, &base.plan).map_err(fault)?;
            for classes in &sets.classes {
                for inputs in &sets.inputs {
                    let arm = Self::new(config, variant, &base, inputs, classes);
                    arms.push(arm.map_err(|reason| {
                        fault(format!("variant {} with {}: {reason}", variant.name, joined(inputs)))
                    })?);
                }
            }
        }
        Ok(arms)
    }

    fn new(
        config: &StudyConfig,
        variant: &Variant,
        base: &Preset,
        inputs: &[Modality],
        classes: &[LesionClass],
    ) -> Result<Self, String> {
        let mut preset = base.clone().with(inputs, classes);
        for (plan, architecture, training) in [
            (&config.plan, &config.architecture, &config.training),
            (&variant.plan, &variant.architecture, &variant.training),
        ] {
            let tables = [("plan", plan), ("architecture", architecture), ("training", training)];
            let tables = tables.map(|(name, table)| (name.to_owned(), table.clone().into()));
            preset = preset.changed_by(&tables.into_iter().collect())?;
        }
        if preset.plan.inputs != inputs || preset.plan.classes != classes {
            return Err("choose inputs and classes outside the plan's table".to_owned());
        }
        let training = &mut preset.training;
        training.validate_every = training.validate_every.min(training.steps);
        let multiple = preset.architecture.size_multiple();
        let valid = preset.plan.validate();
        let valid = valid.and_then(|()| preset.architecture.validate());
        let valid = valid.and_then(|()| preset.training.validate(multiple));
        valid.map_err(|error| error.to_string())?;
        Ok(Self {
            name: format!("{}_{}_{}", variant.name, joined(inputs), joined(classes)),
            variant: variant.name.clone(),
            inputs: inputs.to_vec(),
            classes: classes.to_vec(),
            preset,
            flips: variant.flips,
        })
    }

    /// `SWI+QSM`.
    pub fn inputs_name(&self) -> String {
        joined(&self.inputs)
    }

    /// `CMB+NHID`.
    pub fn classes_name(&self) -> String {
        joined(&self.classes)
    }
}

/// The factors of a variant: sets of inputs and sets of classes.
struct Sets {
    inputs: Vec<Vec<Modality>>,
    classes: Vec<Vec<LesionClass>>,
}

/// The sets of a variant: its own, else the study's, else its preset's.
fn chosen(config: &StudyConfig, variant: &Variant, usual: &Plan) -> Result<Sets, String> {
    let inputs = match variant.inputs.sets(&Modality::ALL, false)? {
        None => config.inputs.sets(&Modality::ALL, false)?,
        own => own,
    };
    let classes = match variant.classes.sets(&LesionClass::ALL, true)? {
        None => config.classes.sets(&LesionClass::ALL, true)?,
        own => own,
    };
    Ok(Sets {
        inputs: inputs.unwrap_or_else(|| vec![usual.inputs.clone()]),
        classes: classes.unwrap_or_else(|| vec![usual.classes.clone()]),
    })
}
