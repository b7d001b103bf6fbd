//! The parts of a head, and the numbers that label maps give them.

use serde::{Deserialize, Serialize};

/// A part of the head with its own tissue. Left and right are one structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Structure {
    /// Outside the head, or in an air-filled cavity.
    Air,
    CerebrospinalFluid,
    LateralVentricle,
    ThirdVentricle,
    FourthVentricle,
    WhiteMatter,
    Cortex,
    CerebellarWhiteMatter,
    CerebellarCortex,
    Thalamus,
    Caudate,
    Putamen,
    OuterPallidum,
    InnerPallidum,
    Brainstem,
    Hippocampus,
    Amygdala,
    Accumbens,
    VentralDiencephalon,
    SubstantiaNigra,
    RedNucleus,
    Dentate,
    ChoroidPlexus,
    /// Hyperintense on T2-weighted images: small-vessel disease.
    WhiteMatterLesion,
    Artery,
    /// Dural sinuses and large veins.
    Vein,
    /// Falx and tentorium.
    Dura,
    Pineal,
    Pituitary,
    Eye,
    OpticNerveAndLens,
    SoftTissue,
    Mucosa,
    SkinAndFat,
    SpinalCord,
    CorticalBone,
    Marrow,
}

/// Where a lesion lies, as the Microbleed Anatomical Rating Scale groups it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// Cortex and the white matter of the lobes.
    Lobar,
    /// Basal ganglia, thalamus, internal capsule and the white matter close to them.
    Deep,
    /// Brainstem and cerebellum.
    Infratentorial,
}

impl Structure {
    /// How many there are.
    pub const COUNT: usize = Self::Marrow as usize + 1;

