//! Convolutions and their gradients against naive sums in f64.

mod common;

use common::{Data, assert_sums, engines, halved, shapes};
use deepmir_kernels::nchw::{self, Tensor};
use deepmir_kernels::{PackedConv3x3, Shape, Source, from_nchw, to_nchw};
use proptest::prelude::*;

/// Of the largest sum: the transforms of F(4×4, 3×3) cost about one decimal.
const WINOGRAD: f64 = 2e-5;
const PLAIN: f64 = 2e-6;

fn check_conv3x3(shape: Shape, outputs: usize, seed: u64) {
    let out = shape.with_channels(outputs);
    let data = Data::new(shape.values(), 9 * shape.channels * outputs, outputs, out.values(), seed);
    let expected = data.convolution(shape, 3);
    let (input, gradient) = (Tensor::new(&data.input, shape), Tensor::new(&data.gradient, out));
    for engine in engines() {
        let what =
            |pass: &str| format!("{pass} of {shape:?} to {outputs}, {}", engine.instruction_set());
        let mut output = vec![f32::NAN; out.values()];
        nchw::conv3x3(&engine, input, &data.weights, &data.bias, &mut output);
        assert_sums(&output, &expected.output, 9 * shape.channels, WINOGRAD, &what("forward"));

        let mut output = vec![f32::NAN; shape.values()];
        nchw::conv3x3_input_gradient(&engine, gradient, &data.weights, shape.channels, &mut output);
        assert_sums(
            &output,
            &expected.input_gradient,
            9 * outputs,
            WINOGRAD,
            &what("input gradient"),
        );

        let mut weights = vec![f32::NAN; data.weights.len()];
        let mut bias = vec![f32::NAN; outputs];
        nchw::conv3x3_weight_gradient(&engine, input, gradient, &mut weights, &mut bias);
        assert_sums(
            &weights,
            &expected.weight_gradient,
            shape.batch * shape.pixels(),
            WINOGRAD,
            &what("weight gradient"),
        );
        assert_sums(
            &bias,
            &expected.bias_gradient,
            shape.batch * shape.pixels(),
            PLAIN,
            &what("bias gradient"),
        );
    }
}

/// Packed weights, in either precision, give the bits that plain ones do.
fn check_packed(shape: Shape, outputs: usize, seed: u64) {
    let out = shape.with_channels(outputs);
    let data = Data::new(shape.values(), 9 * shape.channels * outputs, outputs, 0, seed);
    for engine in engines() {
        for weights in [data.weights.clone(), halved(&data.weights)] {
            let mut expected = vec![f32::NAN; out.values()];
            let input = Tensor::new(&data.input, shape);
            nchw::conv3x3(&engine, input, &weights, &data.bias, &mut expected);
            let packed = PackedConv3x3::new(&weights, &[shape.channels], None, &data.bias);
            let (mut read, mut written) = (engine.arena().map(shape), engine.arena().map(out));
            from_nchw(&data.input, read.view_mut());
            packed.run(&engine, &[Source::new(read.view())], false, written.view_mut(), None);
            let mut output = vec![f32::NAN; out.values()];
            to_nchw(written.view(), &mut output);
            assert_eq!(output, expected, "{shape:?} to {outputs}, {}", engine.instruction_set());
        }
    }
}

fn check_conv1x1(shape: Shape, outputs: usize, seed: u64) {
    let out = shape.with_channels(outputs);
    let data = Data::new(shape.values(), shape.channels * outputs, outputs, out.values(), seed);
    let expected = data.convolution(shape, 1);
    let (input, gradient) = (Tensor::new(&data.input, shape), Tensor::new(&data.gradient, out));
    for engine in engines() {
        let mut output = vec![f32::NAN; out.values()];
        nchw::conv1x1(&engine, input, &data.weights, &data.bias, &mut output);
        assert_sums(&output, &expected.output, shape.channels, PLAIN, "1×1");

        let mut output = vec![f32::NAN; shape.values()];
        nchw::conv1x1_input_gradient(&engine, gradient, &data.weights, shape.channels, &mut output);
        assert_sums(&output, &expected.input_gradient, outputs, PLAIN, "1×1 input gradient");

        let (mut weights, mut bias) = (vec![f32::NAN; data.weights.len()], vec![f32::NAN; outputs]);
        nchw::conv1x1_weight_gradient(&engine, input, gradient, &mut weights, &mut bias);
        assert_sums(
            &weights,
            &expected.weight_gradient,
            shape.batch * shape.pixels(),
            PLAIN,
            "1×1 weight gradient",
        );
        assert_sums(
            &bias,
            &expected.bias_gradient,
            shape.batch * shape.pixels(),
            PLAIN,
            "1×1 bias gradient",
        );
    }
}

