use deepmir_recon::dipole::{dipole_kernel, field_of};
use deepmir_recon::fourier::Fourier;
use deepmir_recon::inversion::{Inversion, InversionInput, invert, reference_to_median};
use deepmir_volume::{Mask, Volume};

use crate::common::{Sphere, ball, distance, field_of as closed_form, grid};

/// Oblique.
const B0: [f64; 3] = [0.36, -0.48, 0.8];

fn sphere() -> Sphere {
    Sphere { centre_mm: [2.0, -1.0, 1.0], radius_mm: 6.0, chi_ppm: 0.5 }
}

#[test]
fn the_field_of_a_ball_is_the_closed_form() {
    let grid = grid([64, 60, 54], [1.0; 3]);
    let sphere = sphere();
    // How much of each voxel lies in the ball, over 64 points.
    let chi = Volume::from_fn(grid, |voxel| {
        let centre = grid.position_mm(voxel);
        let inside = (0..64).filter(|n| {
            let place = |digit: usize| (digit % 4) as f64 / 4.0 - 0.375;
            let offset = [place(*n), place(n / 4), place(n / 16)];
            let at = std::array::from_fn(|axis| centre[axis] + offset[axis]);
            distance(at, sphere.centre_mm) <= sphere.radius_mm
        });
        (sphere.chi_ppm * inside.count() as f64 / 64.0) as f32
    });
    let mut fourier = Fourier::new(grid.shape());
    let kernel = dipole_kernel(&fourier, grid.voxel_sizes_mm(), B0);
    let mut field = vec![0.0; grid.len()];
    field_of(&mut fourier, &kernel, chi.data(), &mut field);
    let want = closed_form(&grid, &[sphere], B0);
    // Away from the surface, whose voxels are cut, and from the edges, where the ball repeats.
    for (index, (&got, &want)) in field.iter().zip(want.data()).enumerate() {
        let r = distance(grid.position_mm(grid.voxel(index)), sphere.centre_mm);
        if (r - 6.0).abs() > 2.0 && r < 16.0 {
            assert!((got - want).abs() < 0.025, "{got} for {want} at {r} mm");
        }
    }
}

fn inverted(method: &Inversion) -> (Volume<f32>, Mask) {
    let grid = grid([48, 46, 44], [1.0; 3]);
    let mask = ball(&grid, [0.0; 3], 20.0);
    let field = closed_form(&grid, &[sphere()], B0);
    let weights = mask.map(|&inside| f32::from(inside));
    let input = InversionInput {
        local_field_ppm: &field,
        mask: &mask,
        weights: &weights,
        magnitude: &weights,
        b0_direction: B0,
    };
    let mut chi = invert(&input, method).unwrap();
    reference_to_median(&mut chi, &mask);
    (chi, mask)
}

fn mean_where(chi: &Volume<f32>, inside: impl Fn(usize) -> bool) -> f64 {
    let values: Vec<f64> =
        (0..chi.data().len()).filter(|&n| inside(n)).map(|n| f64::from(chi.data()[n])).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn inversions_give_the_ball_its_susceptibility_back() {
    for (method, least, stray) in [
        (Inversion::TOTAL_VARIATION, 0.43, 0.02),
        (Inversion::THRESHOLDED_KERNEL, 0.35, 0.05),
        (Inversion::CLOSED_FORM_L2, 0.30, 0.05),
    ] {
        let (chi, mask) = inverted(&method);
        let core = ball(chi.grid(), sphere().centre_mm, 4.5);
        let around = ball(chi.grid(), sphere().centre_mm, 8.0);
        let inside = mean_where(&chi, |n| core.data()[n]);
        assert!((least..0.58).contains(&inside), "{inside} by {method:?}");
        let rest: Vec<f64> = (0..chi.data().len())
            .filter(|&n| mask.data()[n] && !around.data()[n])
            .map(|n| f64::from(chi.data()[n]).powi(2))
            .collect();
        let deviation = (rest.iter().sum::<f64>() / rest.len() as f64).sqrt();
        assert!(deviation < stray, "streaks of {deviation} by {method:?}");
    }
}

#[test]
fn impossible_settings_are_refused() {
    let grid = grid([6, 6, 6], [1.0; 3]);
    let (zero, mask) = (Volume::filled(grid, 0.0), Volume::filled(grid, true));
    let input = InversionInput {
        local_field_ppm: &zero,
        mask: &mask,
        weights: &zero,
        magnitude: &zero,
        b0_direction: [0.0, 0.0, 1.0],
    };
    let message = invert(&input, &Inversion::ThresholdedKernel { threshold: 0.0 }).unwrap_err();
    assert!(message.to_string().contains("threshold is 0"));
    assert!(invert(&input, &Inversion::ClosedFormL2 { regularisation: f32::NAN }).is_err());
}
