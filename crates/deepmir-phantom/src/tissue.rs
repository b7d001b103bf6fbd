//! Magnetic and relaxation properties of tissue.

use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::structure::Structure;

/// R2' in 1/s that one ppm of susceptibility makes at 3 T, whatever its sign (Shin et al.,
/// NeuroImage 240:118371, 2021). It grows with the field strength.
pub const R2_PRIME_HZ_PER_PPM_3T: f64 = 137.0;

/// R2 in 1/s that one ppm of iron in a deposit adds at 3 T, drawn for each: deposits are dark on
/// T2-weighted images too, often black.
pub const DEPOSIT_R2_HZ_PER_PPM_3T: [f64; 2] = [14.0, 80.0];

/// R2 in 1/s that one ppm of old blood adds at 3 T, drawn for each bleed: a spin echo refocuses most
/// of what packed iron does, so bleeds are anything from faint to dark on T2-weighted images.
pub const BLOOD_R2_HZ_PER_PPM_3T: [f64; 2] = [2.0, 14.0];

/// One tissue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tissue {
    /// Paramagnetic part of the susceptibility in ppm (≥ 0).
    pub chi_positive_ppm: f64,
    /// Diamagnetic part of the susceptibility in ppm (≤ 0).
    pub chi_negative_ppm: f64,
    /// T1 in seconds.
    pub t1_s: f64,
    /// T2 in seconds.
    pub t2_s: f64,
    /// Proton density, 1 for water.
    pub proton_density: f64,
}

const fn tissue(chi_plus: f64, chi_minus: f64, t2_ms: f64, t1_ms: f64, density: f64) -> Tissue {
    Tissue {
        chi_positive_ppm: chi_plus,
        chi_negative_ppm: chi_minus,
        t1_s: t1_ms * 1e-3,
        t2_s: t2_ms * 1e-3,
        proton_density: density,
    }
}

impl Tissue {
    /// Of a structure at 3 T and the age of 60. Susceptibilities, in ppm relative to water, after
    /// Marques et al. 2021 (QSM challenge 2.0) and Ridani et al. (susceptibility separation);
    /// relaxation after the same and Stanisz et al. 2005.
    pub fn of(structure: Structure) -> Self {
        match structure {
            // Air and bone give no signal; their susceptibility bends the field around them.
            Structure::Air => tissue(9.2, 0.0, 0.5, 300.0, 0.0),
            Structure::CorticalBone => tissue(0.0, -2.1, 0.5, 300.0, 0.1),
            Structure::CerebrospinalFluid
            | Structure::LateralVentricle
            | Structure::ThirdVentricle
            | Structure::FourthVentricle => tissue(0.019, 0.0, 1500.0, 4000.0, 1.0),
            Structure::WhiteMatter => tissue(0.006, -0.036, 70.0, 950.0, 0.70),
            Structure::Cortex => tissue(0.034, -0.020, 95.0, 1500.0, 0.82),
            Structure::CerebellarWhiteMatter => tissue(0.010, -0.034, 72.0, 980.0, 0.71),
            Structure::CerebellarCortex => tissue(0.030, -0.018, 92.0, 1450.0, 0.82),
            Structure::Thalamus => tissue(0.047, -0.032, 87.0, 1050.0, 0.78),
            Structure::Caudate => tissue(0.049, -0.010, 84.0, 1300.0, 0.80),
            Structure::Putamen => tissue(0.046, -0.010, 75.0, 1170.0, 0.80),
            Structure::OuterPallidum => tissue(0.138, -0.014, 60.0, 920.0, 0.75),
            Structure::InnerPallidum => tissue(0.125, -0.018, 61.0, 910.0, 0.74),
            Structure::Brainstem => tissue(0.018, -0.034, 76.0, 1020.0, 0.73),
            Structure::Hippocampus => tissue(0.028, -0.018, 96.0, 1500.0, 0.83),
            Structure::Amygdala => tissue(0.024, -0.018, 93.0, 1480.0, 0.82),
            Structure::Accumbens => tissue(0.040, -0.012, 86.0, 1350.0, 0.81),
            Structure::VentralDiencephalon => tissue(0.040, -0.028, 78.0, 1080.0, 0.76),
            Structure::SubstantiaNigra => tissue(0.115, -0.012, 65.0, 950.0, 0.76),
            Structure::RedNucleus => tissue(0.106, -0.010, 68.0, 950.0, 0.76),
            Structure::Dentate => tissue(0.158, -0.016, 80.0, 1000.0, 0.77),
            Structure::ChoroidPlexus => tissue(0.030, -0.020, 140.0, 1900.0, 0.90),
            Structure::WhiteMatterLesion => tissue(0.010, -0.016, 130.0, 1500.0, 0.82),
            Structure::Artery => tissue(0.0, -0.015, 60.0, 1650.0, 0.25),
            Structure::Vein => tissue(0.22, 0.0, 40.0, 1650.0, 0.85),
            Structure::Dura => tissue(0.01, -0.02, 12.0, 900.0, 0.55),
            Structure::Pineal => tissue(0.03, -0.03, 90.0, 1300.0, 0.82),
            Structure::Pituitary => tissue(0.02, -0.01, 75.0, 1100.0, 0.80),
            Structure::Eye => tissue(0.0, 0.0, 900.0, 3500.0, 0.98),
            Structure::OpticNerveAndLens => tissue(0.0, -0.02, 60.0, 1000.0, 0.70),
            Structure::SoftTissue => tissue(0.0, -0.01, 38.0, 1300.0, 0.75),
            Structure::Mucosa => tissue(0.0, 0.0, 90.0, 1500.0, 0.85),
            Structure::SkinAndFat => tissue(0.64, 0.0, 60.0, 380.0, 0.85),
            Structure::SpinalCord => tissue(0.01, -0.03, 75.0, 1000.0, 0.73),
            Structure::Marrow => tissue(0.50, 0.0, 50.0, 380.0, 0.55),
        }
    }

