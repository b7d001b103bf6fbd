//! Networks as ONNX files, for other programs (<https://onnx.ai>).
//!
//! Weights are single-precision numbers and batch norms stay nodes of their own, so that a file holds what the model
//! does. Both networks give `logits`, the scores before the last activation.

mod graph;
mod wire;

use deepmir_kernels::classifier;

use crate::architecture::Output;
use crate::patch_classifier::{EPSILON, PatchClassifierSettings};
use crate::{Architecture, NetError, Plan, Weights};
use graph::{Attribute, Graph, Length};

/// The largest message that Protocol Buffers hold, with room for all but the weights.
const MOST_BYTES: usize = (1 << 31) - (1 << 20);

/// A U-Net as an ONNX file with `metadata` as its properties. Input is `images`, `[batch, channels, height, width]` with
/// sides that are multiples of [`Architecture::size_multiple`]; outputs are `logits` and `probabilities` of as many
/// images, the latter by softmax or sigmoid as the architecture says.
///
/// # Errors
/// Weights that are not the architecture's, or too many for a file.
pub fn unet(
    architecture: &Architecture,
    weights: &Weights,
    metadata: &[(String, String)],
) -> Result<Vec<u8>, NetError> {
    architecture.validate()?;
    weights.validate(architecture)?;
    let mut network = Network::new(weights, architecture.norm_epsilon as f32)?;
    let mut map = "images".to_owned();
    let mut skips = Vec::new();
    for level in 0..architecture.widths.len() {
        map = network.block(&format!("encoder.{level}"), &map)?;
        if level < architecture.poolings() {
            let pooled = format!("encoder.{level}.pooled");
            let pooled = network.graph.node(
                "MaxPool",
                &[&map],
                &pooled,
                &[
                    ("kernel_shape", Attribute::Ints(&[2, 2])),
                    ("strides", Attribute::Ints(&[2, 2])),
                ],
            );
            skips.push(std::mem::replace(&mut map, pooled));
        }
    }
    for (level, skip) in skips.iter().enumerate().rev() {
        let name = format!("decoder.{level}");
        let strides = [("strides", Attribute::Ints(&[2, 2]))];
        let up = network.weighted("ConvTranspose", &format!("{name}.up"), &map, &strides)?;
        let joined = format!("{name}.concatenated");
        let axis = [("axis", Attribute::Int(1))];
        map = network.graph.node("Concat", &[skip, &up], &joined, &axis);
        if architecture.norm_after_concatenation {
            map = network.norm_relu(&joined, &map)?;
        }
        map = network.block(&format!("{name}.block"), &map)?;
    }
    let head = network.weighted("Conv", "head", &map, &[])?;
    let mut graph = network.graph;
    let logits = graph.node("Identity", &[&head], "logits", &[]);
    match architecture.output {
        Output::Softmax => {
            let axis = [("axis", Attribute::Int(1))];
            graph.node("Softmax", &[&logits], "probabilities", &axis)
        }
        Output::Sigmoid => graph.node("Sigmoid", &[&logits], "probabilities", &[]),
    };
    let shape = |channels| {
        let [batch, height, width] = ["batch", "height", "width"].map(Length::Any);
        [batch, Length::Of(channels), height, width]
    };
    graph.input("images", &shape(architecture.input_channels));
    graph.output("logits", &shape(architecture.output_channels));
    graph.output("probabilities", &shape(architecture.output_channels));
    Ok(graph.into_model("unet", metadata))
}

/// A network of a patch classifier as an ONNX file with `metadata` as its properties. Input is `patches`, `[batch,
/// channels, slices, rows, columns]` of the settings' size: images times 0.3, then where any is not zero; output is
/// `logits`, `[batch, no lesion and each class]`.
///
/// # Errors
/// Weights that are not the network's, or too many for a file.
pub fn patch_classifier(
    settings: &PatchClassifierSettings,
    plan: &Plan,
    weights: &Weights,
    metadata: &[(String, String)],
) -> Result<Vec<u8>, NetError> {
    settings.validate()?;
    settings.validate_weights(plan, weights)?;
    let classifier::Architecture { inputs, size, widths, outputs, .. } =
        settings.architecture(plan);
    let mut network = Network::new(weights, EPSILON)?;
    let mut map = "patches".to_owned();
    for level in 0..widths.len() {
        for index in [1, 2] {
            map = network.convolution_3d(level, index, &map)?;
        }
        // Slices may be thick: the first level keeps them apart.
        let sides: [u64; 3] = if level == 0 { [1, 2, 2] } else { [2; 3] };
        let pooled = format!("level.{level}.pooled");
        let halving =
            [("kernel_shape", Attribute::Ints(&sides)), ("strides", Attribute::Ints(&sides))];
        map = network.graph.node("MaxPool", &[&map], &pooled, &halving);
    }
    // Features are numbered slice by slice.
    let order = [("perm", Attribute::Ints(&[0, 2, 1, 3, 4]))];
    map = network.graph.node("Transpose", &[&map], "by_slice", &order);
    map = network.graph.node("Flatten", &[&map], "features", &[("axis", Attribute::Int(1))]);
    map = network.weighted("Gemm", "hidden", &map, &[("transB", Attribute::Int(1))])?;
    map = network.graph.node("Relu", &[&map], "hidden.relu", &[]);
    map = network.weighted("Gemm", "scores", &map, &[("transB", Attribute::Int(1))])?;
    let mut graph = network.graph;
    graph.node("Identity", &[&map], "logits", &[]);
    let [slices, rows, columns] = size.map(Length::Of);
    graph.input("patches", &[Length::Any("batch"), Length::Of(inputs), slices, rows, columns]);
    graph.output("logits", &[Length::Any("batch"), Length::Of(outputs)]);
    Ok(graph.into_model("patch_classifier", metadata))
}

