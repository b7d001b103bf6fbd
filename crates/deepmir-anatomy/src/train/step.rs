//! The steps of a training: the network, its optimiser and the average of its weights.

use deepmir_kernels::parameters::Gradients;
use deepmir_kernels::unet3d::{Architecture, Step};
use deepmir_kernels::{Engine, KernelError};
use deepmir_net::Weights;

use crate::loss::{Loss, loss};
use crate::network::parameters;

/// The truth of a volume and the image it is read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume<'a> {
    /// Columns, rows and slices.
    pub shape: [usize; 3],
    pub image: &'a [f32],
    pub tissue: &'a [u8],
    pub side: &'a [u8],
}

/// The loss of a volume and the gradient of every tensor.
///
/// # Errors
/// If the weights or the volume do not fit the architecture.
pub(crate) fn gradients(
    engine: &Engine,
    architecture: &Architecture,
    weights: &Weights,
    volume: Volume<'_>,
    gradients: &mut Gradients,
) -> Result<Loss, KernelError> {
    let parameters = parameters(weights);
    let [columns, rows, slices] = volume.shape;
    let size = [slices, rows, columns];
    let (step, mut scores) = Step::forward(engine, architecture, &parameters, volume.image, size)?;
    let loss = loss(scores.view_mut(), volume.tissue, volume.side);
    step.backward(engine, &parameters, scores.view(), gradients)?;
    Ok(loss)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::network::architecture_of;

    #[test]
    fn scores_loss_and_gradients_are_pytorchs() {
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/unet3d.safetensors");
        let fixture = Weights::read(&path).unwrap();
        let with = |prefix: &str| {
            let tensors = fixture.0.iter().filter_map(|(name, tensor)| {
                Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()))
            });
            Weights(tensors.collect())
        };
        let codes = |name: &str| -> Vec<u8> {
            fixture.get(name).unwrap().values.iter().map(|&value| value as u8).collect()
        };
        let weights = with("weights.");
        let architecture = architecture_of(&weights).unwrap();
        assert_eq!(architecture.widths, [5, 18, 20]);
        let (tissue, side) = (codes("tissue"), codes("side"));
        let image = &fixture.get("input").unwrap().values;
        let volume = Volume { shape: [16, 12, 8], image, tissue: &tissue, side: &side };
        let engine = Engine::new();
        let size = [8, 12, 16];
        let scores = deepmir_kernels::unet3d::scores(
            &engine,
            &architecture,
            &parameters(&weights),
            image,
            size,
        )
        .unwrap();
        let mut values = vec![0.0; scores.shape().values()];
        deepmir_kernels::to_nchw(scores.view(), &mut values);
        let wanted = &fixture.get("scores").unwrap().values;
        // Ours are [slice][channel][row][column], PyTorch's [channel][slice][row][column].
        let pixels = 12 * 16;
        for channel in 0..16 {
            for slice in 0..8 {
                let ours = &values[(slice * 16 + channel) * pixels..][..pixels];
                let theirs = &wanted[(channel * 8 + slice) * pixels..][..pixels];
                for (ours, theirs) in ours.iter().zip(theirs) {
                    assert!((ours - theirs).abs() < 2e-5, "{channel} {slice}: {ours} {theirs}");
                }
            }
        }
        let mut found = Gradients::default();
        let loss = gradients(&engine, &architecture, &weights, volume, &mut found).unwrap();
        let wanted = f64::from(fixture.get("loss").unwrap().values[0]);
        assert!((loss.total - wanted).abs() < 1e-5, "{} for {wanted}", loss.total);
        let wanted = with("gradients.");
        assert_eq!(found.0.len(), wanted.0.len());
        for (name, tensor) in wanted.0 {
            let found = &found.0[&name];
            assert_eq!(found.len(), tensor.values.len(), "{name}");
            let size = tensor.values.iter().fold(1e-6_f32, |size, value| size.max(value.abs()));
            for (found, wanted) in found.iter().zip(&tensor.values) {
                assert!(
                    (found - wanted).abs() < 1e-3 * size,
                    "{name}: {found} for {wanted} of {size}"
                );
            }
        }
    }
}
