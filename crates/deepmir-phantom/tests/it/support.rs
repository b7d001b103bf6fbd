//! Small protocols and heads, so that a test takes a second or two.

use deepmir_phantom::{PhantomConfig, Structure};
use deepmir_volume::{Affine, Grid, Volume};

/// A coarse scan without noise to speak of.
pub fn coarse_config() -> PhantomConfig {
    let mut config = PhantomConfig::default();
    config.scan.voxel_mm = [3.0, 3.0, 3.0];
    config.scan.matrix = [54, 64, 50];
    config.scan.fine_voxel_mm = 1.5;
    config.scan.echo_times_s = vec![0.006, 0.018];
    config.lesions.lesion_free_probability = 0.0;
    config
}

/// FreeSurfer numbers of a made-up brain on voxels of 2 mm: a ball of white matter in cortex with
/// nuclei at the template's places. No skull.
pub fn made_up_brain() -> Volume<i32> {
    let grid =
        Grid::new([80, 96, 84], Affine::from_spacing([2.0; 3], [-79.0, -113.0, -83.0])).unwrap();
    Volume::from_fn(grid, |voxel| {
        let p = grid.position_mm(voxel);
        let near = |centre: [f64; 3], radii: [f64; 3]| {
            let q = [p[0].abs(), p[1], p[2]];
            let square: f64 =
                (0..3).map(|axis| ((q[axis] - centre[axis]) / radii[axis]).powi(2)).sum();
            square < 1.0
        };
        let side = |left: i32, right: i32| if p[0] < 0.0 { left } else { right };
        let nuclei = [
            ([11.0, -19.0, 7.0], [9.0, 14.0, 9.0], (10, 49)),
            ([14.0, 8.0, 10.0], [5.0, 12.0, 9.0], (11, 50)),
            ([26.0, 1.0, 0.0], [6.0, 16.0, 10.0], (12, 51)),
            ([19.0, -5.0, -1.0], [5.0, 9.0, 6.0], (13, 52)),
            ([10.0, -14.0, -10.0], [8.0, 8.0, 6.0], (28, 60)),
            ([26.0, -22.0, -14.0], [6.0, 18.0, 7.0], (17, 53)),
            ([8.0, 10.0, 18.0], [5.0, 24.0, 8.0], (4, 43)),
            ([0.0, -46.0, -33.0], [6.0, 5.0, 10.0], (15, 15)),
            ([0.0, -28.0, -32.0], [14.0, 12.0, 26.0], (16, 16)),
        ];
        for (centre, radii, (left, right)) in nuclei {
            if near(centre, radii) {
                return side(left, right);
            }
        }
        if near([24.0, -60.0, -36.0], [28.0, 28.0, 22.0]) {
            return if near([24.0, -60.0, -36.0], [18.0, 18.0, 13.0]) {
                side(7, 46)
            } else {
                side(8, 47)
            };
        }
        if near([0.0, -16.0, 18.0], [60.0, 78.0, 50.0]) {
            return side(2, 41);
        }
        if near([0.0, -16.0, 18.0], [66.0, 84.0, 56.0]) { side(3, 42) } else { 0 }
    })
}

/// How many voxels have a structure.
pub fn count(labels: &Volume<Structure>, structure: Structure) -> usize {
    labels.data().iter().filter(|&&label| label == structure).count()
}
