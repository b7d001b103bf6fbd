//! The round parts that sources are made of.

use deepmir_volume::Affine;
use nalgebra::{Rotation3, Vector3};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// However rough, the radius stays at least this part of the ellipsoid's.
const SMALLEST_BUMP: f64 = 0.3;

/// An ellipsoid with a bumpy surface: its radius along a direction is that of the ellipsoid times
/// 1 + Σ aₙ·cos(waveₙ·direction + phaseₙ).
#[derive(Clone, Debug, PartialEq)]
pub struct Lobule {
    /// Centre in the head's millimetres.
    pub centre_mm: [f64; 3],
    /// Half axes in millimetres.
    pub radii_mm: [f64; 3],
    /// From the head's axes to the lobule's.
    rotation: Rotation3<f64>,
    bumps: Vec<Bump>,
    /// The mean of the cubed bump factor over all directions: a volume's correction.
    mean_cubed_bump: f64,
}

/// Where a lobule lies against a ball.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlap {
    /// The ball is outside.
    None,
    /// The ball may be cut.
    Some,
    /// The ball is inside.
    All,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Bump {
    wave: [f64; 3],
    phase: f64,
    amplitude: f64,
}

impl Lobule {
    /// A ball.
    pub fn ball(centre_mm: [f64; 3], diameter_mm: f64) -> Self {
        Self {
            centre_mm,
            radii_mm: [diameter_mm / 2.0; 3],
            rotation: Rotation3::identity(),
            bumps: Vec::new(),
            mean_cubed_bump: 1.0,
        }
    }

    /// A random ovoid with the volume of a ball of `diameter_mm`: axes differ by about
    /// `elongation` and the surface is bumpy by about `roughness` (both as parts of the radius).
    pub fn draw(
        centre_mm: [f64; 3],
        diameter_mm: f64,
        elongation: f64,
        roughness: f64,
        generator: &mut ChaCha8Rng,
    ) -> Self {
        let mut normal = || -> f64 { StandardNormal.sample(generator) };
        let stretch = [0; 3].map(|_| (elongation * normal().clamp(-2.0, 2.0)).exp());
        let volume: f64 = stretch.iter().product::<f64>().cbrt();
        let axis = Vector3::new(normal(), normal(), normal());
        let bumps: Vec<Bump> = (0..if roughness > 0.0 { 6 } else { 0 })
            .map(|_| Bump {
                wave: [0; 3].map(|_| 2.2 * normal()),
                phase: 3.0 * normal(),
                amplitude: roughness * 0.6 * normal().clamp(-2.0, 2.0),
            })
            .collect();
        let angle = std::f64::consts::TAU * generator.random::<f64>();
        let rotation = nalgebra::Unit::try_new(axis, 1e-6)
            .map_or_else(Rotation3::identity, |axis| Rotation3::from_axis_angle(&axis, angle));
        let radii_mm = stretch.map(|part| diameter_mm / 2.0 * part / volume);
        let mut lobule = Self { centre_mm, radii_mm, rotation, bumps, mean_cubed_bump: 1.0 };
        // Bumps change the volume a little: measured and corrected.
        lobule.mean_cubed_bump = lobule.measured_cubed_bump();
        let correction = lobule.mean_cubed_bump.cbrt();
        lobule.radii_mm = lobule.radii_mm.map(|radius| radius / correction);
        lobule
    }

    /// The same in other millimetres; `rigid` takes its own to those.
    pub(crate) fn moved(&self, rigid: &Affine) -> Self {
        let turn = Rotation3::from_matrix_unchecked(rigid.linear());
        Self {
            centre_mm: rigid.apply(self.centre_mm),
            rotation: self.rotation * turn.inverse(),
            ..self.clone()
        }
    }

    /// The same, its diameter multiplied.
    pub fn scaled(&self, factor: f64) -> Self {
        Self { radii_mm: self.radii_mm.map(|radius| factor * radius), ..self.clone() }
    }

    /// Analytic volume.
    pub fn volume_mm3(&self) -> f64 {
        4.0 / 3.0
            * std::f64::consts::PI
            * self.radii_mm.iter().product::<f64>()
            * self.mean_cubed_bump
    }

