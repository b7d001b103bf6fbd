//! Compressed images: numbers against those that went into the encoders, and those that their own libraries decode
//! (fixtures/make_compressed.py).

#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod support;

use deepmir_dicom::{Line, Survey};
use support::{fixture, labels};

const COLUMNS: usize = 35;
const ROWS: usize = 32;

/// What was compressed, in the order of rows.
fn stored(n: i64, [low, high]: [i64; 2]) -> Vec<i64> {
    let pixel = |j: i64, i: i64| {
        let noise = (3 * i * i + 5 * j * j + (n + 2) * i * j) % 97;
        let slope = 8 * (3 * i + 2 * j + 10 * n) + noise;
        let is_flat = (i / 6 + j / 5) % 3 != 1;
        low + if is_flat { 0 } else { (slope * (high - low)).div_euclid(1800) }
    };
    let [columns, rows] = [COLUMNS, ROWS].map(|side| side as i64);
    (0..rows).flat_map(|j| (0..columns).map(move |i| pixel(j, i))).collect()
}

/// What was read of a series: its line, and the numbers of each slice in the order of rows.
fn read(series: i64) -> (Line, Vec<Vec<i64>>) {
    let survey = Survey::read(&[fixture("compressed")], &labels(), &|_, _| {}).unwrap();
    let lines = survey.lines();
    let place = lines.iter().position(|line| line.series == Some(series)).unwrap();
    let volume = survey.voxels(place).unwrap();
    let slices = lines[place].slices;
    assert_eq!(volume.shape(), [COLUMNS, ROWS, slices]);
    // Rows are stored from the last to the first.
    let row = |k: usize, j: usize| (0..COLUMNS).map(move |i| [i, ROWS - 1 - j, k]);
    let slice = |k| (0..ROWS).flat_map(move |j| row(k, j)).map(|at| volume[at] as i64).collect();
    (lines[place].clone(), (0..slices).map(slice).collect())
}

fn is_kept(series: i64, range: [i64; 2]) {
    let (line, slices) = read(series);
    assert!(!line.why.contains("loss"), "{}", line.why);
    for (n, slice) in slices.iter().enumerate() {
        assert!(*slice == stored(n as i64, range), "series {series}, slice {n}");
    }
}

/// The largest difference from what went in, and from what another decoder gives of the first slice.
fn loss(series: i64, name: &str, range: [i64; 2]) -> [i64; 2] {
    let (line, slices) = read(series);
    assert!(line.why.ends_with("; compressed with loss"), "{}", line.why);
    let text = std::fs::read_to_string(fixture("compressed.json")).unwrap();
    let all: std::collections::BTreeMap<String, Vec<i64>> = serde_json::from_str(&text).unwrap();
    let most = |step: usize, other: &[i64]| {
        let found = slices[0].iter().step_by(step);
        found.zip(other).map(|(a, b)| (a - b).abs()).max().unwrap_or_default()
    };
    // Every third is in the file.
    [most(1, &stored(0, range)), most(3, &all[name])]
}

const TWELVE_BITS: [i64; 2] = [0, 4000];
const SIGNED: [i64; 2] = [-30_000, 32_000];
const BYTE: [i64; 2] = [0, 250];

#[test]
fn jpeg_2000_keeps_numbers_of_8_to_16_bits() {
    is_kept(1, TWELVE_BITS);
    is_kept(2, SIGNED);
    is_kept(3, BYTE);
}

#[test]
fn jpeg_2000_with_loss_is_read_as_openjpeg_reads_it_and_said_to_be_so() {
    let [_, from_other] = loss(4, "04-j2k-lossy-1", TWELVE_BITS);
    assert!(from_other <= 1, "{from_other}");
}

#[test]
fn jpeg_ls_keeps_numbers_of_8_to_16_bits() {
    is_kept(5, TWELVE_BITS);
    is_kept(6, SIGNED);
    is_kept(7, BYTE);
    // With thresholds and reset of its own.
    is_kept(9, TWELVE_BITS);
}

#[test]
fn near_lossless_jpeg_ls_is_off_by_no_more_than_it_says() {
    assert_eq!(loss(8, "08-jls-near-1", TWELVE_BITS), [3, 0]);
}

#[test]
fn jpeg_with_loss_is_read_of_8_bits_and_refused_of_12() {
    let [from_stored, from_other] = loss(10, "10-jpeg-byte-1", BYTE);
    assert!(from_stored <= 17 && from_other <= 1, "{from_stored} {from_other}");
    let survey = Survey::read(&[fixture("compressed")], &labels(), &|_, _| {}).unwrap();
    let place = survey.lines().iter().position(|line| line.series == Some(11)).unwrap();
    let told = survey.voxels(place).unwrap_err().to_string();
    assert!(told.contains("JPEG of 12 bits with loss is not read; decompress"), "{told}");
}
