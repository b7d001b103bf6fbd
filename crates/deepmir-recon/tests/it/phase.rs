use std::f32::consts::TAU;

use deepmir_recon::GradientEchoScan;
use deepmir_recon::phase::{
    EdgeWeights, FieldFit, OffsetConfig, Readout, fit_field, leave_out_late_echoes, refine_field,
    remove_phase_offset, unwrap_in_time, unwrap_laplacian, unwrap_romeo, wrapped,
};
use deepmir_recon::r2star::{R2StarFit, fit_r2_star};
use deepmir_volume::{Mask, Volume};

use crate::common::{Signal, ball, grid, no_offset};

/// A field whose phase turns several times over the mask.
fn steep_field(mask: &Mask) -> Volume<f32> {
    let grid = *mask.grid();
    Volume::from_fn(grid, |voxel| {
        let [x, y, z] = grid.position_mm(voxel);
        (0.03 * x + 0.0015 * y * y - 0.02 * z + 0.1 * (0.3 * x).sin()) as f32
    })
}

fn signal<'a>(
    field_ppm: &'a Volume<f32>,
    magnitude: &'a Volume<f32>,
    times: &'a [f64],
) -> Signal<'a> {
    Signal {
        field_ppm,
        magnitude,
        echo_times_s: times,
        noise: 0.02,
        offset_rad: no_offset,
        even_offset_rad: no_offset,
    }
}

#[test]
fn unwrapping_adds_whole_turns_that_the_truth_has() {
    let mask = ball(&grid([44, 40, 31], [1.0, 1.0, 1.5]), [0.0; 3], 18.0);
    let field = steep_field(&mask);
    let magnitude = mask.map(|&inside| if inside { 1.0 } else { 0.05 });
    let times = [0.005, 0.011, 0.017, 0.030];
    let scan = signal(&field, &magnitude, &times).scan();
    let echoes = scan.echoes();
    let mut first = echoes[0].phase_rad.clone();
    unwrap_romeo(&mut first, &EdgeWeights::of_echoes(echoes), &mask);
    let unwrapped = unwrap_in_time(echoes, first, &mask);
    let per_ppm = scan.radians_per_ppm_second() as f32;
    for (echo, phase) in echoes.iter().zip(&unwrapped) {
        let time = echo.echo_time_s as f32;
        let mut spread = 0.0_f32;
        for index in (0..mask.data().len()).filter(|&index| mask.data()[index]) {
            let turns = (phase.data()[index] - echo.phase_rad.data()[index]) / TAU;
            assert!((turns - turns.round()).abs() < 1e-3);
            spread = spread.max((phase.data()[index] - field.data()[index] * per_ppm * time).abs());
        }
        // Noise of 0.02 (and decay) never makes three radians: no voxel is a turn off.
        assert!(spread < 1.0, "{spread} rad at {time} s");
    }
    let fit = fit_field(echoes, &unwrapped, &mask, scan.radians_per_ppm_second());
    let error = deepmir_recon::accuracy::map_error(&fit.field_ppm, &field, &mask).unwrap();
    assert!(error.nrmse_percent < 1.0, "{error:?}");
    let residuals = fit.residual_rad.data().iter().zip(mask.data()).filter(|(_, m)| **m);
    assert!(residuals.map(|(&r, _)| r).fold(0.0, f32::max) < 0.25);
}

/// Offset removal, unwrapping and the line.
fn fitted(scan: &mut GradientEchoScan, mask: &Mask, config: &OffsetConfig) -> FieldFit {
    remove_phase_offset(scan, mask, config);
    let echoes = scan.echoes();
    let mut first = echoes[0].phase_rad.clone();
    unwrap_romeo(&mut first, &EdgeWeights::of_echoes(echoes), mask);
    let unwrapped = unwrap_in_time(echoes, first, mask);
    fit_field(echoes, &unwrapped, mask, scan.radians_per_ppm_second())
}

