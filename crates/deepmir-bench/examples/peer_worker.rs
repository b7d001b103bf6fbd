//! Runs a network for `bench/peers`: commands come on standard input, a line each.
//!
//! `peer_worker infer|train FOLDER BASE POOLINGS BATCH SIZE`, where FOLDER holds the weights and
//! `input.bin` (and `labels.bin`) as `bench/peers/model.py` writes them. `run` runs once and
//! answers with the seconds it took, `output FILE` writes what came out, `memory` answers with
//! the largest resident memory in MB so far.

#![allow(clippy::print_stdout, reason = "it answers on standard output")]

use std::borrow::Cow;
use std::error::Error;
use std::fs;
use std::fs::File;
use std::io::{BufRead, Read, Seek, SeekFrom, stdin};
use std::path::{Path, PathBuf};
use std::time::Instant;

use deepmir_kernels::parameters::{Gradients, Parameters};
use deepmir_kernels::unet::{Architecture, Network, Step};
use deepmir_kernels::{Activation, Engine};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, folder, numbers @ ..] = arguments.as_slice() else {
        return Err("usage: peer_worker infer|train FOLDER BASE POOLINGS BATCH SIZE".into());
    };
    let numbers: Vec<usize> = numbers.iter().map(|n| n.parse()).collect::<Result<_, _>>()?;
    let [base, poolings, batch, size] = numbers[..] else {
        return Err("four numbers".into());
    };
    let architecture = Architecture {
        inputs: 3,
        widths: (0..=poolings).map(|level| base << level).collect(),
        outputs: 3,
        norm_after_concatenation: true,
        epsilon: 1e-3,
    };
    let folder = PathBuf::from(folder);
    match mode.as_str() {
        "infer" => serve(&mut Inference::new(architecture, &folder, batch, size)?),
        "sgemm" => serve(&mut Sgemm { size: base, values: vec![1.0; 3 * base * base] }),
        "train" => serve(&mut Training::new(architecture, &folder, batch, size)?),
        _ => Err(format!("no mode {mode}").into()),
    }
}

/// Something that can be timed.
trait Work {
    fn run(&mut self) -> Outcome<()>;
    fn output(&self) -> Vec<f32>;
}

fn serve(work: &mut impl Work) -> Outcome<()> {
    println!("ready");
    for line in stdin().lock().lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("run", _) => {
                let started = Instant::now();
                work.run()?;
                println!("{}", started.elapsed().as_secs_f64());
            }
            ("output", file) => {
                let bytes: Vec<u8> =
                    work.output().into_iter().flat_map(|v| v.to_le_bytes()).collect();
                fs::write(file, bytes)?;
                println!("written");
            }
            ("memory", _) => println!("{}", peak_memory_mb()?),
            _ => return Err(format!("no command {line}").into()),
        }
    }
    Ok(())
}

fn peak_memory_mb() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM")).ok_or("no VmHWM")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes / 1024.0)
}

fn read_f32(path: &Path) -> Outcome<Vec<f32>> {
    Ok(fs::read(path)?
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect())
}

/// Tensors of a weights file, read one at a time.
struct Weights {
    file: File,
    /// Name, first value, values.
    index: Vec<(String, u64, usize)>,
}

impl Weights {
    fn open(folder: &Path) -> Outcome<Self> {
        let (mut index, mut start) = (Vec::new(), 0);
        for line in fs::read_to_string(folder.join("weights.txt"))?.lines() {
            let (name, count) = line.split_once(' ').ok_or("a name and a number a line")?;
            let count: usize = count.parse()?;
            index.push((name.to_owned(), start, count));
            start += count as u64;
        }
        Ok(Self { file: File::open(folder.join("weights.bin"))?, index })
    }

    fn get(&mut self, name: &str) -> Option<Vec<f32>> {
        let (_, start, count) = self.index.iter().find(|(other, ..)| other == name)?;
        let mut bytes = vec![0; 4 * count];
        self.file.seek(SeekFrom::Start(4 * start)).ok()?;
        self.file.read_exact(&mut bytes).ok()?;
        Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}

struct Inference {
    engine: Engine,
    network: Network,
    input: Vec<f32>,
    shape: (usize, usize, usize),
    output: Vec<f32>,
}

impl Inference {
    fn new(architecture: Architecture, folder: &Path, batch: usize, size: usize) -> Outcome<Self> {
        let mut weights = Weights::open(folder)?;
        Ok(Self {
            engine: Engine::from_environment()?,
            network: Network::new(&architecture, |name| weights.get(name).map(Cow::Owned))?,
            input: read_f32(&folder.join("input.bin"))?[..batch * 3 * size * size].to_vec(),
            shape: (batch, size, size),
            output: vec![0.0; batch * 3 * size * size],
        })
    }
}

impl Work for Inference {
    fn run(&mut self) -> Outcome<()> {
        let softmax = Activation::Softmax;
        Ok(self.network.run(&self.engine, &self.input, self.shape, softmax, &mut self.output)?)
    }

