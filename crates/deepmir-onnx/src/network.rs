//! An opened network.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;
use tract_onnx::prelude::{
    Datum, Framework, InferenceFact, InferenceModelExt, IntoRunnable, Tensor, TypedRunnableModel,
    tvec,
};

use crate::layout::Activation;
use crate::windows::{Window, gaussian, starts};
use crate::{NetworkLayout, OnnxError};

/// A network, ready to run on the processor.
pub struct OnnxNetwork {
    runnable: Arc<TypedRunnableModel>,
    layout: NetworkLayout,
    /// Neighbouring slices that a 2D network takes of each image, from below to above.
    context_slices: usize,
    /// Batch, channels, and the window.
    input: Vec<usize>,
}

impl OnnxNetwork {
    /// Opens the bytes of an ONNX file: a network that takes `images` images, of each `context_slices` slices (1 for
    /// volumes), as a layout says. It is optimised for windows of the layout's size and a batch of one.
    ///
    /// # Errors
    /// A layout that contradicts itself, a file that is no network, operators that are not known, inputs or outputs
    /// that are not those of the layout.
    pub fn open(
        bytes: &[u8],
        layout: &NetworkLayout,
        images: usize,
        context_slices: usize,
    ) -> Result<Self, OnnxError> {
        layout.validate()?;
        if layout.is_3d() && context_slices != 1 {
            let reason =
                format!("context_slices is {context_slices}; of a network of volumes it is 1");
            return Err(OnnxError::Layout { reason });
        }
        let mut input = vec![1, images * context_slices];
        input.extend(&layout.window);
        let mut output = vec![1, layout.outputs.len()];
        output.extend(&layout.window);
        // The engine is not ours: what it does with a damaged file is an error here, whatever it is there.
        let opened = catch_unwind(|| runnable(bytes, &input, &output));
        let runnable = opened.unwrap_or_else(|_| {
            Err(OnnxError::Graph { reason: "it is damaged or of an unknown kind".to_owned() })
        })?;
        Ok(Self { runnable, layout: layout.clone(), context_slices, input })
    }