#[test]
fn offsets_go_whichever_way_the_readout_runs() {
    let mask = ball(&grid([44, 40, 31], [1.0, 1.0, 1.5]), [0.0; 3], 18.0);
    let field = steep_field(&mask).map(|value| 0.5 * value);
    let magnitude = mask.map(|&inside| if inside { 1.0 } else { 0.0 });
    let times = [0.004, 0.009, 0.014, 0.019];
    for readout in [Readout::Monopolar, Readout::Bipolar] {
        let mut signal = signal(&field, &magnitude, &times);
        signal.offset_rad = |at| 1.0 + 0.03 * at[0] + 0.001 * at[2] * at[2];
        if readout == Readout::Bipolar {
            signal.even_offset_rad = |at| 0.3 + 0.04 * at[1];
        }
        let mut scan = signal.scan();
        let config = OffsetConfig { readout, smoothing_sigma_mm: 3.0 };
        let fit = fitted(&mut scan, &mask, &config);
        let error = deepmir_recon::accuracy::map_error(&fit.field_ppm, &field, &mask).unwrap();
        assert!(error.nrmse_percent < 4.0, "{readout:?}: {error:?}");
    }
}

/// The field lies 0.45 ppm off the scanner's frequency, at some of these times by more than half a
/// turn. If the echoes do not agree on the turns, the residual shows it.
#[test]
fn uneven_echoes_and_a_field_off_the_frequency_agree() {
    let mask = ball(&grid([44, 40, 31], [1.0, 1.0, 1.5]), [0.0; 3], 18.0);
    let field = steep_field(&mask).map(|value| 0.45 + 0.3 * value);
    let magnitude = mask.map(|&inside| if inside { 1.0 } else { 0.0 });
    let bipolar = |at: [f64; 3]| 0.3 + 0.04 * at[1];
    let scans: [(&[f64], Readout); 7] = [
        (&[0.010, 0.014, 0.018, 0.022], Readout::Monopolar),
        (&[0.004, 0.014, 0.018, 0.025], Readout::Monopolar),
        (&[0.005, 0.009, 0.019], Readout::Monopolar),
        (&[0.0031, 0.0085, 0.0187, 0.0246, 0.0391], Readout::Monopolar),
        (&[0.004, 0.009, 0.014, 0.019], Readout::Bipolar),
        (&[0.004, 0.0085, 0.014, 0.019], Readout::Bipolar),
        (&[0.003, 0.006, 0.0105, 0.0125, 0.017], Readout::Bipolar),
    ];
    for (times, readout) in scans {
        let mut signal = signal(&field, &magnitude, times);
        signal.offset_rad = |at| 1.0 + 0.03 * at[0] + 0.001 * at[2] * at[2];
        if readout == Readout::Bipolar {
            signal.even_offset_rad = bipolar;
        }
        let config = OffsetConfig { readout, smoothing_sigma_mm: 3.0 };
        let fit = fitted(&mut signal.scan(), &mask, &config);
        let error = deepmir_recon::accuracy::map_error(&fit.field_ppm, &field, &mask).unwrap();
        assert!(error.nrmse_percent < 6.0, "{times:?}, {readout:?}: {error:?}");
        let left = fit.residual_rad.data().iter().zip(mask.data()).filter(|(_, inside)| **inside);
        let mut left: Vec<f32> = left.map(|(&residual, _)| residual).collect();
        let median = deepmir_volume::statistics::median(&mut left).unwrap();
        assert!(median < 0.05, "{times:?}, {readout:?}: {median} rad");
    }
}

