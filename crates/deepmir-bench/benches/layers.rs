//! Each layer shape of the reference network (base 32, 256×256), against the machine's sgemm.
//!
//! `cargo bench -p deepmir-bench --bench layers` first prints a table: medians taken in turn with a matrix
//! product of the crate `gemm`, as fractions of what that reaches. A 3×3 convolution counts the
//! operations of the plain sum; Winograd's does a quarter of the products, so it may pass 1.
//! Then criterion takes each layer by itself.

#![allow(clippy::print_stdout, missing_docs, reason = "a table; criterion's generated main")]

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use deepmir_kernels::conv3x3::{self, GatedGradient};
use deepmir_kernels::upconv::{self, PackedUpConv};
use deepmir_kernels::{Engine, FeatureMap, PackedConv3x3, Shape, Source};

/// Input channels, output channels, side.
const CONVOLUTIONS: [(usize, usize, usize); 17] = [
    (3, 32, 256),
    (32, 32, 256),
    (32, 64, 128),
    (64, 64, 128),
    (64, 128, 64),
    (128, 128, 64),
    (128, 256, 32),
    (256, 256, 32),
    (256, 512, 16),
    (512, 512, 16),
    (512, 1024, 8),
    (1024, 1024, 8),
    (1024, 512, 16),
    (512, 256, 32),
    (256, 128, 64),
    (128, 64, 128),
    (64, 32, 256),
];

/// Input channels, output channels, side of the input.
const TRANSPOSED: [(usize, usize, usize); 5] =
    [(1024, 512, 8), (512, 256, 16), (256, 128, 32), (128, 64, 64), (64, 32, 128)];

/// Images a training step takes.
const BATCH: usize = 4;

/// A layer with its operations, counted as two a product of the plain sum.
struct Layer {
    name: String,
    operations: f64,
    run: Box<dyn FnMut()>,
}

fn map(engine: &Engine, shape: Shape) -> FeatureMap {
    let mut map = engine.arena().map(shape);
    deepmir_kernels::from_nchw(&values(shape.values()), map.view_mut());
    map
}

fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919) % 2003) as f32 / 1001.5 - 1.0).collect()
}

fn inference(inputs: usize, outputs: usize, side: usize) -> Layer {
    let engine = Engine::new();
    let shape = Shape::new(1, inputs, side, side);
    let weights = values(9 * inputs * outputs);
    let packed = PackedConv3x3::new(&weights, &[inputs], None, &vec![0.0; outputs]);
    let input = map(&engine, shape);
    let mut output = map(&engine, shape.with_channels(outputs));
    Layer {
        name: format!("3×3 {inputs}→{outputs} @{side}"),
        operations: 18.0 * (inputs * outputs * side * side) as f64,
        run: Box::new(move || {
            packed.run(&engine, &[Source::new(input.view())], true, output.view_mut(), None);
        }),
    }
}

fn transposed(inputs: usize, outputs: usize, side: usize) -> Layer {
    let engine = Engine::new();
    let packed =
        PackedUpConv::new(&values(4 * inputs * outputs), inputs, None, &vec![0.0; outputs]);
    let input = map(&engine, Shape::new(1, inputs, side, side));
    let mut output = map(&engine, Shape::new(1, outputs, 2 * side, 2 * side));
    Layer {
        name: format!("2×2 {inputs}→{outputs} @{side}"),
        operations: 8.0 * (inputs * outputs * side * side) as f64,
        run: Box::new(move || {
            packed.run(&engine, Source::new(input.view()), false, output.view_mut());
        }),
    }
}

/// The three passes of a convolution in training.
fn training(inputs: usize, outputs: usize, side: usize) -> [Layer; 3] {
    let shape = Shape::new(BATCH, inputs, side, side);
    let operations = 18.0 * (BATCH * inputs * outputs * side * side) as f64;
    let weights = values(9 * inputs * outputs);
    let name = |pass: &str| format!("{pass} {inputs}→{outputs} @{side}");
    let (a, b, c) = (Engine::new(), Engine::new(), Engine::new());

    let input = map(&a, shape);
    let mut output = map(&a, shape.with_channels(outputs));
    let kept = weights.clone();
    let forward = Layer {
        name: name("forward"),
        operations,
        run: Box::new(move || {
            let sources = [Source::new(input.view())];
            conv3x3::forward(&a, &kept, None, &sources, output.view_mut());
        }),
    };
    let gradient = map(&b, shape.with_channels(outputs));
    let mut result = map(&b, shape);
    let kept = weights.clone();
    let to_input = Layer {
        name: name("to input"),
        operations,
        run: Box::new(move || {
            let output = GatedGradient { output: result.view_mut(), gate: None };
            conv3x3::input_gradient(&b, &kept, gradient.view(), vec![output]);
        }),
    };
    let (input, gradient) = (map(&c, shape), map(&c, shape.with_channels(outputs)));
    let mut result = weights;
    let to_weights = Layer {
        name: name("to weights"),
        operations,
        run: Box::new(move || {
            let sources = [Source::new(input.view())];
            conv3x3::weight_gradient(&c, &sources, gradient.view(), &mut result);
        }),
    };
    [forward, to_input, to_weights]
}

