//! The scores of a model's networks before the last activation, for comparison with other programs:
//!
//! ```sh
//! cargo run -p deepmir-model --example logits -- MODEL unet N BATCH,HEIGHT,WIDTH < input.f32 > logits.f32
//! cargo run -p deepmir-model --example logits -- MODEL patch-classifier N BATCH < input.f32 > logits.f32
//! ```
//!
//! MODEL is the name of a shipped model, or a folder or file; N counts from 0. Numbers are little-endian and single, the
//! last axis fastest: `[batch, channels, height, width]`, or `[batch, slices, channels, rows, columns]`.

use std::borrow::Cow;
use std::error::Error;
use std::io::{Read, Write};
use std::path::Path;

use deepmir_kernels::{Activation, Engine, classifier, unet};
use deepmir_model::{Bundle, shipped};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, network, member, size] = arguments.as_slice() else {
        return Err("give MODEL, unet or patch-classifier, N and the size".into());
    };
    let bundle = match shipped::by_name(model) {
        Some(bundle) => bundle?,
        None => Bundle::read(Path::new(model))?,
    };
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let input: Vec<f32> =
        bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let size = size.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let members = if network == "unet" { &bundle.members } else { &bundle.patch_members };
    let weights = members.get(member.parse::<usize>()?).ok_or("there is no such network")?;
    let logits = match (network.as_str(), size.as_slice()) {
        ("unet", &[batch, height, width]) => {
            let ours = bundle.settings.architecture()?;
            let architecture = unet::Architecture {
                inputs: ours.input_channels,
                widths: ours.widths.clone(),
                outputs: ours.output_channels,
                norm_after_concatenation: ours.norm_after_concatenation,
                epsilon: ours.norm_epsilon as f32,
            };
            let tensor = |name: &str| weights.0.get(name).map(|one| Cow::Borrowed(&one.values[..]));
            let network = unet::Network::new(&architecture, tensor)?;
            let mut logits = vec![0.0; batch * architecture.outputs * height * width];
            let size = (batch, height, width);
            network.run(&Engine::new(), &input, size, Activation::Identity, &mut logits)?;
            logits
        }
        ("patch-classifier", &[batch]) => {
            let settings = bundle.settings.patch_classifier.as_ref();
            let settings = settings.ok_or("the model has no patch classifier")?;
            let architecture = settings.architecture(&bundle.settings.plan);
            let tensor = |name: &str| weights.0.get(name).map(|one| one.values.clone());
            let network = classifier::Network::new(&architecture, 1e-5, tensor)?;
            network.scores(&Engine::new(), &input, batch)?
        }
        _ => return Err("the size does not fit the network".into()),
    };
    let bytes: Vec<u8> = logits.iter().flat_map(|value| value.to_le_bytes()).collect();
    Ok(std::io::stdout().write_all(&bytes)?)
}