/// Weak signals: the noise of a late echo is as large as its signal.
#[test]
fn complex_signals_give_the_field_where_late_echoes_are_noise() {
    let mask = ball(&grid([40, 40, 20], [1.0; 3]), [0.0; 3], 9.5);
    let field = steep_field(&mask).map(|value| 0.5 * value);
    let magnitude = Volume::filled(*mask.grid(), 0.1);
    let times = [0.006, 0.012, 0.018, 0.024, 0.050, 0.080];
    let scan = signal(&field, &magnitude, &times).scan();
    let (echoes, per_ppm) = (scan.echoes(), scan.radians_per_ppm_second());
    let mut first = echoes[0].phase_rad.clone();
    unwrap_romeo(&mut first, &EdgeWeights::of_echoes(echoes), &mask);
    let unwrapped = unwrap_in_time(echoes, first, &mask);
    let line = fit_field(echoes, &unwrapped, &mask, per_ppm);
    let mut complex = line.clone();
    refine_field(&mut complex, echoes, &mask, per_ppm);
    assert_eq!(complex.precision, line.precision);
    let error = |fit: &FieldFit| {
        deepmir_recon::accuracy::map_error(&fit.field_ppm, &field, &mask).unwrap().nrmse_percent
    };
    assert!(error(&complex) < error(&line), "{} and {}", error(&complex), error(&line));
}

/// Turning an echo by whole turns is no change of its signal.
#[test]
fn a_wrong_turn_of_an_echo_does_not_matter_to_complex_signals() {
    let mask = ball(&grid([24, 24, 12], [1.0; 3]), [0.0; 3], 9.0);
    let field = steep_field(&mask).map(|value| 0.5 * value);
    let magnitude = Volume::filled(*mask.grid(), 1.0);
    let times = [0.006, 0.012, 0.018, 0.024];
    let scan = signal(&field, &magnitude, &times).scan();
    let (echoes, per_ppm) = (scan.echoes(), scan.radians_per_ppm_second());
    let mut first = echoes[0].phase_rad.clone();
    unwrap_romeo(&mut first, &EdgeWeights::of_echoes(echoes), &mask);
    let mut unwrapped = unwrap_in_time(echoes, first, &mask);
    let error = |fit: &FieldFit| {
        deepmir_recon::accuracy::map_error(&fit.field_ppm, &field, &mask).unwrap().nrmse_percent
    };
    let right = error(&fit_field(echoes, &unwrapped, &mask, per_ppm));
    let turned = unwrapped[1].data_mut().iter_mut().enumerate();
    turned.filter(|(voxel, _)| voxel % 3 == 0).for_each(|(_, phase)| *phase += TAU);
    let mut fit = fit_field(echoes, &unwrapped, &mask, per_ppm);
    let wrong = error(&fit);
    refine_field(&mut fit, echoes, &mask, per_ppm);
    assert!(wrong > 3.0 * right && error(&fit) < 1.1 * right, "{right}, {wrong}, {}", error(&fit));
}

/// Late echoes that lie two radians beside the line of the early ones.
#[test]
fn early_echoes_give_the_field_that_late_ones_have_left() {
    let mask = ball(&grid([16, 16, 8], [1.0; 3]), [0.0; 3], 6.0);
    let field = steep_field(&mask).map(|value| 0.3 * value);
    let magnitude = Volume::filled(*mask.grid(), 1.0);
    let mut quiet = signal(&field, &magnitude, &[0.004, 0.008, 0.012, 0.016]);
    quiet.noise = 0.001;
    let scan = quiet.scan();
    let (echoes, per_ppm) = (scan.echoes(), scan.radians_per_ppm_second());
    let phases = |late: f32| -> Vec<Volume<f32>> {
        let of = |echo: &deepmir_recon::Echo| {
            let rate = (per_ppm * echo.echo_time_s) as f32;
            let bend = if echo.echo_time_s > 0.01 { late } else { 0.0 };
            field.map(|&ppm| ppm * rate + bend)
        };
        echoes.iter().map(of).collect()
    };
    let error = |fit: &FieldFit| {
        deepmir_recon::accuracy::map_error(&fit.field_ppm, &field, &mask).unwrap().nrmse_percent
    };
    let straight = fit_field(echoes, &phases(0.0), &mask, per_ppm);
    let mut same = straight.clone();
    leave_out_late_echoes(&mut same, echoes, &phases(0.0), &mask, per_ppm, 0.2);
    assert_eq!(same.field_ppm, straight.field_ppm);
    // Bent in every other voxel, so that it is no constant.
    let mut bent = phases(2.0);
    for (bent, straight) in bent.iter_mut().zip(phases(0.0)) {
        let values = bent.data_mut().iter_mut().zip(straight.data()).step_by(2);
        values.for_each(|(bent, &straight)| *bent = straight);
    }
    let mut fit = fit_field(echoes, &bent, &mask, per_ppm);
    let line = error(&fit);
    leave_out_late_echoes(&mut fit, echoes, &bent, &mask, per_ppm, 0.2);
    assert!(line > 20.0 && error(&fit) < 0.1, "{line} and {}", error(&fit));
    let left = fit.residual_rad.data().iter().zip(mask.data()).filter(|(_, inside)| **inside);
    assert!(left.map(|(&left, _)| left).fold(0.0, f32::max) <= 0.2);
    assert!(fit.precision.data().iter().zip(straight.precision.data()).all(|(a, b)| a <= b));
}