    /// The largest distance of its surface from its centre.
    pub fn reach_mm(&self) -> f64 {
        let largest = self.radii_mm.iter().copied().fold(0.0, f64::max);
        largest * (1.0 + self.roughness())
    }

    /// Whether a place in the head's millimetres is inside.
    pub fn contains(&self, place_mm: [f64; 3]) -> bool {
        let scaled = self.scaled_offset(place_mm);
        let size = scaled.norm();
        // Most places are decided before the bumps are asked, which costs six cosines.
        if size < self.least_bump() {
            return true;
        }
        size < self.most_bump() && size < self.bump(scaled / size)
    }

    /// How a ball of `radius_mm` lies; [`Overlap::Some`] where it is close.
    pub(crate) fn overlap(&self, centre_mm: [f64; 3], radius_mm: f64) -> Overlap {
        let size = self.scaled_offset(centre_mm).norm();
        let smallest = self.radii_mm.iter().copied().fold(f64::INFINITY, f64::min);
        let reach = radius_mm / smallest;
        if size - reach > self.most_bump() {
            Overlap::None
        } else if size + reach < self.least_bump() {
            Overlap::All
        } else {
            Overlap::Some
        }
    }

    /// A place seen from the centre, along the lobule's axes and in units of its half axes.
    fn scaled_offset(&self, place_mm: [f64; 3]) -> Vector3<f64> {
        let offset: Vector3<f64> =
            std::array::from_fn::<f64, 3, _>(|axis| place_mm[axis] - self.centre_mm[axis]).into();
        let own = self.rotation * offset;
        Vector3::new(own.x / self.radii_mm[0], own.y / self.radii_mm[1], own.z / self.radii_mm[2])
    }

    /// The most that all bumps together can add or take.
    fn roughness(&self) -> f64 {
        self.bumps.iter().map(|bump| bump.amplitude.abs()).sum()
    }

    /// Bounds of [`Self::bump`], with room for rounding.
    fn least_bump(&self) -> f64 {
        (1.0 - self.roughness()).max(SMALLEST_BUMP) - 1e-9
    }

    fn most_bump(&self) -> f64 {
        1.0 + self.roughness() + 1e-9
    }

    fn bump(&self, direction: Vector3<f64>) -> f64 {
        let sum: f64 = self
            .bumps
            .iter()
            .map(|bump| {
                let along = Vector3::from(bump.wave).dot(&direction);
                bump.amplitude * (along + bump.phase).cos()
            })
            .sum();
        (1.0 + sum).max(SMALLEST_BUMP)
    }

    /// The mean of the cubed factor over all directions (a spiral of 400 of them).
    fn measured_cubed_bump(&self) -> f64 {
        const COUNT: usize = 400;
        if self.bumps.is_empty() {
            return 1.0;
        }
        let golden = std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
        let sum: f64 = (0..COUNT)
            .map(|n| {
                let z = 1.0 - 2.0 * (n as f64 + 0.5) / COUNT as f64;
                let radius = (1.0 - z * z).sqrt();
                let (sine, cosine) = (golden * n as f64).sin_cos();
                self.bump(Vector3::new(radius * cosine, radius * sine, z)).powi(3)
            })
            .sum();
        sum / COUNT as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn a_bumpy_ovoid_has_the_volume_of_its_ball() {
        for seed in 0..5 {
            let mut generator = stream(seed, Purpose::Lesions, 0);
            let lobule = Lobule::draw([0.0; 3], 6.0, 0.2, 0.12, &mut generator);
            let step = 0.1;
            let counted = (0..100_usize.pow(3))
                .filter(|n| {
                    let at = [n % 100, n / 100 % 100, n / 10_000].map(|i| (i as f64 - 49.5) * step);
                    lobule.contains(at)
                })
                .count() as f64
                * step.powi(3);
            let ball = std::f64::consts::PI / 6.0 * 6.0_f64.powi(3);
            assert!((counted / ball - 1.0).abs() < 0.02, "{counted} of {ball}");
            assert!((lobule.volume_mm3() / ball - 1.0).abs() < 1e-6);
        }
    }
}