    /// At another field strength. T1 of tissue grows with the power 0.38 of the field (Rooney et
    /// al. 2007), T2 falls (power −0.3; blood, whose T2 is made by its own iron, −1.2); fluids keep
    /// theirs.
    pub fn at_field_strength(self, structure: Structure, field_strength_t: f64) -> Self {
        if structure.is_fluid() || structure == Structure::Eye {
            return self;
        }
        let ratio = field_strength_t / 3.0;
        let t2_power = if structure == Structure::Vein { -1.2 } else { -0.3 };
        Self { t1_s: self.t1_s * ratio.powf(0.38), t2_s: self.t2_s * ratio.powf(t2_power), ..self }
    }

    /// Total susceptibility in ppm.
    pub fn chi_ppm(&self) -> f64 {
        self.chi_positive_ppm + self.chi_negative_ppm
    }

    /// R2* in 1/s inside a fine voxel: R2 and what the two kinds of susceptibility add.
    pub fn r2star_hz(&self, field_strength_t: f64) -> f64 {
        let r2_prime = R2_PRIME_HZ_PER_PPM_3T * field_strength_t / 3.0;
        // The susceptibility of fat, air and bone is of the bulk, not of grains inside a voxel.
        let grains = self.chi_positive_ppm.min(0.35) - self.chi_negative_ppm.max(-0.35);
        1.0 / self.t2_s + r2_prime * grains
    }
}

/// The tissues of one person.
#[derive(Clone, Debug, PartialEq)]
pub struct TissueTable(Vec<Tissue>);

impl TissueTable {
    /// Draws a person of `age_years`: nuclei hold the iron of that age (Hallgren and Sourander
    /// 1958), times a factor of their own and one of the person (spread about ±50 % in all);
    /// venous blood is between 0.19 and 0.30 ppm; the other tissues vary by a few per cent.
    pub fn draw(age_years: f64, field_strength_t: f64, generator: &mut ChaCha8Rng) -> Self {
        let mut normal = |spread: f64| {
            let value: f64 = StandardNormal.sample(generator);
            1.0 + spread * value.clamp(-2.2, 2.2)
        };
        let person = normal(0.12);
        let blood = 0.245 + 0.025 * (normal(1.0) - 1.0);
        let table = Structure::ALL.into_iter().map(|structure| {
            let mut tissue = Tissue::of(structure);
            tissue.t1_s *= normal(0.03);
            tissue.t2_s *= normal(0.03);
            tissue.proton_density *= normal(0.01);
            let own = normal(0.12);
            if structure == Structure::Vein {
                tissue.chi_positive_ppm = blood;
            } else if structure.is_parenchyma() {
                tissue.chi_positive_ppm *= iron_of_age(structure, age_years) * person * own;
            }
            tissue.at_field_strength(structure, field_strength_t)
        });
        Self(table.collect())
    }

    /// The tissue of a structure.
    pub fn of(&self, structure: Structure) -> &Tissue {
        &self.0[structure as usize]
    }
}

/// Iron relative to that at 60 years: the curves of Hallgren and Sourander (Journal of
/// Neurochemistry 3:41, 1958), c·(1 − e^(−r·age)) + c₀.
fn iron_of_age(structure: Structure, age_years: f64) -> f64 {
    let (plateau, rate, birth) = match structure {
        Structure::OuterPallidum | Structure::InnerPallidum => (21.41, 0.09, 0.37),
        Structure::Putamen => (14.62, 0.04, 0.46),
        Structure::Caudate | Structure::Accumbens => (9.66, 0.05, 0.33),
        Structure::RedNucleus | Structure::SubstantiaNigra => (18.5, 0.07, 0.5),
        Structure::Dentate => (10.4, 0.06, 0.4),
        Structure::Thalamus => (4.76, 0.09, 0.3),
        Structure::Cortex => (4.0, 0.05, 0.25),
        _ => return 1.0,
    };
    let iron = |age: f64| plateau * (1.0 - (-rate * age).exp()) + birth;
    iron(age_years) / iron(60.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn iron_rises_with_age_and_stays_within_half_of_the_table() {
        let draw = |age, seed| TissueTable::draw(age, 3.0, &mut stream(seed, Purpose::Choice, 0));
        let pallidum = |age, seed| draw(age, seed).of(Structure::OuterPallidum).chi_positive_ppm;
        let putamen = |age, seed| draw(age, seed).of(Structure::Putamen).chi_positive_ppm;
        for seed in 0..50 {
            assert!(putamen(80.0, seed) > 1.3 * putamen(25.0, seed));
            assert!((0.5..1.5).contains(&(pallidum(60.0, seed) / 0.138)));
            let blood = draw(60.0, seed).of(Structure::Vein).chi_positive_ppm;
            assert!((0.18..0.31).contains(&blood));
        }
    }

    #[test]
    fn decay_quickens_with_the_field() {
        let at = |field| {
            let structure = Structure::Putamen;
            Tissue::of(structure).at_field_strength(structure, field).r2star_hz(field)
        };
        assert!(at(1.5) < at(3.0) && at(3.0) < at(7.0));
    }
}
