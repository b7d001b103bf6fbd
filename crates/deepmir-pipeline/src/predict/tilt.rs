//! Whether a head lies upright along the axes of its image, as the networks and the regions take it to.

use deepmir_cases::{Case, Modality};
use deepmir_volume::{Affine, Mask, Orientation, Warning};

use super::WHOLE_ML;

/// More than this between slices and scanner is told. Slices along the line of the commissures are tilted by 10° to 15°,
/// the phantoms that the models learned from by up to 15° about each of two axes, which make 21°.
const OBLIQUE_DEG: f64 = 22.0;
/// More than this between the head's plane of symmetry and the image is told. In thirty simulated heads, with upright and
/// tilted slices, it was up to 17°; the rule of regions is less reliable from 15° on.
const ASKEW_DEG: f64 = 18.0;
/// What part of a whole brain its mirror image covers at least: 0.94 to 0.97 in the thirty heads.
const SYMMETRIC: f64 = 0.85;
/// Distance of the points whose mirror images are looked up.
const STEP_MM: f64 = 5.0;

/// What the user is told of a tilted head.
pub(super) fn warning(case: &Case) -> Option<Warning> {
    let oblique = oblique_deg(case.grid().affine());
    let askew = askew_deg(&case.brain);
    let (degrees, from) = match askew.filter(|&degrees| degrees > ASKEW_DEG) {
        Some(degrees) => (degrees, "by the symmetry of its brain"),
        None if oblique > OBLIQUE_DEG => (oblique, "by the header's affine"),
        None => return None,
    };
    let image = case.images.keys().next().copied().unwrap_or(Modality::Swi);
    let message = format!(
        "the head is tilted by {degrees:.0}° against the axes of the {image} ({from}): lesions may be missed or invented \
         and their regions wrong, reformat all images to the head's axes",
    );
    Some(Warning::new("tilted_head", message))
}

/// The largest angle between a voxel axis and the RAS axis that it stands for.
fn oblique_deg(affine: &Affine) -> f64 {
    let rows = affine.rows();
    let angle = |column: usize| {
        let axis: [f64; 3] = std::array::from_fn(|row| rows[row][column]);
        let length = axis.iter().map(|part| part * part).sum::<f64>().sqrt();
        let along = axis.iter().map(|part| part.abs()).fold(0.0, f64::max);
        (along / length).min(1.0).acos().to_degrees()
    };
    (0..3).map(angle).fold(0.0, f64::max)
}

/// The angle between the plane of symmetry of a whole brain and the image's sagittal plane; `None` of a part, and where
/// there is no such plane. How far a head nods cannot be told from its mask: the long axes of those thirty differ by 57°.
fn askew_deg(brain: &Mask) -> Option<f64> {
    let brain = Orientation::of(brain.grid().affine()).to_ras(brain);
    let volume_ml = brain.count() as f64 * brain.grid().voxel_volume_mm3() / 1000.0;
    if volume_ml < WHOLE_ML {
        return None;
    }
    let mirrored = Mirrored::of(&brain);
    let mut best = (0.0, [0.0; 2]);
    let mut look = |at: [f64; 2], reach: i32, step: f64| {
        for yaw in -reach..=reach {
            for roll in -reach..=reach {
                let turned = [at[0] + step * f64::from(yaw), at[1] + step * f64::from(roll)];
                let share = mirrored.share(turned);
                if share > best.0 {
                    best = (share, turned);
                }
            }
        }
        best.1
    };
    let coarse = look([0.0; 2], 8, 5.0);
    look(coarse, 2, 2.0);
    let (share, [yaw, roll]) = best;
    let across = yaw.to_radians().cos() * roll.to_radians().cos();
    (share >= SYMMETRIC).then(|| across.min(1.0).acos().to_degrees())
}

/// A brain whose mirror images are compared with it.
struct Mirrored<'a> {
    brain: &'a Mask,
    sizes: [f64; 3],
    /// Of the mask, in millimetres along the voxel axes.
    centre: [f64; 3],
    /// Relative to the centre.
    points: Vec<[f64; 3]>,
}

