//! Fields of bodies that have closed forms.

use deepmir_phantom::physics::average::average;
use deepmir_phantom::physics::dipole::dipole_field;
use deepmir_phantom::physics::field::field_with_surroundings;
use deepmir_recon::dipole::DipoleResponse;
use deepmir_recon::fourier::Fourier;
use deepmir_volume::{Affine, Grid, Volume, nifti};

/// A grid around the origin.
fn grid(shape: [usize; 3], spacing: [f64; 3]) -> Grid {
    let origin: [f64; 3] = std::array::from_fn(|axis| -spacing[axis] * (shape[axis] / 2) as f64);
    Grid::new(shape, Affine::from_spacing(spacing, origin)).unwrap()
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    let length = dot(v, v).sqrt();
    v.map(|part| part / length)
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The part of every voxel that is `inside`, from 5³ samples.
fn filled(grid: &Grid, inside: impl Fn([f64; 3]) -> bool) -> Volume<f32> {
    Volume::from_fn(*grid, |voxel| {
        let count = (0..125)
            .filter(|n| {
                let steps = [n % 5, n / 5 % 5, n / 25].map(|step| (f64::from(step) - 2.0) / 5.0);
                let index = std::array::from_fn(|axis| voxel[axis] as f64 + steps[axis]);
                inside(grid.affine().apply(index))
            })
            .count();
        count as f32 / 125.0
    })
}

/// Largest error, in parts of the largest value of the closed form outside the body, over voxels
/// from `near` to `far` from the axis or centre.
fn worst(field: &Volume<f32>, closed_form: impl Fn([f64; 3]) -> Option<f64>, scale: f64) -> f64 {
    (0..field.data().len())
        .filter_map(|index| {
            let place = field.grid().position_mm(field.grid().voxel(index));
            closed_form(place).map(|truth| (f64::from(field.data()[index]) - truth).abs() / scale)
        })
        .fold(0.0, f64::max)
}

const DIRECTIONS: [[f64; 3]; 4] =
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.3, -0.4, 0.8], [0.6, 0.6, -0.2]];

#[test]
fn a_sphere_has_no_field_inside_and_a_dipole_outside() {
    let radius = 6.0;
    for (spacing, shape) in [([0.5; 3], [128; 3]), ([0.5, 0.75, 1.0], [128, 90, 64])] {
        let grid = grid(shape, spacing);
        let chi = filled(&grid, |p| dot(p, p) < radius * radius);
        for direction in DIRECTIONS {
            let b = unit(direction);
            let field = dipole_field(&chi, b);
            // χ/3·(a/r)³·(3cos²θ − 1); at the surface its range is from −1/3 to 2/3.
            let error = worst(
                &field,
                |p| {
                    let r = dot(p, p).sqrt();
                    let clear = 2.0 * spacing[2];
                    if r < radius - clear {
                        return Some(0.0);
                    }
                    let cosine = dot(p, b) / r;
                    (r > radius + clear && r < 13.0)
                        .then(|| (radius / r).powi(3) * (3.0 * cosine * cosine - 1.0) / 3.0)
                },
                2.0 / 3.0,
            );
            // The box repeats: with 64 mm between spheres the neighbours add up to 0.6 %.
            assert!(error < 0.01, "{spacing:?} {direction:?}: {error:.4}");
        }
    }
}

#[test]
fn an_infinite_cylinder_has_its_closed_form_at_every_angle() {
    let radius = 5.0;
    // The cylinder runs along the first axis through the whole (repeating) box.
    let grid = grid([8, 192, 160], [1.0, 0.5, 0.6]);
    let chi = filled(&grid, |p| p[1] * p[1] + p[2] * p[2] < radius * radius);
    for angle in [0.0_f64, 30.0, 54.7, 75.0, 90.0] {
        let (sine, cosine) = angle.to_radians().sin_cos();
        let b = [cosine, sine, 0.0];
        let field = dipole_field(&chi, b);
        // Inside χ/6·(3cos²θ − 1), outside χ/2·sin²θ·(a/r)²·cos2φ. The mean over the box is taken
        // away (D(0) = 0), and the neighbouring cylinders add nothing to the mean.
        let mean = mean_of_closed_form(&grid, radius, cosine);
        let error = worst(
            &field,
            |p| {
                let r = p[1].hypot(p[2]);
                if r < radius - 1.2 {
                    return Some((3.0 * cosine * cosine - 1.0) / 6.0 - mean);
                }
                let cos2phi = (p[1] * p[1] - p[2] * p[2]) / (r * r);
                let outside = 0.5 * sine * sine * (radius / r).powi(2) * cos2phi;
                (r > radius + 1.2 && r < 14.0).then_some(outside - mean)
            },
            0.5,
        );
        assert!(error < 0.01, "{angle}°: {error:.4}");
    }
}