    /// All of them, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Air,
        Self::CerebrospinalFluid,
        Self::LateralVentricle,
        Self::ThirdVentricle,
        Self::FourthVentricle,
        Self::WhiteMatter,
        Self::Cortex,
        Self::CerebellarWhiteMatter,
        Self::CerebellarCortex,
        Self::Thalamus,
        Self::Caudate,
        Self::Putamen,
        Self::OuterPallidum,
        Self::InnerPallidum,
        Self::Brainstem,
        Self::Hippocampus,
        Self::Amygdala,
        Self::Accumbens,
        Self::VentralDiencephalon,
        Self::SubstantiaNigra,
        Self::RedNucleus,
        Self::Dentate,
        Self::ChoroidPlexus,
        Self::WhiteMatterLesion,
        Self::Artery,
        Self::Vein,
        Self::Dura,
        Self::Pineal,
        Self::Pituitary,
        Self::Eye,
        Self::OpticNerveAndLens,
        Self::SoftTissue,
        Self::Mucosa,
        Self::SkinAndFat,
        Self::SpinalCord,
        Self::CorticalBone,
        Self::Marrow,
    ];

    /// From the number in FreeSurfer's colour table (aseg, aparc+aseg, wmparc, FastSurfer) or of
    /// SynthSeg's training maps (500 and above, outside the brain); `None` for others.
    pub fn from_freesurfer(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::Air,
            24 | 257 => Self::CerebrospinalFluid,
            4 | 5 | 43 | 44 => Self::LateralVentricle,
            14 | 72 => Self::ThirdVentricle,
            15 => Self::FourthVentricle,
            2 | 41 | 85 | 192 | 250..=255 | 3000..=4999 | 5001 | 5002 => Self::WhiteMatter,
            3 | 42 | 19 | 20 | 55 | 56 | 1000..=2999 | 11100..=12999 => Self::Cortex,
            7 | 46 => Self::CerebellarWhiteMatter,
            6 | 8 | 45 | 47 | 630..=632 => Self::CerebellarCortex,
            9 | 10 | 48 | 49 => Self::Thalamus,
            11 | 50 => Self::Caudate,
            12 | 51 => Self::Putamen,
            13 | 52 => Self::OuterPallidum,
            16 | 170..=179 => Self::Brainstem,
            17 | 53 => Self::Hippocampus,
            18 | 54 | 96 | 97 => Self::Amygdala,
            26 | 58 => Self::Accumbens,
            27 | 28 | 59 | 60 => Self::VentralDiencephalon,
            31 | 63 | 136 | 137 | 163 | 164 => Self::ChoroidPlexus,
            25 | 57 | 77..=82 => Self::WhiteMatterLesion,
            502 => Self::Artery,
            30 | 62 | 514 => Self::Vein,
            506 => Self::Eye,
            508 => Self::OpticNerveAndLens,
            258 | 507 => Self::SoftTissue,
            509 => Self::Mucosa,
            511 => Self::SkinAndFat,
            512 => Self::SpinalCord,
            165 | 515 => Self::CorticalBone,
            516 => Self::Marrow,
            530 => Self::Pituitary,
            _ => return None,
        })
    }

    /// The number that label maps give it on the left or the right: FreeSurfer's, or that of SynthSeg's training outside
    /// the brain. What neither has is given the number of what it lies in.
    pub fn to_freesurfer(self, right: bool) -> i32 {
        let sides = |left: i32, of_right: i32| if right { of_right } else { left };
        match self {
            Self::Air => 0,
            Self::CerebrospinalFluid => 24,
            Self::LateralVentricle => sides(4, 43),
            Self::ThirdVentricle | Self::Pineal => 14,
            Self::FourthVentricle => 15,
            Self::WhiteMatter => sides(2, 41),
            Self::Cortex => sides(3, 42),
            Self::CerebellarWhiteMatter | Self::Dentate => sides(7, 46),
            Self::CerebellarCortex => sides(8, 47),
            Self::Thalamus => sides(10, 49),
            Self::Caudate => sides(11, 50),
            Self::Putamen => sides(12, 51),
            Self::OuterPallidum | Self::InnerPallidum => sides(13, 52),
            Self::Brainstem => 16,
            Self::Hippocampus => sides(17, 53),
            Self::Amygdala => sides(18, 54),
            Self::Accumbens => sides(26, 58),
            Self::VentralDiencephalon | Self::SubstantiaNigra | Self::RedNucleus => sides(28, 60),
            Self::ChoroidPlexus => sides(31, 63),
            Self::WhiteMatterLesion => sides(25, 57),
            Self::Artery => 502,
            Self::Vein => 514,
            Self::Dura => 258,
            Self::Pituitary => 530,
            Self::Eye => 506,
            Self::OpticNerveAndLens => 508,
            Self::SoftTissue => 507,
            Self::Mucosa => 509,
            Self::SkinAndFat => 511,
            Self::SpinalCord => 512,
            Self::CorticalBone => 515,
            Self::Marrow => 516,
        }
    }

    /// Nervous tissue: where microbleeds can be.
    pub fn is_parenchyma(self) -> bool {
        matches!(
            self,
            Self::WhiteMatter
                | Self::Cortex
                | Self::CerebellarWhiteMatter
                | Self::CerebellarCortex
                | Self::Thalamus
                | Self::Caudate
                | Self::Putamen
                | Self::OuterPallidum
                | Self::InnerPallidum
                | Self::Brainstem
                | Self::Hippocampus
                | Self::Amygdala
                | Self::Accumbens
                | Self::VentralDiencephalon
                | Self::SubstantiaNigra
                | Self::RedNucleus
                | Self::Dentate
                | Self::WhiteMatterLesion
        )
    }

    /// What a brain extraction keeps for certain: parenchyma, ventricles and what floats in them.
    pub fn is_brain(self) -> bool {
        self.is_parenchyma()
            || self.is_ventricle()
            || matches!(self, Self::ChoroidPlexus | Self::Pineal)
    }

    /// Fluid inside the brain.
    pub fn is_ventricle(self) -> bool {
        matches!(self, Self::LateralVentricle | Self::ThirdVentricle | Self::FourthVentricle)
    }

    /// Fluid inside or outside the brain.
    pub fn is_fluid(self) -> bool {
        self.is_ventricle() || self == Self::CerebrospinalFluid
    }

    /// Either part of the pallidum.
    pub fn is_pallidum(self) -> bool {
        matches!(self, Self::OuterPallidum | Self::InnerPallidum)
    }

    /// Brainstem, cerebellum and the nuclei in them.
    pub fn is_infratentorial(self) -> bool {
        matches!(
            self,
            Self::Brainstem | Self::CerebellarWhiteMatter | Self::CerebellarCortex | Self::Dentate
        )
    }

    /// Grey nuclei above the tentorium.
    pub fn is_deep_grey(self) -> bool {
        matches!(
            self,
            Self::Thalamus
                | Self::Caudate
                | Self::Putamen
                | Self::OuterPallidum
                | Self::InnerPallidum
                | Self::Accumbens
                | Self::VentralDiencephalon
                | Self::SubstantiaNigra
                | Self::RedNucleus
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_numbers() {
        for (number, structure) in Structure::ALL.into_iter().enumerate() {
            assert_eq!(structure as usize, number);
        }
    }

    #[test]
    fn numbers_come_back_as_what_they_stand_for() {
        for structure in Structure::ALL {
            for right in [false, true] {
                let back = Structure::from_freesurfer(structure.to_freesurfer(right));
                let expected = match structure {
                    Structure::Pineal => Structure::ThirdVentricle,
                    Structure::Dentate => Structure::CerebellarWhiteMatter,
                    Structure::InnerPallidum => Structure::OuterPallidum,
                    Structure::SubstantiaNigra | Structure::RedNucleus => {
                        Structure::VentralDiencephalon
                    }
                    Structure::Dura => Structure::SoftTissue,
                    other => other,
                };
                assert_eq!(back, Some(expected), "{structure:?}");
            }
        }
    }

    #[test]
    fn both_sides_and_parcels_are_known_and_others_are_not() {
        for (left, right) in [(2, 41), (3, 42), (10, 49), (13, 52), (1012, 2012), (136, 163)] {
            assert_eq!(Structure::from_freesurfer(left), Structure::from_freesurfer(right));
            assert!(Structure::from_freesurfer(left).is_some());
        }
        assert_eq!(Structure::from_freesurfer(999), None);
        assert_eq!(Structure::from_freesurfer(-1), None);
    }
}