fn check_upconv(shape: Shape, outputs: usize, seed: u64) {
    let out = Shape::new(shape.batch, outputs, 2 * shape.height, 2 * shape.width);
    let data = Data::new(shape.values(), 4 * shape.channels * outputs, outputs, out.values(), seed);
    let expected = data.upconv(shape);
    let (input, gradient) = (Tensor::new(&data.input, shape), Tensor::new(&data.gradient, out));
    for engine in engines() {
        let mut output = vec![f32::NAN; out.values()];
        nchw::upconv(&engine, input, &data.weights, &data.bias, &mut output);
        assert_sums(&output, &expected.output, shape.channels, PLAIN, "2×2");

        let mut output = vec![f32::NAN; shape.values()];
        nchw::upconv_input_gradient(&engine, gradient, &data.weights, shape.channels, &mut output);
        assert_sums(&output, &expected.input_gradient, 4 * outputs, PLAIN, "2×2 input gradient");

        let (mut weights, mut bias) = (vec![f32::NAN; data.weights.len()], vec![f32::NAN; outputs]);
        nchw::upconv_weight_gradient(&engine, input, gradient, &mut weights, &mut bias);
        assert_sums(
            &weights,
            &expected.weight_gradient,
            shape.batch * shape.pixels(),
            PLAIN,
            "2×2 weight gradient",
        );
        assert_sums(
            &bias,
            &expected.bias_gradient,
            out.batch * out.pixels(),
            PLAIN,
            "2×2 bias gradient",
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn conv3x3_is_a_convolution(shape in shapes(), outputs in 1usize..40, seed in 0u64..1000) {
        check_conv3x3(shape, outputs, seed);
    }

    #[test]
    fn packing_changes_nothing(shape in shapes(), outputs in 1usize..40, seed in 0u64..1000) {
        check_packed(shape, outputs, seed);
    }

    #[test]
    fn conv1x1_is_a_convolution(shape in shapes(), outputs in 1usize..40, seed in 0u64..1000) {
        check_conv1x1(shape, outputs, seed);
    }

    #[test]
    fn upconv_is_a_transposed_convolution(
        shape in shapes(),
        outputs in 1usize..40,
        seed in 0u64..1000,
    ) {
        check_upconv(shape, outputs, seed);
    }
}

#[test]
fn single_pixels_and_channels() {
    for (batch, channels, height, width) in
        [(1, 1, 1, 1), (2, 17, 1, 1), (1, 1, 1, 9), (3, 16, 5, 1)]
    {
        let shape = Shape::new(batch, channels, height, width);
        check_conv3x3(shape, 1, 7);
        check_conv3x3(shape, 33, 7);
        check_conv1x1(shape, 3, 7);
        check_upconv(shape, 5, 7);
    }
}

#[test]
fn many_tiles_take_the_path_of_wide_maps() {
    check_conv3x3(Shape::new(1, 3, 37, 61), 20, 1);
    check_conv3x3(Shape::new(3, 32, 24, 20), 16, 2);
    check_packed(Shape::new(1, 3, 37, 61), 20, 1);
}

#[test]
fn many_channels_take_the_path_of_deep_maps() {
    check_conv3x3(Shape::new(2, 130, 5, 7), 100, 3);
    check_packed(Shape::new(2, 130, 5, 7), 100, 3);
    check_upconv(Shape::new(2, 130, 3, 3), 100, 3);
    check_conv1x1(Shape::new(2, 130, 9, 3), 100, 3);
}