/// A graph and the weights that its layers take.
struct Network<'a> {
    graph: Graph,
    weights: &'a Weights,
    epsilon: f32,
}

impl<'a> Network<'a> {
    fn new(weights: &'a Weights, epsilon: f32) -> Result<Self, NetError> {
        let bytes: usize = weights.0.values().map(|tensor| 4 * tensor.values.len()).sum();
        if bytes > MOST_BYTES {
            let reason = format!("{bytes} bytes of weights do not fit in an ONNX file of 2 GiB");
            return Err(NetError::Weights { reason });
        }
        Ok(Self { graph: Graph::default(), weights, epsilon })
    }

    /// Adds a tensor of the model to the graph, under its own name.
    fn tensor(&mut self, name: &str) -> Result<String, NetError> {
        let tensor = self.weights.get(name)?;
        self.graph.weights(name, &tensor.shape, &tensor.values);
        Ok(name.to_owned())
    }

    /// A layer with weight and bias.
    fn weighted(
        &mut self,
        operator: &str,
        name: &str,
        input: &str,
        attributes: &[(&str, Attribute<'_>)],
    ) -> Result<String, NetError> {
        let weight = self.tensor(&format!("{name}.weight"))?;
        let bias = self.tensor(&format!("{name}.bias"))?;
        Ok(self.graph.node(operator, &[input, &weight, &bias], name, attributes))
    }

    /// Batch norm by running statistics, and ReLU.
    fn norm_relu(&mut self, name: &str, input: &str) -> Result<String, NetError> {
        let mut inputs = vec![input.to_owned()];
        for part in ["gamma", "beta", "running_mean", "running_var"] {
            inputs.push(self.tensor(&format!("{name}.{part}"))?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let epsilon = [("epsilon", Attribute::Float(self.epsilon))];
        let normed = format!("{name}.normalised");
        let normed = self.graph.node("BatchNormalization", &inputs, &normed, &epsilon);
        Ok(self.graph.node("Relu", &[&normed], &format!("{name}.relu"), &[]))
    }

    /// Two 3×3 convolutions with batch norm and ReLU.
    fn block(&mut self, name: &str, input: &str) -> Result<String, NetError> {
        let mut map = input.to_owned();
        for index in [1, 2] {
            let pads = [("pads", Attribute::Ints(&[1; 4]))];
            map = self.weighted("Conv", &format!("{name}.conv{index}"), &map, &pads)?;
            map = self.norm_relu(&format!("{name}.norm{index}"), &map)?;
        }
        Ok(map)
    }

    /// A 3×3×3 convolution with batch norm and ReLU. The model keeps `[out, slice, in, row, column]`.
    fn convolution_3d(
        &mut self,
        level: usize,
        index: usize,
        input: &str,
    ) -> Result<String, NetError> {
        let name = format!("level.{level}.conv{index}");
        let weight = format!("{name}.weight");
        let tensor = self.weights.get(&weight)?;
        let (to, from) = (tensor.shape[0], tensor.shape[2]);
        let mut values = vec![0.0; tensor.values.len()];
        for (place, filter) in tensor.values.chunks_exact(9).enumerate() {
            let (out, slice, channel) = (place / (3 * from), place / from % 3, place % from);
            values[9 * ((out * from + channel) * 3 + slice)..][..9].copy_from_slice(filter);
        }
        self.graph.weights(&weight, &[to, from, 3, 3, 3], &values);
        let pads = [("pads", Attribute::Ints(&[1; 6]))];
        let map = self.graph.node("Conv", &[input, &weight], &name, &pads);
        self.norm_relu(&format!("level.{level}.norm{index}"), &map)
    }
}

#[cfg(test)]
mod tests;