fn mean_of_closed_form(grid: &Grid, radius: f64, cosine: f64) -> f64 {
    let [_, ny, nz] = grid.shape();
    let [_, dy, dz] = grid.voxel_sizes_mm();
    let area = ny as f64 * dy * nz as f64 * dz;
    let inside = std::f64::consts::PI * radius * radius / area;
    inside * (3.0 * cosine * cosine - 1.0) / 6.0
}

#[test]
fn what_lies_outside_the_fine_box_acts_as_if_all_were_fine() {
    // A ball in the box, another outside of it; the whole on a large fine grid for comparison.
    let spacing = [1.0, 1.0, 1.0];
    let small = grid([48, 48, 48], spacing);
    // As large as the surroundings are taken to be, so that it repeats likewise.
    let large = grid([96, 96, 96], spacing);
    let bodies = |p: [f64; 3]| {
        let outer = [p[0] - 4.0, p[1] + 3.0, p[2] + 36.0];
        let inner = [p[0] + 3.0, p[1] - 5.0, p[2] - 2.0];
        let near = [p[0] - 38.0, p[1], p[2] - 5.0];
        dot(outer, outer) < 81.0 || dot(inner, inner) < 25.0 || dot(near, near) < 64.0
    };
    let b = unit([0.2, -0.1, 1.0]);
    let whole = dipole_field(&filled(&large, bodies), b);
    let mixed =
        field_with_surroundings(&filled(&small, bodies), |wide| filled(wide, bodies), b).unwrap();
    let offset = [24; 3];
    let (mut sum, mut square, mut count) = (0.0, 0.0, 0.0);
    for index in 0..small.len() {
        let voxel = small.voxel(index);
        // Away from the box's edge, where its margin is.
        if (0..3).any(|axis| voxel[axis] < 8 || voxel[axis] + 8 >= small.shape()[axis]) {
            continue;
        }
        let there = std::array::from_fn(|axis| voxel[axis] + offset[axis]);
        let difference = f64::from(mixed.data()[index] - whole[there]);
        sum += difference;
        square += difference * difference;
        count += 1.0;
    }
    // The means of the two boxes differ; nothing else may.
    let spread = (square / count - (sum / count).powi(2)).sqrt();
    assert!(spread < 2e-3, "{spread}");
}

#[test]
fn susceptibility_times_volume_is_kept_from_fine_to_scan_voxels() {
    let fine = grid([60, 60, 60], [0.5; 3]);
    let radius = 1.4;
    let chi = filled(&fine, |p| {
        let q = [p[0] - 0.3, p[1] + 0.2, p[2] - 0.4];
        dot(q, q) < radius * radius
    });
    let scan = fine.with_spacing([0.75, 0.75, 1.5]).unwrap();
    let coarse = average(&chi, &scan);
    let total = |volume: &Volume<f32>| {
        let sum: f64 = volume.data().iter().map(|&value| f64::from(value)).sum();
        sum * volume.grid().voxel_volume_mm3()
    };
    let truth = 4.0 / 3.0 * std::f64::consts::PI * f64::powi(radius, 3);
    assert!((total(&coarse) / total(&chi) - 1.0).abs() < 1e-5);
    assert!((total(&coarse) / truth - 1.0).abs() < 0.01);
}

#[test]
fn an_independent_simulator_finds_the_same_field() {
    // Made by qsm-forward 0.32; see fixtures/make_fixtures.py.
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let read = |name: &str| nifti::read(&folder.join(name)).unwrap().volume;
    let (chi, expected) = (read("chi.nii.gz"), read("qsm_forward_field.nii.gz"));
    let [nx, ny, nz] = chi.shape();
    let padded_grid = Grid::new([2 * nx, 2 * ny, 2 * nz], *chi.grid().affine()).unwrap();
    let padded =
        Volume::from_fn(
            padded_grid,
            |[i, j, k]| {
                if i < nx && j < ny && k < nz { chi[[i, j, k]] } else { 0.0 }
            },
        );
    let sum: f64 = padded.data().iter().map(|&value| f64::from(value)).sum();
    let third_of_mean = sum / padded.data().len() as f64 / 3.0;
    // That simulator knows points, not voxels.
    let response = DipoleResponse::new(padded_grid.voxel_sizes_mm(), [0.12, -0.25, 0.96]);
    let mut field = padded;
    Fourier::new(field.shape()).filter_with(field.data_mut(), |k| response.of_points(k));
    for index in 0..chi.data().len() {
        let got = f64::from(field[chi.grid().voxel(index)]) + third_of_mean;
        let want = f64::from(expected.data()[index]);
        assert!((got - want).abs() < 2e-5, "{got} {want}");
    }
}
