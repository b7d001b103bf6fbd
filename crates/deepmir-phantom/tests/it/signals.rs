//! Signals of objects that have closed forms.

use deepmir_phantom::physics::gradient_echo::{FineTissue, echoes, spoiled_steady_state};
use deepmir_phantom::physics::receive::Receiver;
use deepmir_phantom::physics::spin_echo::spin_echo;
use deepmir_phantom::random::Purpose;
use deepmir_recon::GYROMAGNETIC_RATIO_HZ_PER_T;
use deepmir_volume::{Affine, Grid};

#[test]
fn echoes_decay_and_turn_as_the_formula_says() {
    let shape = [12, 10, 8];
    let count = 960;
    let (amplitude, r2star, field) = (0.7_f32, 35.0_f32, 0.13_f32);
    for times in [vec![0.006, 0.012, 0.018, 0.024], vec![0.002, 0.0065, 0.017, 0.04]] {
        let images = echoes(
            FineTissue {
                shape,
                amplitude: &vec![amplitude; count],
                r2star_hz: &vec![r2star; count],
                field_ppm: &vec![field; count],
            },
            [6, 5, 4],
            3.0,
            &times,
        );
        for (image, time) in images.iter().zip(times) {
            let decay = f64::from(amplitude) * (-time * f64::from(r2star)).exp();
            let turns = GYROMAGNETIC_RATIO_HZ_PER_T * 3.0 * f64::from(field) * 1e-6 * time;
            let angle = std::f64::consts::TAU * turns;
            for value in image {
                assert!((f64::from(value.re) - decay * angle.cos()).abs() < 2e-5);
                assert!((f64::from(value.im) - decay * angle.sin()).abs() < 2e-5);
            }
        }
    }
}

#[test]
fn a_field_gradient_inside_voxels_dephases_them() {
    // Along x the field rises by g ppm a fine voxel: with N fine voxels a voxel, the signal falls
    // to sinc of the phase spread, whatever the resolution below.
    let (n, coarse) = (64, 16);
    let gradient = 0.02;
    let time = 0.02;
    let field: Vec<f32> = (0..n).map(|i| gradient * (i as f32 - 31.5)).collect();
    let images = echoes(
        FineTissue {
            shape: [n, 2, 2],
            amplitude: &vec![1.0; 4 * n],
            r2star_hz: &vec![0.0; 4 * n],
            field_ppm: &field.repeat(4),
        },
        [coarse, 2, 2],
        3.0,
        &[time],
    );
    let turns = GYROMAGNETIC_RATIO_HZ_PER_T * 3.0 * 1e-6 * time * f64::from(gradient);
    // The spatial frequency of the dephased signal, against the highest one that is kept.
    let kept = coarse as f64 / n as f64 / 2.0;
    assert!(turns < kept);
    let middle = images[0][coarse / 2].norm();
    assert!((middle - 1.0).abs() < 0.12, "within the kept band it is resolved: {middle}");
    let strong: Vec<f32> = field.iter().map(|value| 12.0 * value).collect();
    let images = echoes(
        FineTissue {
            shape: [n, 2, 2],
            amplitude: &vec![1.0; 4 * n],
            r2star_hz: &vec![0.0; 4 * n],
            field_ppm: &strong.repeat(4),
        },
        [coarse, 2, 2],
        3.0,
        &[time],
    );
    assert!(images[0][coarse / 2].norm() < 0.2, "beyond it the voxel is dark");
}

#[test]
fn steady_states_have_their_limits() {
    // At 90° the formula is saturation recovery; for long TR it is the sine of the angle.
    let recovery = 1.0 - (-0.5_f64 / 1.2).exp();
    assert!((spoiled_steady_state(90.0, 0.5, 1.2) - recovery).abs() < 1e-12);
    let sine = 30.0_f64.to_radians().sin();
    assert!((spoiled_steady_state(30.0, 50.0, 1.0) - sine).abs() < 1e-12);
    let echo = spin_echo(3.0, 0.1, 1.0, 10.0);
    assert!((echo - (1.0 - (-3.0_f64).exp()) * (-1.0_f64).exp()).abs() < 1e-12);
}

#[test]
fn noise_is_as_strong_as_asked_and_the_same_for_any_number_of_threads() {
    let grid = Grid::new([64, 50, 20], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
    let receiver = Receiver { noise: 0.25, ..Receiver::default() };
    let draw = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut image = vec![num_complex(0.0, 0.0); grid.len()];
        pool.install(|| receiver.receive(&mut image, &grid, 5, Purpose::Noise, 2));
        image
    };
    let image = draw(1);
    assert_eq!(image, draw(3));
    let deviation = |part: fn(&deepmir_recon::fourier::Complex32) -> f32| {
        let square: f64 = image.iter().map(|value| f64::from(part(value)).powi(2)).sum();
        (square / image.len() as f64).sqrt()
    };
    // 64 000 draws: the standard error of a standard deviation is 0.3 %.
    assert!((deviation(|value| value.re) / 0.25 - 1.0).abs() < 0.01);
    assert!((deviation(|value| value.im) / 0.25 - 1.0).abs() < 0.01);
}

fn num_complex(re: f32, im: f32) -> deepmir_recon::fourier::Complex32 {
    deepmir_recon::fourier::Complex32::new(re, im)
}
