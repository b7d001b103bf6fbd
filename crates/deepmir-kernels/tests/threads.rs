//! Results are the same bits for any number of threads, and however images are batched.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::values;
use deepmir_kernels::nchw::{self, Tensor};
use deepmir_kernels::{Engine, Shape};

fn with_threads<T: Send>(count: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap().install(work)
}

/// All passes of a 3×3 and a 2×2 convolution and of a batch norm, one after the other.
fn everything(shape: Shape, outputs: usize) -> Vec<u32> {
    let engine = Engine::new();
    let out = shape.with_channels(outputs);
    let input = values(shape.values(), 1);
    let gradient = values(out.values(), 2);
    let weights = values(9 * shape.channels * outputs, 3);
    let bias = values(outputs, 4);
    let (x, dy) = (Tensor::new(&input, shape), Tensor::new(&gradient, out));
    let mut all = Vec::new();

    let mut output = vec![0.0; out.values()];
    nchw::conv3x3(&engine, x, &weights, &bias, &mut output);
    let (moments, norm) = nchw::norm_relu(
        &engine,
        Tensor::new(&output, out),
        &bias,
        &bias,
        1e-5,
        &mut output.clone(),
    );
    let mut back = vec![0.0; out.values()];
    let normed = Tensor::new(&output, out);
    let (gamma, beta) = nchw::norm_relu_gradient(&engine, normed, &norm, &gradient, &mut back);
    all.extend([output, back, moments.mean, moments.variance, gamma, beta]);

    let mut back = vec![0.0; shape.values()];
    nchw::conv3x3_input_gradient(&engine, dy, &weights, shape.channels, &mut back);
    let (mut to_weights, mut to_bias) = (vec![0.0; weights.len()], vec![0.0; outputs]);
    nchw::conv3x3_weight_gradient(&engine, x, dy, &mut to_weights, &mut to_bias);
    all.extend([back, to_weights, to_bias]);

    let large = Shape::new(shape.batch, outputs, 2 * shape.height, 2 * shape.width);
    let weights = &weights[..4 * shape.channels * outputs];
    let gradient = values(large.values(), 5);
    let mut output = vec![0.0; large.values()];
    nchw::upconv(&engine, x, weights, &bias, &mut output);
    let (mut to_weights, mut to_bias) = (vec![0.0; weights.len()], vec![0.0; outputs]);
    let dy = Tensor::new(&gradient, large);
    nchw::upconv_weight_gradient(&engine, x, dy, &mut to_weights, &mut to_bias);
    all.extend([output, to_weights, to_bias]);
    all.into_iter().flatten().map(f32::to_bits).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for (shape, outputs) in [
        (Shape::new(1, 3, 61, 50), 20),
        (Shape::new(2, 40, 16, 24), 64),
        (Shape::new(2, 96, 8, 8), 112),
    ] {
        let expected = with_threads(1, || everything(shape, outputs));
        for count in [2, 3, 8] {
            assert!(
                with_threads(count, || everything(shape, outputs)) == expected,
                "{count} threads"
            );
        }
    }
}

/// Small maps of many images take several passes over the weights, single ones take one.
#[test]
fn a_batch_is_its_images() {
    for (shape, outputs) in [(Shape::new(6, 180, 20, 20), 180), (Shape::new(3, 20, 24, 20), 12)] {
        let out = shape.with_channels(outputs);
        let (input, bias) = (values(shape.values(), 1), values(outputs, 2));
        let weights = values(9 * shape.channels * outputs, 3);
        for engine in common::engines() {
            let mut together = vec![0.0; out.values()];
            let tensor = Tensor::new(&input, shape);
            nchw::conv3x3(&engine, tensor, &weights, &bias, &mut together);
            let one = Shape { batch: 1, ..shape };
            let images = input.chunks(one.values());
            for (input, together) in images.zip(together.chunks(out.values() / shape.batch)) {
                let mut apart = vec![0.0; together.len()];
                let tensor = Tensor::new(input, one);
                nchw::conv3x3(&engine, tensor, &weights, &bias, &mut apart);
                assert!(apart == together, "{shape:?}");
            }
        }
    }
}

#[test]
fn the_gradient_of_a_batch_is_the_sum_of_its_images() {
    let (shape, outputs) = (Shape::new(1, 80, 60, 56), 112);
    let engine = Engine::new();
    let (pair, out) = (Shape { batch: 4, ..shape }, shape.with_channels(outputs));
    let input = values(pair.values(), 1);
    let gradient = values(4 * out.values(), 2);
    let gradient_of = |images: std::ops::Range<usize>| {
        let batch = images.len();
        let mut weights = vec![0.0; 9 * shape.channels * outputs];
        let x = &input[images.start * shape.values()..images.end * shape.values()];
        let dy = &gradient[images.start * out.values()..images.end * out.values()];
        nchw::conv3x3_weight_gradient(
            &engine,
            Tensor::new(x, Shape { batch, ..shape }),
            Tensor::new(dy, Shape { batch, ..out }),
            &mut weights,
            &mut vec![0.0; outputs],
        );
        weights
    };
    let together = gradient_of(0..4);
    let mut apart = vec![0.0; together.len()];
    for image in 0..4 {
        for (sum, value) in apart.iter_mut().zip(gradient_of(image..image + 1)) {
            *sum += f64::from(value);
        }
    }
    common::assert_close(&together, &apart, 2e-5, "a batch in several passes");
}
