//! What a model says of itself to other programs: a card as Hugging Face reads it, and the metadata of a MONAI bundle.

use deepmir_net::Architecture;
use deepmir_net::architecture::Output;
use serde_json::{Map, Value, json};

use crate::ModelSettings;

/// The schema of the metadata. Its versions of other programs are those of the bundle's first description: the networks are
/// ONNX files, and MONAI and PyTorch are not needed to run them.
const MONAI_SCHEMA: &str = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20220324.json";

/// `README.md`, whose head is what a model hub reads.
pub(super) fn readme(settings: &ModelSettings, id: &str, networks: &[String]) -> String {
    let ModelSettings { name, description, licence, plan, provenance, .. } = settings;
    let list = |names: Vec<&str>| names.join(", ");
    let inputs: Vec<String> = plan
        .inputs
        .iter()
        .map(|&input| match plan.needs(input) {
            true => input.name().to_owned(),
            false => format!("{} (may be missing)", input.name()),
        })
        .collect();
    let classes = list(plan.classes.iter().map(|class| class.name()).collect());
    let networks = networks.join("`, `");
    // The hub knows licences in lower case; one that nobody stated is another one.
    let (known, other) = match licence.as_str() {
        "NOASSERTION" => ("other".to_owned(), "license_name: not-stated\n"),
        licence if licence.contains(' ') => ("other".to_owned(), "license_name: see-below\n"),
        licence => (licence.to_lowercase(), ""),
    };
    format!(
        "---
license: {known}
{other}library_name: onnx
pipeline_tag: image-segmentation
tags:
- medical-imaging
- mri
- cerebral-microbleeds
---

# {name}

{description}

Research use; no medical device.

| | |
|---|---|
| networks | `{networks}` |
| inputs | {} |
| outputs | probabilities of background, {classes} |
| licence | {licence} |
| id | {id} |
| trained on | {} |

`plan.json` has preprocessing, thresholds and provenance; `run.py` makes probability maps of NIfTI images. What is a lesion is
decided by the candidate classifier of deepmir, which is no network and not here.
",
        inputs.join(", "),
        provenance.data,
    )
}

/// `configs/metadata.json` of a MONAI bundle: what goes in and comes out of the U-Nets.
pub(super) fn monai_metadata(settings: &ModelSettings, architecture: &Architecture) -> Value {
    let ModelSettings { name, description, licence, plan, provenance, .. } = settings;
    let version = env!("CARGO_PKG_VERSION");
    let numbered = |names: Vec<String>| -> Map<String, Value> {
        names.into_iter().enumerate().map(|(n, name)| (n.to_string(), name.into())).collect()
    };
    let middle = plan.context_slices / 2;
    let channels = plan.inputs.iter().flat_map(|input| {
        (0..plan.context_slices).map(move |slice| match slice as i64 - middle as i64 {
            0 => input.name().to_owned(),
            shift => format!("{}, slice {shift:+}", input.name()),
        })
    });
    let background = (architecture.output == Output::Softmax).then(|| "background".to_owned());
    let classes = plan.classes.iter().map(|class| class.name().to_owned());
    let outputs: Vec<String> = background.into_iter().chain(classes).collect();
    let multiple = format!("{}*n", architecture.size_multiple());
    let shape = json!([multiple, multiple]);
    json!({
        "schema": MONAI_SCHEMA,
        "version": version,
        "changelog": { version: "exported by deepmir" },
        "monai_version": "0.9.0",
        "pytorch_version": "1.10.0",
        "numpy_version": "1.21.2",
        "optional_packages_version": { "onnxruntime": "1.12.0", "nibabel": "3.2.1" },
        "name": name,
        "task": "segmentation of cerebral microbleeds and non-hemorrhage iron deposits, slice by slice",
        "description": description,
        "authorship": settings.provenance.program,
        "copyright": format!("terms of use: {licence}"),
        "data_source": provenance.data,
        "data_type": "nibabel",
        "image_classes": "images of the brain, normalised as plan.json says",
        "label_classes": "one value: 0 background, then the classes in the order of the outputs",
        "pred_classes": "a channel for each output",
        "intended_use": "research; no medical device",
        "network_data_format": {
            "inputs": { "image": {
                "type": "image",
                "format": "magnitude",
                "modality": "MR",
                "num_channels": architecture.input_channels,
                "spatial_shape": shape,
                "dtype": "float32",
                "value_range": [],
                "is_patch_data": false,
                "channel_def": numbered(channels.collect()),
            } },
            "outputs": { "pred": {
                "type": "image",
                "format": "segmentation",
                "num_channels": architecture.output_channels,
                "spatial_shape": shape,
                "dtype": "float32",
                "value_range": [0, 1],
                "is_patch_data": false,
                "channel_def": numbered(outputs),
            } },
        },
    })
}
