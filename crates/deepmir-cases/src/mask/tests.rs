use super::*;
use deepmir_volume::{Affine, Grid};

const PATH: &str = "brain.nii.gz";

fn grid() -> Grid {
    Grid::new([40, 40, 20], Affine::from_spacing([3.0, 3.0, 6.0], [-58.5, -58.5, -57.0])).unwrap()
}

/// How deep a voxel lies in a ball of 45 mm, in millimetres; negative outside.
fn depth(voxel: [usize; 3]) -> f32 {
    let place = grid().position_mm(voxel);
    (45.0 - place.iter().map(|x| x * x).sum::<f64>().sqrt()) as f32
}

fn ball() -> Mask {
    Volume::from_fn(grid(), |voxel| depth(voxel) > 0.0)
}

fn of(value: impl Fn([usize; 3]) -> f32) -> Result<BrainMask, String> {
    BrainMask::of(&Volume::from_fn(grid(), value), Path::new(PATH))
        .map_err(|error| error.to_string())
}

fn codes(found: &BrainMask) -> Vec<&str> {
    found.warnings.iter().map(|warning| warning.code.as_str()).collect()
}

fn is_inside(voxel: [usize; 3]) -> bool {
    depth(voxel) > 0.0
}

#[test]
fn a_mask_of_two_values_is_taken_as_it_is() {
    for full in [1.0, 255.0, 100.0, 0.5] {
        let found = of(|voxel| if is_inside(voxel) { full } else { 0.0 }).unwrap();
        assert_eq!(found.brain, ball());
        assert_eq!(codes(&found), Vec::<&str>::new());
    }
}

#[test]
fn a_soft_mask_is_cut_at_one_half_and_said() {
    let soft = |voxel| (0.5 + depth(voxel) / 10.0).clamp(0.0, 1.0);
    let ringing = |voxel| {
        let depth = depth(voxel);
        0.5 + 0.5 * (depth / 3.0).tanh()
            + 0.25 * (depth / 3.0).sin() * (-(depth / 8.0).powi(2)).exp()
    };
    let probability = |voxel| if is_inside(voxel) { 0.97 } else { 0.01 };
    let all: [&dyn Fn([usize; 3]) -> f32; 5] = [
        &soft,
        &|voxel| (100.0 * soft(voxel)).round(),
        &|voxel| 255.0 * soft(voxel),
        &ringing,
        &probability,
    ];
    for (n, value) in all.iter().enumerate() {
        let found = of(value).unwrap();
        let apart = found.brain.data().iter().zip(ball().data()).filter(|(a, b)| a != b).count();
        assert!(apart < 150, "{n}: {apart} voxels");
        assert_eq!(codes(&found), ["mask_values"], "{n}");
        assert!(found.warnings[0].message.contains(PATH));
    }
}

#[test]
fn a_segmentation_is_brain_wherever_it_has_a_label() {
    // As FreeSurfer numbers them: few voxels have the highest.
    let labels = |voxel| match depth(voxel) {
        depth if depth <= 0.0 => 0.0,
        depth if depth < 12.0 => 3.0,
        depth if depth < 25.0 => 2.0,
        depth if depth < 40.0 => 41.0,
        _ => 253.0,
    };
    let found = of(labels).unwrap();
    assert_eq!(found.brain, ball());
    assert_eq!(codes(&found), ["mask_values"]);
    assert!(found.warnings[0].message.contains("4 labels"));
}

#[test]
fn a_signed_distance_is_refused() {
    for sign in [1.0, -1.0] {
        let error = of(|voxel| sign * depth(voxel)).unwrap_err();
        assert!(error.contains("negative values") && error.contains(PATH), "{error}");
    }
}

