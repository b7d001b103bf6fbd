//! The classes that the network tells apart, and FreeSurfer's numbers of them.

use deepmir_lesion::Side;
use serde::{Deserialize, Serialize};

/// A part of the head that the network tells from others. Sides are told apart beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Tissue {
    /// Air, in the head too.
    Background,
    /// Skull, skin, muscle, eyes, meninges and vessels outside the brain.
    Outside,
    /// Cerebrospinal fluid around the brain.
    SulcalFluid,
    /// Of the cerebrum, with lesions in it.
    WhiteMatter,
    /// Of the cerebrum.
    Cortex,
    /// All four, with the choroid plexus.
    Ventricle,
    /// With the accumbens.
    Caudate,
    /// The putamen.
    Putamen,
    /// Both parts.
    Pallidum,
    /// The thalamus.
    Thalamus,
    /// With the amygdala.
    Hippocampus,
    /// Hypothalamus, subthalamic nucleus, substantia nigra, as FreeSurfer outlines it.
    VentralDiencephalon,
    /// The brainstem.
    Brainstem,
    /// Of the cerebellum.
    CerebellarWhiteMatter,
    /// Of the cerebellum.
    CerebellarCortex,
}

impl Tissue {
    /// How many there are.
    pub const COUNT: usize = Self::CerebellarCortex as usize + 1;

    /// All, in the order of the network's outputs.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Background,
        Self::Outside,
        Self::SulcalFluid,
        Self::WhiteMatter,
        Self::Cortex,
        Self::Ventricle,
        Self::Caudate,
        Self::Putamen,
        Self::Pallidum,
        Self::Thalamus,
        Self::Hippocampus,
        Self::VentralDiencephalon,
        Self::Brainstem,
        Self::CerebellarWhiteMatter,
        Self::CerebellarCortex,
    ];

    /// From a number of FreeSurfer's colour table, or of the maps of SynthSeg's training (above 500), with the side where
    /// the number tells it; `None` for numbers that are unknown.
    pub fn from_freesurfer(number: i32) -> Option<(Self, Option<Side>)> {
        const LEFT: Option<Side> = Some(Side::Left);
        const RIGHT: Option<Side> = Some(Side::Right);
        Some(match number {
            0 => (Self::Background, None),
            24 | 257 => (Self::SulcalFluid, None),
            2 | 25 | 30 | 78 | 3000..=3999 | 5001 => (Self::WhiteMatter, LEFT),
            41 | 57 | 62 | 79 | 4000..=4999 | 5002 => (Self::WhiteMatter, RIGHT),
            77 | 85 | 192 | 250..=255 => (Self::WhiteMatter, None),
            3 | 19 | 1000..=1999 | 11100..=11999 => (Self::Cortex, LEFT),
            42 | 55 | 2000..=2999 | 12100..=12999 => (Self::Cortex, RIGHT),
            4 | 5 | 31 | 136 | 137 => (Self::Ventricle, LEFT),
            43 | 44 | 63 | 163 | 164 => (Self::Ventricle, RIGHT),
            14 | 15 | 72 => (Self::Ventricle, None),
            11 | 26 => (Self::Caudate, LEFT),
            50 | 58 => (Self::Caudate, RIGHT),
            12 => (Self::Putamen, LEFT),
            51 => (Self::Putamen, RIGHT),
            13 => (Self::Pallidum, LEFT),
            52 => (Self::Pallidum, RIGHT),
            9 | 10 => (Self::Thalamus, LEFT),
            48 | 49 => (Self::Thalamus, RIGHT),
            17 | 18 | 96 => (Self::Hippocampus, LEFT),
            53 | 54 | 97 => (Self::Hippocampus, RIGHT),
            27 | 28 => (Self::VentralDiencephalon, LEFT),
            59 | 60 => (Self::VentralDiencephalon, RIGHT),
            16 | 170..=179 => (Self::Brainstem, None),
            7 => (Self::CerebellarWhiteMatter, LEFT),
            46 => (Self::CerebellarWhiteMatter, RIGHT),
            6 | 8 => (Self::CerebellarCortex, LEFT),
            45 | 47 => (Self::CerebellarCortex, RIGHT),
            630..=632 => (Self::CerebellarCortex, None),
            165 | 258 | 502 | 506..=516 | 530 => (Self::Outside, None),
            _ => return None,
        })
    }

    /// FreeSurfer's number on a side. Structures that FreeSurfer tells apart and [`Tissue`] does not have the
    /// number of the largest.
    pub const fn freesurfer(self, side: Side) -> i32 {
        let (left, right) = match self {
            Self::Background => (0, 0),
            Self::Outside => (258, 258),
            Self::SulcalFluid => (24, 24),
            Self::WhiteMatter => (2, 41),
            Self::Cortex => (3, 42),
            Self::Ventricle => (4, 43),
            Self::Caudate => (11, 50),
            Self::Putamen => (12, 51),
            Self::Pallidum => (13, 52),
            Self::Thalamus => (10, 49),
            Self::Hippocampus => (17, 53),
            Self::VentralDiencephalon => (28, 60),
            Self::Brainstem => (16, 16),
            Self::CerebellarWhiteMatter => (7, 46),
            Self::CerebellarCortex => (8, 47),
        };
        match side {
            Side::Left => left,
            Side::Right => right,
        }
    }

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Outside => "skull and soft tissue",
            Self::SulcalFluid => "cerebrospinal fluid",
            Self::WhiteMatter => "cerebral white matter",
            Self::Cortex => "cerebral cortex",
            Self::Ventricle => "ventricles",
            Self::Caudate => "caudate",
            Self::Putamen => "putamen",
            Self::Pallidum => "pallidum",
            Self::Thalamus => "thalamus",
            Self::Hippocampus => "hippocampus and amygdala",
            Self::VentralDiencephalon => "ventral diencephalon",
            Self::Brainstem => "brainstem",
            Self::CerebellarWhiteMatter => "cerebellar white matter",
            Self::CerebellarCortex => "cerebellar cortex",
        }
    }

    /// Parenchyma and ventricles: what a brain mask holds, apart from the fluid in sulci.
    pub const fn is_brain(self) -> bool {
        !matches!(self, Self::Background | Self::Outside | Self::SulcalFluid)
    }

    /// The probability of brain among those of all tissues, or of what is not brain.
    pub(crate) fn probability_of_brain(is_brain: bool, probabilities: &[f32]) -> f32 {
        let tissues = Self::ALL.iter().zip(probabilities);
        tissues.filter(|(tissue, _)| tissue.is_brain() == is_brain).map(|(_, p)| p).sum()
    }

    /// Whether it lies on both sides of the midline, so that its side has a meaning.
    pub const fn has_sides(self) -> bool {
        self.is_brain() && !matches!(self, Self::Brainstem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_numbers_and_freesurfers_come_back() {
        for (number, tissue) in Tissue::ALL.into_iter().enumerate() {
            assert_eq!(tissue as usize, number);
            for side in [Side::Left, Side::Right] {
                let (back, of_side) = Tissue::from_freesurfer(tissue.freesurfer(side)).unwrap();
                assert_eq!(back, tissue);
                assert!(of_side == tissue.has_sides().then_some(side), "{tissue:?} {side:?}");
            }
        }
        assert_eq!(Tissue::from_freesurfer(999), None);
        assert_eq!(Tissue::from_freesurfer(-1), None);
    }
}
