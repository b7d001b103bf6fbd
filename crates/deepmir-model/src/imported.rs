//! Networks of other people: importing them, and running them as a model's first stage.

use std::path::{Path, PathBuf};

use deepmir_cases::Contrast;
use deepmir_detect::{DetectionRule, ProbabilityMaps};
use deepmir_lesion::LesionClass;
use deepmir_net::infer::ensemble_median;
use deepmir_net::preset::toml_error;
use deepmir_net::train::program;
use deepmir_net::{NetError, Plan, Prepared};
use deepmir_onnx::{NetworkLayout, OnnxError, OnnxNetwork};
use deepmir_volume::Volume;
use serde::Deserialize;

use crate::bundle::FORMAT;
use crate::{Bundle, ModelError, ModelSettings, Provenance};

/// Output channels that are no lesions: what is elsewhere, and nnU-Net's label for places that nobody knows.
const NO_LESIONS: [&str; 2] = ["background", "ignore"];

/// What the user says of a network.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    #[serde(default)]
    description: String,
    licence: Option<String>,
    /// What it was trained on.
    data: Option<String>,
    plan: Plan,
    onnx: NetworkLayout,
    #[serde(default)]
    contrasts: Vec<Contrast>,
    detection: Option<DetectionRule>,
}

impl Bundle {
    /// Makes a model of other people's networks: ONNX files, of several the ensemble, and a TOML file that describes them:
    /// name, `[plan]`, `[onnx]` ([`NetworkLayout`]) and perhaps `[detection]`. Each network is run once. A candidate
    /// classifier comes from [`adapt`](crate::adapt()).
    ///
    /// # Errors
    /// Unreadable files, a description that contradicts itself, a network that does not fit it or does not run.
    pub fn import(networks: &[PathBuf], description: &Path) -> Result<Self, ModelError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })
        };
        let invalid = |reason: String| ModelError::Config {
            reason: format!("{reason}: {}", description.display()),
        };
        let text = String::from_utf8(read(description)?)
            .map_err(|_| invalid("not a text file".to_owned()))?;
        let told: Description =
            toml::from_str(&text).map_err(|error| invalid(toml_error(&error, &text)))?;
        let Description { name, description: about, licence, data, plan, onnx, .. } = told;
        let rule = told.detection.unwrap_or_else(|| DetectionRule::half(&plan.classes));
        let settings = ModelSettings {
            format: FORMAT,
            name,
            description: about,
            licence: licence.unwrap_or_else(|| "NOASSERTION".to_owned()),
            plan,
            architecture: None,
            onnx: Some(onnx),
            detection: rule,
            candidate_classifier: None,
            operating_points: Vec::new(),
            contrasts: if told.contrasts.is_empty() { vec![Contrast::Swi] } else { told.contrasts },
            provenance: Provenance {
                program: format!("imported by {}", program()),
                data: data.unwrap_or_else(|| "not stated".to_owned()),
                training_subjects: Vec::new(),
                validation_subjects: Vec::new(),
                steps: 0,
                validation_f1: 0.0,
                training_images: Vec::new(),
            },
            training_range: None,
            weights: Vec::new(),
            patch_classifier: None,
        };
        let imported = networks.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
        let bundle = Self { settings, members: Vec::new(), imported, patch_members: Vec::new() };
        let bundle = bundle.listed().map_err(|error| invalid(error.to_string()))?;
        for (path, bytes) in networks.iter().zip(&bundle.imported) {
            let outcome = bundle.open_network(bytes).and_then(|network| network.try_once());
            outcome
                .map_err(|source| ModelError::Onnx { file: path.display().to_string(), source })?;
        }
        Ok(bundle)
    }

    fn open_network(&self, bytes: &[u8]) -> Result<OnnxNetwork, OnnxError> {
        let ModelSettings { plan, onnx, .. } = &self.settings;
        let layout = onnx.as_ref().ok_or_else(|| OnnxError::Layout {
            reason: "the model has no table [onnx]".to_owned(),
        })?;
        OnnxNetwork::open(bytes, layout, plan.inputs.len(), plan.context_slices)
    }

    /// Opens the imported networks.
    ///
    /// # Errors
    /// A network that is damaged, or does not fit the settings.
    pub fn imported_networks(&self) -> Result<Vec<OnnxNetwork>, ModelError> {
        let open = |bytes: &Vec<u8>| {
            self.open_network(bytes)
                .map_err(|source| ModelError::Onnx { file: self.settings.name.clone(), source })
        };
        self.imported.iter().map(open).collect()
    }
}

/// Checks that a layout fits a plan.
pub(crate) fn validate(layout: &NetworkLayout, plan: &Plan) -> Result<(), ModelError> {
    let invalid = |reason: String| Err(NetError::Config { reason }.into());
    if let Err(error) = layout.validate() {
        return invalid(error.to_string());
    }
    let known =
        |name: &&String| NO_LESIONS.contains(&name.as_str()) || class_of(name, plan).is_some();
    if let Some(name) = layout.outputs.iter().find(|name| !known(name)) {
        return invalid(format!(
            "outputs names {name:?}, which is neither one of the plan's classes nor background or ignore"
        ));
    }
    for class in &plan.classes {
        let count = layout.outputs.iter().filter(|name| name.as_str() == class.name()).count();
        if count != 1 {
            return invalid(format!("outputs must name {class} once, as the plan has it"));
        }
    }
    if layout.is_3d() && plan.context_slices != 1 {
        return invalid("context_slices must be 1: the network takes volumes".to_owned());
    }
    Ok(())
}

fn class_of(output: &str, plan: &Plan) -> Option<LesionClass> {
    plan.classes.iter().copied().find(|class| class.name() == output)
}

/// The median over networks of the probability maps of a prepared subject, zero outside the brain.
pub(crate) fn probability_maps(
    networks: &[OnnxNetwork],
    prepared: &Prepared,
    settings: &ModelSettings,
    mirrored: bool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<ProbabilityMaps, ModelError> {
    let ModelSettings { plan, onnx, name, .. } = settings;
    let outputs = onnx.as_ref().map_or(&[][..], |layout| &layout.outputs);
    let mut of_networks: Vec<Vec<Vec<f32>>> = vec![Vec::new(); plan.classes.len()];
    let count = networks.len();
    for (n, network) in networks.iter().enumerate() {
        let progress = &mut |done, all| progress(n * all + done, count * all);
        let maps = network
            .probability_maps(&prepared.images, &prepared.brain, mirrored, progress)
            .map_err(|source| ModelError::Onnx { file: name.clone(), source })?;
        for (output, map) in outputs.iter().zip(maps) {
            let place = plan.classes.iter().position(|class| class.name() == output);
            if let Some(place) = place {
                of_networks[place].push(map.into_data());
            }
        }
    }
    let mut maps = Vec::with_capacity(plan.classes.len());
    for (&class, of_networks) in plan.classes.iter().zip(of_networks) {
        let mut map = Volume::new(*prepared.grid(), ensemble_median(of_networks))?;
        let voxels = map.data_mut().iter_mut().zip(prepared.brain.data());
        voxels.filter(|(_, inside)| !**inside).for_each(|(value, _)| *value = 0.0);
        maps.push((class, map));
    }
    let nothing = || NetError::Config { reason: "a plan without classes".to_owned() };
    Ok(ProbabilityMaps::new(maps).ok_or_else(nothing)?)
}