impl<'a> Mirrored<'a> {
    fn of(brain: &'a Mask) -> Self {
        let grid = brain.grid();
        let sizes = grid.voxel_sizes_mm();
        let steps = sizes.map(|size| (STEP_MM / size).round().max(1.0) as usize);
        let inside = (0..grid.len()).filter(|&index| brain.data()[index]);
        let coarse = inside
            .map(|index| grid.voxel(index))
            .filter(|voxel| (0..3).all(|axis| voxel[axis] % steps[axis] == 0));
        let places =
            coarse.map(|voxel| std::array::from_fn(|axis| voxel[axis] as f64 * sizes[axis]));
        let places: Vec<[f64; 3]> = places.collect();
        let count = places.len().max(1) as f64;
        let centre =
            std::array::from_fn(|axis| places.iter().map(|place| place[axis]).sum::<f64>() / count);
        let relative = |place: &[f64; 3]| std::array::from_fn(|axis| place[axis] - centre[axis]);
        Self { brain, sizes, centre, points: places.iter().map(relative).collect() }
    }

    /// What part of the brain lies in it when mirrored at a plane through its centre, which is turned from the sagittal
    /// one about the upward axis and then about that to the front.
    fn share(&self, [yaw, roll]: [f64; 2]) -> f64 {
        let (yaw, roll) = (yaw.to_radians(), roll.to_radians());
        let normal = [yaw.cos() * roll.cos(), yaw.sin() * roll.cos(), roll.sin()];
        let shape = self.brain.shape();
        let is_inside = |point: &&[f64; 3]| {
            let height: f64 = (0..3).map(|axis| point[axis] * normal[axis]).sum();
            let voxel: [f64; 3] = std::array::from_fn(|axis| {
                let place = point[axis] - 2.0 * height * normal[axis] + self.centre[axis];
                (place / self.sizes[axis]).round()
            });
            let within = (0..3).all(|axis| (0.0..shape[axis] as f64).contains(&voxel[axis]));
            within && self.brain[voxel.map(|at| at as usize)]
        };
        self.points.iter().filter(is_inside).count() as f64 / self.points.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Grid, Volume};

    /// A brain that is broader behind, turned about the upward axis.
    fn brain(turned_deg: f64) -> Mask {
        let affine = Affine::from_spacing([3.0; 3], [-97.5, -97.5, -73.5]);
        let grid = Grid::new([66, 66, 50], affine).unwrap();
        let (sin, cos) = turned_deg.to_radians().sin_cos();
        Volume::from_fn(grid, |voxel| {
            let [x, y, z] = grid.position_mm(voxel);
            let (x, y) = (cos * x + sin * y, cos * y - sin * x);
            let wide = if y > 0.0 { 58.0 } else { 66.0 };
            (x / wide).powi(2) + (y / 85.0).powi(2) + (z / 62.0).powi(2) < 1.0
        })
    }

    #[test]
    fn a_tilted_head_is_told_by_its_symmetry() {
        for (turned, least, most) in [(0.0, 0.0, 3.0), (8.0, 5.0, 11.0), (25.0, 22.0, 28.0)] {
            let found = askew_deg(&brain(turned)).unwrap();
            assert!((least..=most).contains(&found), "{found} for {turned}");
        }
    }

    #[test]
    fn oblique_slices_are_told_by_the_affine() {
        let turned = |degrees: f64| {
            let (sin, cos) = degrees.to_radians().sin_cos();
            // Stored from front to back, as sagittal slices are.
            let rows = [
                [0.0, 0.0, 2.0, 0.0],
                [-cos, sin, 0.0, 0.0],
                [sin, cos, 0.0, 0.0],
                [0.0, 0.0, 0.0, 1.0],
            ];
            oblique_deg(&Affine::from_rows(rows).unwrap())
        };
        assert!(turned(0.0) < 1e-6 && (turned(25.0) - 25.0).abs() < 1e-6);
    }
}
