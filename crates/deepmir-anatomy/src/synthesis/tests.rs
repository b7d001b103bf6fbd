use std::path::Path;

use deepmir_volume::{Affine, Grid, Orientation, Volume};
use rand::SeedableRng;

use super::*;
use crate::{AnatomyError, Side, Tissue};

/// Nested ellipsoids with every tissue on both sides, on RAS voxels of `voxel_mm`.
pub(crate) fn made_up_labels(voxel_mm: f64) -> Volume<i32> {
    let shape = [180.0, 210.0, 200.0].map(|length: f64| (length / voxel_mm).round() as usize);
    let origin = [-90.0, -105.0, -100.0].map(|edge| edge + voxel_mm / 2.0);
    let grid = Grid::new(shape, Affine::from_spacing([voxel_mm; 3], origin)).unwrap();
    // Middle on the right and half-axes, later ones lie over earlier ones; then left and right numbers.
    let parts: [([f64; 3], [f64; 3], i32, i32); 16] = [
        ([0.0, 0.0, 0.0], [82.0, 98.0, 94.0], 511, 511),
        ([0.0, 0.0, 0.0], [78.0, 94.0, 90.0], 515, 515),
        ([0.0, 0.0, 0.0], [73.0, 89.0, 85.0], 24, 24),
        ([0.0, 0.0, 10.0], [70.0, 86.0, 70.0], 3, 42),
        ([0.0, 0.0, 10.0], [62.0, 78.0, 62.0], 2, 41),
        ([12.0, 5.0, 20.0], [8.0, 35.0, 10.0], 4, 43),
        ([14.0, 25.0, 5.0], [6.0, 12.0, 10.0], 11, 50),
        ([28.0, 5.0, 0.0], [8.0, 16.0, 12.0], 12, 51),
        ([19.0, 5.0, 0.0], [5.0, 8.0, 7.0], 13, 52),
        ([10.0, -15.0, 5.0], [9.0, 13.0, 9.0], 10, 49),
        ([28.0, -20.0, -15.0], [7.0, 16.0, 7.0], 17, 53),
        ([8.0, -12.0, -12.0], [7.0, 8.0, 6.0], 28, 60),
        ([20.0, -50.0, -50.0], [28.0, 24.0, 22.0], 8, 47),
        ([18.0, -50.0, -50.0], [16.0, 12.0, 12.0], 7, 46),
        ([0.0, -18.0, -40.0], [12.0, 12.0, 28.0], 16, 16),
        ([0.0, -30.0, -45.0], [5.0, 5.0, 8.0], 15, 15),
    ];
    Volume::from_fn(grid, |voxel| {
        let [x, y, z] = grid.position_mm(voxel);
        let inside = |(middle, half, ..): &&([f64; 3], [f64; 3], i32, i32)| {
            let offset = [x.abs() - middle[0], y - middle[1], z - middle[2]];
            (0..3).map(|axis| (offset[axis] / half[axis]).powi(2)).sum::<f64>() < 1.0
        };
        let part = parts.iter().rev().find(inside);
        part.map_or(0, |&(.., left, right)| if x < 0.0 { left } else { right })
    })
}

fn made_up() -> Head {
    Head::from_labels(&made_up_labels(1.0)).unwrap()
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// No movement, no cuts, nothing hidden.
fn plain() -> SynthesisConfig {
    let mut config = SynthesisConfig::default();
    config.space = SpaceConfig {
        rotation_deg: 0.0,
        far_probability: 0.0,
        scale: [1.0; 2],
        shear: 0.0,
        shift_mm: 0.0,
        mirror_probability: 0.0,
        displacement_mm: [0.0; 2],
        ..config.space
    };
    config.mask.strip_probability = 0.0;
    config.mask.cut_probability = 0.0;
    config.mask.deface_probability = 0.0;
    config
}

#[test]
fn the_same_seed_gives_the_same_bits_with_any_number_of_threads() {
    let head = made_up();
    let config = SynthesisConfig::default();
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| [4, 5].map(|seed| draw(&head, &config, &mut rng(seed))))
    };
    let (one, two) = (with_threads(1), with_threads(2));
    for (one, two) in one.iter().zip(&two) {
        assert!(one.image.iter().zip(&two.image).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert!(one == two);
    }
    assert!(one[0].image != one[1].image);
}