#[test]
fn an_image_given_as_a_mask_is_refused() {
    let noise = |[i, j, k]: [usize; 3]| ((i * 7919 + j * 104_729 + k * 1_299_709) % 101) as f32;
    for scale in [1.0, 0.01, 7.3] {
        let error =
            of(|voxel| if is_inside(voxel) { scale * noise(voxel) } else { 0.0 }).unwrap_err();
        assert!(error.contains("those of an image"), "{error}");
    }
}

#[test]
fn a_mask_of_no_brains_volume_is_refused_with_its_volume() {
    let wide = Grid::new([60; 3], Affine::from_spacing([3.0; 3], [0.0; 3])).unwrap();
    for (radius, told) in [(0.0..90.0, "mL"), (0.0..9.0, "4 mL")] {
        let values = Volume::from_fn(wide, |voxel| {
            let place = wide.position_mm(voxel).map(|x| (x - 88.5).powi(2));
            f32::from(u8::from(radius.contains(&place.iter().sum::<f64>().sqrt())))
        });
        let error = BrainMask::of(&values, Path::new(PATH)).unwrap_err().to_string();
        assert!(error.contains("measures") && error.contains(told), "{error}");
    }
    assert!(of(|_| 0.0).unwrap_err().contains("empty"));
}

#[test]
fn an_inverted_mask_is_refused() {
    let error = of(|voxel| f32::from(u8::from(!is_inside(voxel)))).unwrap_err();
    assert!(error.contains("inverted"), "{error}");
}

#[test]
fn holes_of_a_mask_are_filled_and_counted() {
    let hole = |voxel: [usize; 3]| matches!(voxel, [20..23, 20..23, 9..11] | [12, 20, 10]);
    let found = of(|voxel| f32::from(u8::from(is_inside(voxel) && !hole(voxel)))).unwrap();
    assert_eq!(found.brain, ball());
    assert_eq!(codes(&found), ["mask_holes"]);
    // 19 voxels of 54 mm³.
    let message = &found.warnings[0].message;
    assert!(message.contains("2 holes (1.03 mL)") && message.contains(PATH), "{message}");
}

#[test]
fn a_hole_in_the_first_slice_of_a_slab_is_filled() {
    let slab = |[i, j, k]: [usize; 3]| is_inside([i, j, k + 8]) && k < 4;
    let hole = |voxel: [usize; 3]| matches!(voxel, [18..21, 18..21, 0..2]);
    let found = of(|voxel| f32::from(u8::from(slab(voxel) && !hole(voxel)))).unwrap();
    assert!(found.brain[[19, 19, 0]] && found.brain[[19, 19, 1]]);
    assert_eq!(codes(&found), ["mask_holes"]);
}

#[test]
fn a_hole_that_opens_to_the_surface_by_a_narrow_mouth_is_filled() {
    let fine = Grid::new([50, 50, 50], Affine::from_spacing([1.0; 3], [-24.5; 3])).unwrap();
    let inside = |voxel| fine.position_mm(voxel).iter().map(|x| x * x).sum::<f64>() < 400.0;
    let hollow = |[i, j, k]: [usize; 3]| {
        (20..29).contains(&i) && (20..29).contains(&j) && (30..38).contains(&k)
            || (24..26).contains(&i) && (24..26).contains(&j) && k >= 38
    };
    let values =
        Volume::from_fn(fine, |voxel| f32::from(u8::from(inside(voxel) && !hollow(voxel))));
    let found = BrainMask::of(&values, Path::new(PATH)).unwrap();
    assert!(found.brain[[24, 24, 34]] && found.brain[[24, 24, 38]]);
    assert_eq!(codes(&found), ["mask_holes"]);
}

#[test]
fn missing_values_of_a_mask_are_outside_where_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(PATH);
    let values = Volume::from_fn(grid(), |voxel| if is_inside(voxel) { 1.0 } else { f32::NAN });
    nifti::write(&path, &values, None).unwrap();
    let error = read_mask(&path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains(PATH), "{error}");
    let found = read_mask(&path, &ReadOptions { nan_to_zero: true }).unwrap();
    assert_eq!(found.brain, ball());
}
