//! Registration of two images of one head that favours neither.

use deepmir_volume::{Mask, Volume};
use nalgebra::{Rotation3, Vector3};

use super::search::{RegistrationConfig, register_rigid};
use super::transform::RigidTransform;
use crate::ReconError;

/// Where two images of one head lie to each other, found in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BothWays {
    /// From the first image's millimetres to the second's: the mean of both directions.
    pub transform: RigidTransform,
    /// How far the two directions are apart, in millimetres: root mean square over places 60 mm from the middle of the
    /// brain.
    pub disagreement_mm: f64,
    /// Normalised mutual information of the images, the lower of both directions.
    pub similarity: f64,
    /// Part of the one brain that lies in the other image, the smaller of both directions.
    pub overlap: f64,
}

/// Registers two images to each other, each once as the fixed one, and takes the mean of both transforms: which image
/// is called the first makes no difference.
///
/// # Errors
/// As [`register_rigid`], of either direction.
pub fn register_both_ways(
    [first, second]: [&Volume<f32>; 2],
    [first_mask, second_mask]: [&Mask; 2],
    config: &RegistrationConfig,
) -> Result<BothWays, ReconError> {
    let (there, back) = rayon::join(
        || register_rigid(first, first_mask, second, config),
        || register_rigid(second, second_mask, first, config),
    );
    let (there, back) = (there?, back?);
    let (transform, disagreement_mm) = mean_of(&there.transform, &back.transform);
    Ok(BothWays {
        transform,
        disagreement_mm,
        similarity: there.similarity.min(back.similarity),
        overlap: there.overlap.min(back.overlap),
    })
}

impl BothWays {
    /// From the space halfway between the images to each of them: half of the rotation and of the shift each way.
    pub fn from_halfway(&self) -> [RigidTransform; 2] {
        let RigidTransform { rotation_rad, shift_mm, centre_mm } = self.transform;
        // In the halfway space the centre lies in the middle of where it is in the two images.
        let middle = std::array::from_fn(|axis| centre_mm[axis] + shift_mm[axis] / 2.0);
        [-0.5, 0.5].map(|share| RigidTransform {
            rotation_rad: rotation_rad.map(|angle| share * angle),
            shift_mm: shift_mm.map(|shift| share * shift),
            centre_mm: middle,
        })
    }
}

/// The mean of a transform and the inverse of one in the other direction, and how far the two are apart.
fn mean_of(there: &RigidTransform, back: &RigidTransform) -> (RigidTransform, f64) {
    let centre = there.centre_mm;
    let inverse = back.affine().inverse();
    let forward = there.affine();
    let rotation = Rotation3::new(Vector3::from(there.rotation_rad));
    let other = Rotation3::new(-Vector3::from(back.rotation_rad));
    let half = Rotation3::new((rotation.inverse() * other).scaled_axis() / 2.0);
    let (one, two) = (forward.apply(centre), inverse.apply(centre));
    let transform = RigidTransform {
        rotation_rad: (rotation * half).scaled_axis().into(),
        shift_mm: std::array::from_fn(|axis| (one[axis] + two[axis]) / 2.0 - centre[axis]),
        centre_mm: centre,
    };
    let mut squares = 0.0;
    for (axis, by) in [(0, -60.0), (0, 60.0), (1, -60.0), (1, 60.0), (2, -60.0), (2, 60.0)] {
        let mut place = centre;
        place[axis] += by;
        let (one, two) = (forward.apply(place), inverse.apply(place));
        squares += (0..3).map(|axis| (one[axis] - two[axis]).powi(2)).sum::<f64>() / 6.0;
    }
    (transform, squares.sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::transform::tests::example;
    use super::*;

    /// The same movement the other way.
    fn reversed(transform: &RigidTransform) -> RigidTransform {
        let centre_mm = std::array::from_fn(|n| transform.centre_mm[n] + transform.shift_mm[n]);
        RigidTransform {
            rotation_rad: transform.rotation_rad.map(|angle| -angle),
            shift_mm: transform.shift_mm.map(|shift| -shift),
            centre_mm,
        }
    }

    fn apart(one: [f64; 3], other: [f64; 3]) -> f64 {
        (0..3).map(|axis| (one[axis] - other[axis]).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn directions_that_agree_are_their_mean() {
        let (mean, disagreement) = mean_of(&example(), &reversed(&example()));
        assert!(disagreement < 1e-9, "{disagreement}");
        for (got, want) in mean.rotation_rad.into_iter().zip(example().rotation_rad) {
            assert!((got - want).abs() < 1e-12);
        }
        assert!(apart(mean.shift_mm, example().shift_mm) < 1e-12);
    }

    #[test]
    fn directions_that_differ_are_met_in_the_middle() {
        let mut back = reversed(&example());
        back.shift_mm[2] += 0.4;
        let (mean, disagreement) = mean_of(&example(), &back);
        assert!((disagreement - 0.4).abs() < 1e-9, "{disagreement}");
        let place = [30.0, 0.0, 12.0];
        let (there, inverse) = (example().affine(), back.affine().inverse());
        let got = mean.affine().apply(place);
        assert!((apart(got, there.apply(place)) - 0.2).abs() < 1e-9);
        assert!((apart(got, inverse.apply(place)) - 0.2).abs() < 1e-9);
    }

    #[test]
    fn the_two_halves_make_the_whole() {
        let both =
            BothWays { transform: example(), disagreement_mm: 0.0, similarity: 1.2, overlap: 1.0 };
        let [first, second] = both.from_halfway().map(|half| half.affine());
        for place in [[10.0, 20.0, -5.0], [-40.0, 7.0, 60.0]] {
            let through = second.apply(first.inverse().apply(place));
            assert!(apart(through, example().affine().apply(place)) < 1e-9);
        }
        let [one, two] = both.from_halfway();
        assert!((one.angle_degrees() - two.angle_degrees()).abs() < 1e-12);
    }
}