#[test]
fn truth_is_where_the_labels_are_and_the_left_is_on_the_left() {
    let config = plain();
    let example = draw(&made_up(), &config, &mut rng(1));
    let [nx, ny, _] = example.shape;
    let mut sums = [[0.0_f64; 4]; 3];
    for (index, &side) in example.side.iter().enumerate() {
        let tissue = Tissue::ALL[usize::from(example.tissue[index])];
        assert!(side == 0 || tissue.has_sides());
        if tissue == Tissue::Putamen {
            let sum = &mut sums[usize::from(side)];
            sum[0] += (index % nx) as f64;
            sum[1] += (index / nx % ny) as f64;
            sum[2] += (index / (nx * ny)) as f64;
            sum[3] += 1.0;
        }
    }
    assert_eq!(sums[0][3], 0.0);
    let middle = sums.map(|sum| [0, 1, 2].map(|axis| sum[axis] / sum[3]));
    let expected = 8.0 * 16.0 * 12.0 * 4.0 / 3.0 * std::f64::consts::PI / 8.0;
    for (side, sign) in [(1, -1.0), (2, 1.0)] {
        assert!((middle[side][0] - (47.5 + sign * 14.0)).abs() < 0.5, "{middle:?}");
        assert!((sums[side][3] / expected - 1.0).abs() < 0.25, "{sums:?} {expected}");
    }
}

#[test]
fn a_mirrored_head_has_its_sides_exchanged() {
    let head = made_up();
    let straight = draw(&head, &plain(), &mut rng(2));
    let mut config = plain();
    config.space.mirror_probability = 1.0;
    let mirrored = draw(&head, &config, &mut rng(2));
    let nx = straight.shape[0];
    let (mut same, mut count) = (0, 0);
    let rows = straight.tissue.chunks_exact(nx).zip(mirrored.tissue.chunks_exact(nx));
    let sides = straight.side.chunks_exact(nx).zip(mirrored.side.chunks_exact(nx));
    for ((tissue, other_tissue), (side, other_side)) in rows.zip(sides) {
        for x in (0..nx).filter(|&x| side[x] != 0) {
            let other = nx - 1 - x;
            count += 1;
            same +=
                usize::from(tissue[x] == other_tissue[other] && 3 - side[x] == other_side[other]);
        }
    }
    assert!(same as f64 > 0.95 * f64::from(count), "{same} of {count}");
}

#[test]
fn values_are_in_range_and_hidden_voxels_look_alike() {
    let head = made_up();
    let mut config = SynthesisConfig { shape: [64, 80, 64], ..SynthesisConfig::default() };
    config.mask.fault_probability = 0.5;
    config.mask.cut_probability = 0.6;
    for seed in 0..10 {
        let example = draw(&head, &config, &mut rng(seed));
        let voxels = 64 * 80 * 64;
        let lengths = [example.image.len(), example.tissue.len(), example.side.len()];
        assert_eq!(lengths, [voxels; 3]);
        assert!(example.image.iter().all(|value| value.is_finite() && value.abs() <= LIMIT));
        let mut hidden = None;
        for index in 0..voxels {
            let (tissue, side) = (example.tissue[index], example.side[index]);
            assert!(usize::from(tissue) < Tissue::COUNT || tissue == IGNORED);
            assert!(side <= 2);
            if tissue == IGNORED {
                assert_eq!(side, 0);
                assert_eq!(*hidden.get_or_insert(example.image[index]), example.image[index]);
            }
        }
    }
}

#[test]
fn any_orientation_and_voxel_size_gives_the_same_head() {
    let labels = made_up_labels(1.0);
    let head = made_up();
    let lpi = Orientation::all().find(|orientation| orientation.codes() == "PIR").unwrap();
    let turned = Head::from_labels(&lpi.from_ras(&labels)).unwrap();
    assert_eq!((turned.shape(), turned.codes()), (head.shape(), head.codes()));
    let coarse = Head::from_labels(&made_up_labels(1.5)).unwrap();
    for axis in 0..3 {
        assert!(coarse.shape()[axis].abs_diff(head.shape()[axis]) <= 3);
        assert!((coarse.centre()[axis] - head.centre()[axis]).abs() <= 2.5);
    }
}

#[test]
fn other_numbers_and_half_brains_are_refused() {
    let unknown = made_up_labels(2.0).map(|&number| if number == 12 { 999 } else { number });
    let error = Head::from_labels(&unknown).unwrap_err();
    assert!(matches!(error, AnatomyError::UnknownLabels { .. }), "{error}");
    let no_cortex =
        made_up_labels(2.0).map(|&number| if matches!(number, 3 | 42) { 0 } else { number });
    let error = Head::from_labels(&no_cortex).unwrap_err();
    assert!(error.to_string().contains(Tissue::Cortex.name()), "{error}");
    let error = Head::read(Path::new("none.nii.gz")).unwrap_err();
    assert!(error.to_string().contains("none.nii.gz"), "{error}");
}