fn transposed_training(inputs: usize, outputs: usize, side: usize) -> Layer {
    let engine = Engine::new();
    let input = map(&engine, Shape::new(BATCH, inputs, side, side));
    let gradient = map(&engine, Shape::new(BATCH, outputs, 2 * side, 2 * side));
    let mut weights = values(4 * inputs * outputs);
    Layer {
        name: format!("2×2 to weights {inputs}→{outputs} @{side}"),
        operations: 8.0 * (BATCH * inputs * outputs * side * side) as f64,
        run: Box::new(move || {
            upconv::weight_gradient(
                &engine,
                Source::new(input.view()),
                gradient.view(),
                &mut weights,
            );
        }),
    }
}

/// Groups of layers, each made when it is its turn, so that memory stays small.
type Group = (&'static str, Vec<Box<dyn Fn() -> Vec<Layer>>>);

fn groups() -> Vec<Group> {
    fn boxed<A: Copy + 'static>(
        shapes: &[A],
        make: impl Fn(A) -> Vec<Layer> + Copy + 'static,
    ) -> Vec<Box<dyn Fn() -> Vec<Layer>>> {
        shapes.iter().copied().map(|shape| Box::new(move || make(shape)) as _).collect()
    }
    vec![
        ("inference", boxed(&CONVOLUTIONS, |(i, o, side)| vec![inference(i, o, side)])),
        ("transposed", boxed(&TRANSPOSED, |(i, o, side)| vec![transposed(i, o, side)])),
        ("training", boxed(&CONVOLUTIONS, |(i, o, side)| training(i, o, side).into())),
        (
            "transposed training",
            boxed(&TRANSPOSED, |(i, o, side)| vec![transposed_training(i, o, side)]),
        ),
    ]
}

/// Times of a plain product of square matrices.
struct Sgemm {
    size: usize,
    a: Vec<f32>,
    product: Vec<f32>,
}

impl Sgemm {
    fn run(&mut self) -> f64 {
        let (n, stride) = (self.size, self.size as isize);
        let (a, product) = (self.a.as_ptr(), self.product.as_mut_ptr());
        let threads = gemm_common::Parallelism::Rayon(0);
        let started = Instant::now();
        // SAFETY: all matrices are n × n, in vectors of n · n values; the product has its own.
        #[allow(unsafe_code, reason = "the interface of `gemm`")]
        unsafe {
            gemm_f32::gemm::f32::get_gemm_fn()(
                n, n, n, product, 1, stride, false, a, 1, stride, a, 1, stride, 0.0, 1.0, false,
                false, false, threads,
            );
        }
        2.0 * (n * n * n) as f64 / started.elapsed().as_secs_f64()
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The table of fractions of the ceiling.
fn fractions() {
    let size = 1024;
    let mut sgemm = Sgemm { size, a: vec![0.5; size * size], product: vec![0.0; size * size] };
    println!("{:<28} {:>9} {:>9} {:>9}", "layer", "ms", "GFLOP/s", "÷ sgemm");
    for layer in groups().iter().flat_map(|(_, makers)| makers).flat_map(|make| make()) {
        let Layer { name, operations, mut run } = layer;
        run();
        let (mut ours, mut ceiling) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            let started = Instant::now();
            run();
            ours.push(started.elapsed().as_secs_f64());
            ceiling.push(sgemm.run());
        }
        let (seconds, ceiling) = (median(ours), median(ceiling));
        let rate = operations / seconds;
        println!("{name:<28} {:>9.3} {:>9.0} {:>9.2}", seconds * 1e3, rate / 1e9, rate / ceiling);
    }
}

fn layers(criterion: &mut Criterion) {
    for (name, makers) in groups() {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).warm_up_time(Duration::from_millis(200));
        group.measurement_time(Duration::from_millis(800));
        for layer in makers.iter().flat_map(|make| make()) {
            let Layer { name, operations, mut run } = layer;
            group.throughput(Throughput::Elements(operations as u64));
            group.bench_function(BenchmarkId::from_parameter(name), |b| b.iter(&mut run));
        }
    }
}

criterion_group!(benches, layers);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--bench") {
        fractions();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
