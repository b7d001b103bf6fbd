//! Each augmentation by itself.

use deepmir_cases::Modality;
use rand::RngExt;

use super::*;

#[test]
fn a_cut_puts_the_chosen_place_where_it_was_asked() {
    let config = AugmentConfig {
        rotation_degrees: 90.0,
        scale: 0.3,
        flip_left_right: true,
        ..AugmentConfig::NONE
    };
    for step in 0..20 {
        let cut = Cut::random([0.0; 2], &config, &mut generator(1, step, 0));
        let cut = cut.centred_so_that([40.5, 70.0], 10.0, 50.0, [64, 64]);
        let at = cut.source(10, 50, [64, 64]);
        assert!((at[0] - 40.5).abs() < 1e-9 && (at[1] - 70.0).abs() < 1e-9);
    }
}

#[test]
fn generators_differ_by_seed_step_and_position_and_repeat() {
    let draw = |seed, step, position| generator(seed, step, position).random::<u64>();
    assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
    let all = [draw(1, 2, 3), draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4)];
    assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), 4);
}

#[test]
fn an_absent_side_is_zero_and_never_in_swi() {
    let config = AugmentConfig { absent_chance: 1.0, ..AugmentConfig::NONE };
    for step in 0..20 {
        let mut slices = vec![1.0; 2 * 32 * 32];
        absent_side(&mut slices, [32, 32], Modality::Swi, &config, &mut generator(0, step, 0));
        assert!(slices.iter().all(|&value| value == 1.0));
        absent_side(&mut slices, [32, 32], Modality::Qsm, &config, &mut generator(0, step, 0));
        let blank = slices.iter().filter(|&&value| value == 0.0).count() as f64 / 2048.0;
        assert!((0.05..0.95).contains(&blank), "{blank}");
        assert_eq!(slices[..1024], slices[1024..], "the same in every slice");
    }
}

#[test]
fn intensities_change_the_brain_and_never_the_background() {
    let config = AugmentConfig {
        noise: 0.2,
        contrast: 0.2,
        bias: 0.3,
        blur_chance: 1.0,
        ..AugmentConfig::NONE
    };
    let original: Vec<f32> = (0..64).map(|n| if n % 8 < 3 { 0.0 } else { 1.0 }).collect();
    let mut changed = original.clone();
    intensities(&mut changed, [8, 8], Modality::Swi, &config, &mut generator(0, 0, 0));
    for (before, after) in original.iter().zip(&changed) {
        assert_eq!(*before == 0.0, *after == 0.0);
    }
    assert_ne!(original, changed);
    let mut same = original.clone();
    intensities(&mut same, [8, 8], Modality::Swi, &AugmentConfig::NONE, &mut generator(0, 0, 0));
    assert_eq!(original, same);
}

#[test]
fn the_middle_slice_is_never_missing() {
    let config = AugmentConfig { missing_slice_chance: 1.0, ..AugmentConfig::NONE };
    let mut seen = [false; 5];
    for step in 0..60 {
        seen[missing_slice(5, &config, &mut generator(0, step, 0)).unwrap()] = true;
    }
    assert_eq!(seen, [true, true, false, true, true]);
}