    /// The probability maps of a volume, one for each of the layout's outputs, on the images' grid, which runs right,
    /// anterior and superior. Windows without a voxel of `brain` are left out and have 0. With `mirrored`, the mean over
    /// the volume and its mirror images along x and y. `progress` is called with the windows done and their total.
    ///
    /// # Errors
    /// A network that fails, or whose outputs are no numbers.
    pub fn probability_maps(
        &self,
        images: &[Volume<f32>],
        brain: &Mask,
        mirrored: bool,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Volume<f32>>, OnnxError> {
        let (axes, window) = self.layout.order();
        let (shape, reversed) = (brain.shape(), self.layout.reversed());
        let mirrors: &[[bool; 2]] = &[[false, false], [true, false], [false, true], [true, true]]
            [..if mirrored { 4 } else { 1 }];
        let at: [Vec<usize>; 3] = std::array::from_fn(|place| {
            // Slices, of which each is one of its own.
            let overlap = if window[place] == 1 { 0.0 } else { self.layout.overlap };
            starts(shape[axes[place]], window[place], overlap)
        });
        let mut windows = Vec::new();
        for &[x, y] in mirrors {
            let reversed = [reversed[0] ^ x, reversed[1] ^ y, reversed[2]];
            for &a in &at[0] {
                for &b in &at[1] {
                    windows.extend(
                        at[2]
                            .iter()
                            .map(|&c| Window::new(axes, window, [a, b, c], shape, reversed)),
                    );
                }
            }
        }
        windows.retain(|window| window.touches(brain));

        let weights = gaussian(window);
        let grid = *brain.grid();
        let mut maps = vec![Volume::filled(grid, 0.0_f32); self.layout.outputs.len()];
        let mut sums = Volume::filled(grid, 0.0_f32);
        let ones = vec![1.0; weights.len()];
        let threads = rayon::current_num_threads().max(1);
        for (done, some) in windows.chunks(threads).enumerate() {
            let found: Vec<Result<Vec<f32>, OnnxError>> = some
                .par_iter()
                .map(|window| self.run(window.cut(images, self.context_slices)))
                .collect();
            // In order, so that sums are the same for any number of threads.
            for (window, found) in some.iter().zip(found) {
                let found = found?;
                for (map, values) in maps.iter_mut().zip(found.chunks_exact(weights.len())) {
                    window.add(values, &weights, map);
                }
                window.add(&ones, &weights, &mut sums);
            }
            progress(done * threads + some.len(), windows.len());
        }
        for map in &mut maps {
            for (value, &sum) in map.data_mut().iter_mut().zip(sums.data()) {
                *value = if sum > 0.0 { (*value / sum).clamp(0.0, 1.0) } else { 0.0 };
            }
        }
        Ok(maps)
    }

    /// Runs it on zeros, to see whether it does.
    ///
    /// # Errors
    /// A network that fails, or whose outputs are no numbers.
    pub fn try_once(&self) -> Result<(), OnnxError> {
        self.run(vec![0.0; self.input.iter().product()]).map(|_| ())
    }

    /// The probabilities of a window, output by output.
    fn run(&self, values: Vec<f32>) -> Result<Vec<f32>, OnnxError> {
        let failed = |reason: String| OnnxError::Run { reason };
        let input = Tensor::from_shape(&self.input, &values).map_err(|e| failed(chain(&e)))?;
        let run = catch_unwind(AssertUnwindSafe(|| self.runnable.run(tvec!(input.into()))));
        let run = run.map_err(|_| failed("an operator does not take these images".to_owned()))?;
        let outputs = run.map_err(|error| failed(chain(&error)))?;
        let output = outputs.into_iter().next().ok_or_else(|| failed("no output".to_owned()))?;
        let view = output.to_plain_array_view::<f32>().map_err(|error| failed(chain(&error)))?;
        let mut values: Vec<f32> = view.iter().copied().collect();
        if !values.iter().all(|value| value.is_finite()) {
            return Err(failed("its outputs are no numbers".to_owned()));
        }
        activate(&mut values, self.layout.activation, self.layout.outputs.len());
        Ok(values)
    }
}

fn runnable(
    bytes: &[u8],
    input: &[usize],
    output: &[usize],
) -> Result<Arc<TypedRunnableModel>, OnnxError> {
    let graph = |error: tract_onnx::prelude::TractError| OnnxError::Graph { reason: chain(&error) };
    let mut model = tract_onnx::onnx().model_for_read(&mut &bytes[..]).map_err(graph)?;
    let inputs = model.input_outlets().map_err(graph)?.len();
    if inputs != 1 {
        let reason = format!("it has {inputs} inputs; images must be the channels of one");
        return Err(OnnxError::Shape { reason });
    }
    // The first output; with deep supervision that of full resolution.
    let outputs = model.output_outlets().map_err(graph)?[..1].to_vec();
    model.select_output_outlets(&outputs).map_err(graph)?;
    let given = format!("{:?}", model.input_fact(0).map_err(graph)?.shape);
    let wanted = InferenceFact::dt_shape(f32::datum_type(), input);
    let misfit = |reason: String| {
        let reason = format!(
            "it takes images of shape {given} and would get {input:?} (batch, channels, window); check inputs, \
             context_slices, axes and window ({reason})"
        );
        OnnxError::Shape { reason }
    };
    let model = model.with_input_fact(0, wanted).map_err(|error| misfit(chain(&error)))?;
    let model = model.into_optimized().map_err(|error| misfit(chain(&error)))?;
    let found = model.output_fact(0).map_err(graph)?;
    let shape = found.shape.as_concrete().map(<[usize]>::to_vec);
    if shape.as_deref() != Some(output) || found.datum_type != f32::datum_type() {
        let reason = format!(
            "its first output is {:?} of {:?} and should be {output:?} of 32-bit floats (batch, outputs, window); check \
             outputs and window",
            found.shape, found.datum_type
        );
        return Err(OnnxError::Shape { reason });
    }
    model.into_runnable().map_err(graph)
}

/// What the engine says, in one line.
fn chain(error: &tract_onnx::prelude::TractError) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join(": ").replace('\n', " ")
}

/// In place, of values output by output.
fn activate(values: &mut [f32], activation: Activation, outputs: usize) {
    match activation {
        Activation::None => {}
        Activation::Sigmoid => {
            values.iter_mut().for_each(|value| *value = 1.0 / (1.0 + (-*value).exp()));
        }
        Activation::Softmax => {
            let voxels = values.len() / outputs;
            for voxel in 0..voxels {
                let each = (0..outputs).map(|output| output * voxels + voxel);
                let highest =
                    each.clone().map(|index| values[index]).fold(f32::NEG_INFINITY, f32::max);
                let mut sum = 0.0;
                for index in each.clone() {
                    values[index] = (values[index] - highest).exp();
                    sum += values[index];
                }
                each.for_each(|index| values[index] /= sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_those_of_their_formulas() {
        let mut values = [1.0, 0.0, 2.0, 0.0];
        activate(&mut values, Activation::Softmax, 2);
        assert!((values[0] - 1.0 / (1.0 + 1.0_f32.exp())).abs() < 1e-6);
        assert!((values[0] + values[2] - 1.0).abs() < 1e-6 && values[1] == 0.5);
        let mut values = [0.0, 100.0, -100.0];
        activate(&mut values, Activation::Sigmoid, 3);
        assert_eq!(values[..2], [0.5, 1.0]);
        assert!(values[2] >= 0.0 && values[2] < 1e-6);
    }
}