#[test]
fn one_echo_is_its_own_complex_fit() {
    let mask = ball(&grid([24, 24, 12], [1.0; 3]), [0.0; 3], 9.0);
    let field = steep_field(&mask).map(|value| 0.2 * value);
    let magnitude = Volume::filled(*mask.grid(), 1.0);
    let mut scan = signal(&field, &magnitude, &[0.02]).scan();
    let phase = scan.echoes()[0].phase_rad.clone();
    let line = fitted(&mut scan, &mask, &OffsetConfig::default());
    // One echo says nothing about an offset.
    assert_eq!(scan.echoes()[0].phase_rad, phase);
    let mut complex = line.clone();
    refine_field(&mut complex, scan.echoes(), &mask, scan.radians_per_ppm_second());
    assert_eq!(complex.field_ppm, line.field_ppm);
    assert!(complex.residual_rad.data().iter().all(|&left| left < 1e-5));
    let error = deepmir_recon::accuracy::map_error(&line.field_ppm, &field, &mask).unwrap();
    assert!(error.nrmse_percent < 5.0, "{error:?}");
}

#[test]
fn least_squares_unwrapping_keeps_the_shape_without_a_jump() {
    let mask = ball(&grid([44, 40, 31], [1.0, 1.0, 1.5]), [0.0; 3], 18.0);
    let truth = steep_field(&mask).map(|value| 8.0 * value);
    let unwrapped = unwrap_laplacian(&truth.map(|&value| wrapped(value)), &mask);
    let error = deepmir_recon::accuracy::map_error(&unwrapped, &truth, &mask).unwrap();
    assert!(error.correlation > 0.9, "{error:?}");
    let [nx, ny, _] = mask.shape();
    for (index, stride) in (0..mask.data().len() - nx * ny).flat_map(|n| [(n, 1), (n, nx)]) {
        if mask.data()[index] && mask.data()[index + stride] {
            assert!((unwrapped.data()[index + stride] - unwrapped.data()[index]).abs() < 3.0);
        }
    }
}

#[test]
fn decay_rates_are_found_in_the_mask() {
    let mask = ball(&grid([20, 20, 9], [1.0, 1.0, 2.0]), [0.0; 3], 8.0);
    let magnitude = mask.map(|_| 1.0);
    let field = Volume::filled(*mask.grid(), 0.0);
    let mut quiet = signal(&field, &magnitude, &[0.004, 0.009, 0.014, 0.019, 0.024]);
    quiet.noise = 0.001;
    let scan = quiet.scan();
    for fit in [R2StarFit::Arlo, R2StarFit::LogLinear] {
        let rate = fit_r2_star(scan.echoes(), &mask, fit).unwrap();
        for (&rate, &inside) in rate.data().iter().zip(mask.data()) {
            assert!(if inside { (rate - 20.0).abs() < 1.0 } else { rate == 0.0 }, "{rate}");
        }
    }
    assert!(fit_r2_star(&scan.echoes()[..1], &mask, R2StarFit::Arlo).is_none());
}