    fn output(&self) -> Vec<f32> {
        self.output.clone()
    }
}

struct Training {
    engine: Engine,
    architecture: Architecture,
    weights: Vec<(String, Vec<f32>)>,
    input: Vec<f32>,
    labels: Vec<f32>,
    shape: (usize, usize, usize),
    scores: Vec<f32>,
    gradients: Gradients,
}

impl Training {
    fn new(architecture: Architecture, folder: &Path, batch: usize, size: usize) -> Outcome<Self> {
        let mut file = Weights::open(folder)?;
        let trained = architecture.tensors().into_iter().filter(|tensor| tensor.trained);
        let weights = trained
            .map(|tensor| Some((tensor.name.clone(), file.get(&tensor.name)?)))
            .collect::<Option<_>>()
            .ok_or("a tensor is missing")?;
        Ok(Self {
            engine: Engine::from_environment()?,
            architecture,
            weights,
            input: read_f32(&folder.join("input.bin"))?[..batch * 3 * size * size].to_vec(),
            labels: read_f32(&folder.join("labels.bin"))?[..batch * size * size].to_vec(),
            shape: (batch, size, size),
            scores: vec![0.0; batch * 3 * size * size],
            gradients: Gradients::default(),
        })
    }
}

impl Work for Training {
    fn run(&mut self) -> Outcome<()> {
        let parameters: Parameters<'_> =
            self.weights.iter().map(|(name, values)| (name.clone(), &values[..])).collect();
        let step = Step::forward(
            &self.engine,
            &self.architecture,
            &parameters,
            &self.input,
            self.shape,
            &mut self.scores,
        )?;
        cross_entropy_gradient(&mut self.scores, &self.labels, self.shape.1 * self.shape.2);
        step.backward(&self.engine, &parameters, &self.scores, &mut self.gradients)?;
        Ok(())
    }

    fn output(&self) -> Vec<f32> {
        self.gradients.0.values().flatten().copied().collect()
    }
}

/// A plain matrix product by the crate `gemm`: what the machine can do.
struct Sgemm {
    size: usize,
    /// Two factors and the product.
    values: Vec<f32>,
}

impl Work for Sgemm {
    fn run(&mut self) -> Outcome<()> {
        let (n, stride) = (self.size, self.size as isize);
        let (factors, product) = self.values.split_at_mut(2 * n * n);
        let (a, b) = factors.split_at(n * n);
        // SAFETY: the three matrices are n × n, in slices of n · n values that do not overlap.
        #[allow(unsafe_code, reason = "the interface of `gemm`")]
        unsafe {
            gemm_f32::gemm::f32::get_gemm_fn()(
                n,
                n,
                n,
                product.as_mut_ptr(),
                1,
                stride,
                false,
                a.as_ptr(),
                1,
                stride,
                b.as_ptr(),
                1,
                stride,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm_common::Parallelism::Rayon(0),
            );
        }
        Ok(())
    }

    fn output(&self) -> Vec<f32> {
        self.values[2 * self.size * self.size..].to_vec()
    }
}

/// Turns scores of three classes into the gradient of their mean cross-entropy.
fn cross_entropy_gradient(scores: &mut [f32], labels: &[f32], pixels: usize) {
    let count = labels.len() as f32;
    for (scores, labels) in scores.chunks_mut(3 * pixels).zip(labels.chunks(pixels)) {
        for (i, label) in labels.iter().enumerate() {
            let at = [i, i + pixels, i + 2 * pixels];
            let largest = at.iter().fold(f32::MIN, |max, i| max.max(scores[*i]));
            let sum: f32 = at.iter().map(|i| (scores[*i] - largest).exp()).sum();
            for (class, i) in at.into_iter().enumerate() {
                let wanted = if class as f32 == *label { 1.0 } else { 0.0 };
                scores[i] = ((scores[i] - largest).exp() / sum - wanted) / count;
            }
        }
    }
}
