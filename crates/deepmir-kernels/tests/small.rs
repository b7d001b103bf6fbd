//! Every unsafe line once, on maps so small that an interpreter gets through:
//! `MIRIFLAGS=-Zmiri-tree-borrows cargo +nightly miri test -p deepmir-kernels --test small` (the
//! older model of borrows stops in crossbeam, under rayon), also with
//! `RUSTFLAGS=-Ctarget-feature=+avx512f` and `--target aarch64-unknown-linux-gnu` for CPUs that
//! are not at hand. Where there is no Miri, the address sanitizer sees every access out of bounds
//! on the CPU at hand, in the other tests too (CONTRIBUTING.md has the command).

mod common;

use common::{Data, assert_close, engines, halved};
use deepmir_kernels::nchw::{self, Tensor};
use deepmir_kernels::{InstructionSet, PackedConv3x3, Shape, Source, from_nchw, to_nchw};

/// A 3×3 convolution with an inner tile (rows and columns around it), or with edges only.
fn check(shape: Shape, outputs: usize) {
    let out = shape.with_channels(outputs);
    let data = Data::new(shape.values(), 9 * shape.channels * outputs, outputs, out.values(), 1);
    let expected = data.convolution(shape, 3);
    let (input, gradient) = (Tensor::new(&data.input, shape), Tensor::new(&data.gradient, out));
    for engine in engines() {
        let mut output = vec![f32::NAN; out.values()];
        nchw::conv3x3(&engine, input, &data.weights, &data.bias, &mut output);
        assert_close(&output, &expected.output, 2e-5, "forward");
        let (mut weights, mut bias) = (vec![f32::NAN; data.weights.len()], vec![f32::NAN; outputs]);
        nchw::conv3x3_weight_gradient(&engine, input, gradient, &mut weights, &mut bias);
        assert_close(&weights, &expected.weight_gradient, 2e-5, "weight gradient");
    }
}

#[test]
fn a_map_of_edges() {
    check(Shape::new(1, 2, 3, 2), 1);
}

#[test]
fn a_map_with_an_inner_tile() {
    check(Shape::new(1, 1, 12, 12), 1);
}

#[test]
fn weights_in_half_precision() {
    let shape = Shape::new(1, 1, 2, 2);
    let mut data = Data::new(4, 9, 1, 4, 1);
    data.weights = halved(&data.weights);
    let expected = data.convolution(shape, 3);
    let packed = PackedConv3x3::new(&data.weights, &[1], None, &data.bias);
    for engine in engines() {
        let (mut read, mut written) = (engine.arena().map(shape), engine.arena().map(shape));
        from_nchw(&data.input, read.view_mut());
        packed.run(&engine, &[Source::new(read.view())], false, written.view_mut(), None);
        let mut output = [f32::NAN; 4];
        to_nchw(written.view(), &mut output);
        assert_close(&output, &expected.output, 2e-5, "packed");
    }
}

#[test]
fn norm_and_relu() {
    let (shape, input) = (Shape::new(1, 1, 2, 2), [1.0, 2.0, 3.0, 6.0]);
    for engine in engines() {
        let mut output = [f32::NAN; 4];
        let tensor = Tensor::new(&input, shape);
        let (_, norm) = nchw::norm_relu(&engine, tensor, &[1.0], &[0.0], 0.0, &mut output);
        let deviation = 3.5f32.sqrt();
        assert_close(&output, &[0.0, 0.0, 0.0, f64::from(3.0 / deviation)], 1e-6, "norm");
        let mut back = [f32::NAN; 4];
        nchw::norm_relu_gradient(&engine, tensor, &norm, &[1.0; 4], &mut back);
        assert!(back.iter().sum::<f32>().abs() < 1e-6);
        let mut maximum = [f32::NAN];
        nchw::max_pool(&engine, tensor, &mut maximum);
        assert_eq!(maximum, [6.0]);
    }
}

#[test]
fn the_instruction_sets_are_those_expected() {
    let available = InstructionSet::available();
    assert!(!cfg!(target_feature = "avx512f") || available.contains(&InstructionSet::Avx512));
    assert!(!cfg!(target_arch = "aarch64") || available.contains(&InstructionSet::Neon));
}