#[test]
fn the_image_lies_where_the_truth_does() {
    let head = made_up();
    let mut config = plain();
    config.contrast.weights = [1.0, 0.0, 0.0, 0.0, 0.0];
    config.contrast.spread = [0.0; 2];
    config.contrast.gamma = [1.0; 2];
    config.objects = ObjectConfig {
        void_probability: 0.0,
        vein_probability: 0.0,
        lesion_probability: 0.0,
        haemorrhage_probability: 0.0,
        ..config.objects
    };
    config.acquisition.bias = [0.0; 2];
    config.acquisition.noise = [0.0; 2];
    let mut variances = [0.0; 7];
    for seed in 0..4 {
        let example = draw(&head, &config, &mut rng(seed));
        let steps = [1, example.shape[0], example.shape[0] * example.shape[1]];
        let shifts = [0, steps[0], steps[1], steps[2]];
        for (n, variance) in variances.iter_mut().enumerate() {
            // No shift, then by a voxel of 2 mm back and forth along each axis.
            let (image_shift, truth_shift) =
                if n % 2 == 1 { (shifts[n / 2 + 1], 0) } else { (0, shifts[n / 2]) };
            let mut moments = [[0.0_f64; 3]; Tissue::COUNT];
            let pairs = example.image[image_shift..].iter().zip(&example.tissue[truth_shift..]);
            for (&value, &tissue) in pairs {
                let value = f64::from(value);
                let sums = &mut moments[usize::from(tissue)];
                [1.0, value, value * value].into_iter().zip(sums).for_each(|(x, sum)| *sum += x);
            }
            *variance += moments[1..]
                .iter()
                .map(|[count, sum, squares]| squares - sum * sum / count)
                .sum::<f64>();
        }
    }
    assert!(variances[1..].iter().all(|&shifted| shifted > 1.1 * variances[0]), "{variances:?}");
}

/// The label maps of real heads, where they are: beside the repository, or in the folder `DEEPMIR_HEADS`.
fn real_heads() -> Vec<std::path::PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/anatomy");
    let folder = std::env::var_os("DEEPMIR_HEADS").map_or_else(beside, Into::into);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".nii.gz"));
    files.sort();
    files
}

#[test]
fn every_tissue_of_a_whole_head_is_in_an_example() {
    // A head made up is taken where there is no real one.
    let heads = real_heads();
    let head = heads.first().map_or_else(made_up, |path| Head::read(path).unwrap());
    let example = draw(&head, &plain(), &mut rng(3));
    for tissue in Tissue::ALL {
        for side in [Side::Left, Side::Right] {
            let number = if tissue.has_sides() { 1 + side as u8 } else { 0 };
            let found = example.tissue.iter().zip(&example.side);
            let count = found.filter(|&pair| pair == (&(tissue as u8), &number)).count();
            assert!(count > 50, "{tissue:?} {side:?}: {count}");
        }
    }
}

/// Writes examples as raw numbers to look at: `DEEPMIR_EXAMPLES` names a folder, which may hold a `synthesis.toml`.
#[test]
#[ignore = "for looking at examples"]
fn write_examples() {
    let folder = std::path::PathBuf::from(std::env::var_os("DEEPMIR_EXAMPLES").unwrap());
    let files = real_heads();
    let heads: Vec<Head> = files.iter().map(|path| Head::read(path).unwrap()).collect();
    let text = std::fs::read_to_string(folder.join("synthesis.toml")).unwrap_or_default();
    let config: SynthesisConfig = toml::from_str(&text).unwrap();
    config.validate().unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let mut lines = String::new();
    for seed in 0..16 {
        let started = std::time::Instant::now();
        let head = &heads[seed as usize % heads.len()];
        let example = pool.install(|| draw(head, &config, &mut rng(seed)));
        lines += &format!("{seed} {:?} {:.3} s\n", example.shape, started.elapsed().as_secs_f64());
        let bytes: Vec<u8> = example.image.iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(folder.join(format!("{seed}.image")), bytes).unwrap();
        std::fs::write(folder.join(format!("{seed}.tissue")), &example.tissue).unwrap();
        std::fs::write(folder.join(format!("{seed}.side")), &example.side).unwrap();
    }
    std::fs::write(folder.join("times.txt"), lines).unwrap();
}
