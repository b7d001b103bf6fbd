//! Times of the operations on a volume of a real scan's size, 213 × 256 × 100.
//!
//! `cargo bench -p deepmir-bench --bench volume`; `bench/volume.py` times nibabel and scipy on the same work.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails says where")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::distance::distance_to;
use deepmir_volume::{
    Affine, Grid, Interpolation, Mask, Volume, gaussian, nifti, resample_to_spacing,
};

fn scan() -> Volume<i16> {
    let affine = Affine::from_spacing([0.75, 0.75, 1.5], [-80.0, -96.0, -75.0]);
    let grid = Grid::new([213, 256, 100], affine).unwrap();
    let mut state = 1_u32;
    Volume::from_fn(grid, |voxel| {
        let [x, y, z] = grid.position_mm(voxel);
        // Noise inside an ellipsoid about as large as a brain, zero around it.
        if (x / 70.0).powi(2) + (y / 85.0).powi(2) + (z / 65.0).powi(2) > 1.0 {
            return 0;
        }
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        600 + (state >> 24) as i16
    })
}

fn volume(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.nii.gz");
    let scan = scan();
    nifti::write(&path, &scan, None).unwrap();
    let floats: Volume<f32> = scan.map(|&value| f32::from(value));
    let brain: Mask = scan.map(|&value| value > 0);
    let specks: Mask = scan.map(|&value| value > 840);

    let mut group = criterion.benchmark_group("213x256x100");
    group.sample_size(10);
    group
        .bench_function("read int16 nii.gz", |b| b.iter(|| nifti::read(black_box(&path)).unwrap()));
    group.bench_function("write int16 nii.gz", |b| {
        b.iter(|| nifti::write(&path, black_box(&scan), None).unwrap());
    });
    group.bench_function("distance transform", |b| b.iter(|| distance_to(black_box(&brain))));
    group.bench_function("26-connected components", |b| {
        b.iter(|| components(black_box(&specks), false, Connectivity::TwentySix));
    });
    group.bench_function("gaussian 2 mm", |b| {
        b.iter(|| gaussian::smooth(black_box(&floats), [2.0; 3]))
    });
    for interpolation in [Interpolation::Linear, Interpolation::CubicBSpline] {
        group.bench_function(format!("resample to 1 mm, {interpolation:?}"), |b| {
            b.iter(|| resample_to_spacing(black_box(&floats), [1.0; 3], interpolation).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, volume);
criterion_main!(benches);
