//! The classes that intensities are drawn for, finer than [`Tissue`].

use crate::{Side, Tissue};

/// What one voxel of a [`Head`](super::Head) is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
#[repr(u8)]
pub enum Class {
    Air,
    SoftTissue,
    Skin,
    EyeMuscle,
    Mucosa,
    CorticalBone,
    Marrow,
    Eye,
    Artery,
    Vein,
    Cord,
    SulcalFluid,
    WhiteMatter,
    WhiteMatterLesion,
    Commissure,
    Vessel,
    Cortex,
    LateralVentricle,
    MiddleVentricle,
    ChoroidPlexus,
    Caudate,
    Accumbens,
    Putamen,
    Pallidum,
    Thalamus,
    Hippocampus,
    Amygdala,
    VentralDiencephalon,
    Nigra,
    Brainstem,
    CerebellarWhiteMatter,
    Dentate,
    CerebellarCortex,
    /// Beyond the edge of the label map, where the head goes on.
    Unknown,
}

impl Class {
    /// How many there are.
    pub const COUNT: usize = Self::Unknown as usize + 1;

    /// All, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Air,
        Self::SoftTissue,
        Self::Skin,
        Self::EyeMuscle,
        Self::Mucosa,
        Self::CorticalBone,
        Self::Marrow,
        Self::Eye,
        Self::Artery,
        Self::Vein,
        Self::Cord,
        Self::SulcalFluid,
        Self::WhiteMatter,
        Self::WhiteMatterLesion,
        Self::Commissure,
        Self::Vessel,
        Self::Cortex,
        Self::LateralVentricle,
        Self::MiddleVentricle,
        Self::ChoroidPlexus,
        Self::Caudate,
        Self::Accumbens,
        Self::Putamen,
        Self::Pallidum,
        Self::Thalamus,
        Self::Hippocampus,
        Self::Amygdala,
        Self::VentralDiencephalon,
        Self::Nigra,
        Self::Brainstem,
        Self::CerebellarWhiteMatter,
        Self::Dentate,
        Self::CerebellarCortex,
        Self::Unknown,
    ];

    /// The tissue it belongs to; `None` where nothing is known.
    pub const fn tissue(self) -> Option<Tissue> {
        Some(match self {
            Self::Air => Tissue::Background,
            Self::SoftTissue
            | Self::Skin
            | Self::EyeMuscle
            | Self::Mucosa
            | Self::CorticalBone
            | Self::Marrow
            | Self::Eye
            | Self::Artery
            | Self::Vein
            | Self::Cord => Tissue::Outside,
            Self::SulcalFluid => Tissue::SulcalFluid,
            Self::WhiteMatter | Self::WhiteMatterLesion | Self::Commissure | Self::Vessel => {
                Tissue::WhiteMatter
            }
            Self::Cortex => Tissue::Cortex,
            Self::LateralVentricle | Self::MiddleVentricle | Self::ChoroidPlexus => {
                Tissue::Ventricle
            }
            Self::Caudate | Self::Accumbens => Tissue::Caudate,
            Self::Putamen => Tissue::Putamen,
            Self::Pallidum => Tissue::Pallidum,
            Self::Thalamus => Tissue::Thalamus,
            Self::Hippocampus | Self::Amygdala => Tissue::Hippocampus,
            Self::VentralDiencephalon | Self::Nigra => Tissue::VentralDiencephalon,
            Self::Brainstem => Tissue::Brainstem,
            Self::CerebellarWhiteMatter | Self::Dentate => Tissue::CerebellarWhiteMatter,
            Self::CerebellarCortex => Tissue::CerebellarCortex,
            Self::Unknown => return None,
        })
    }

    /// From a number that [`Tissue::from_freesurfer`] knows.
    fn from_freesurfer(number: i32, tissue: Tissue) -> Self {
        match (tissue, number) {
            (Tissue::Background, _) => Self::Air,
            (Tissue::Outside, 165 | 515) => Self::CorticalBone,
            (Tissue::Outside, 502) => Self::Artery,
            (Tissue::Outside, 506) => Self::Eye,
            (Tissue::Outside, 508) => Self::EyeMuscle,
            (Tissue::Outside, 509) => Self::Mucosa,
            (Tissue::Outside, 511) => Self::Skin,
            (Tissue::Outside, 512 | 530) => Self::Cord,
            (Tissue::Outside, 514) => Self::Vein,
            (Tissue::Outside, 516) => Self::Marrow,
            (Tissue::Outside, _) => Self::SoftTissue,
            (Tissue::SulcalFluid, _) => Self::SulcalFluid,
            (Tissue::WhiteMatter, 25 | 57 | 77..=79) => Self::WhiteMatterLesion,
            (Tissue::WhiteMatter, 85 | 192 | 250..=255) => Self::Commissure,
            (Tissue::WhiteMatter, 30 | 62) => Self::Vessel,
            (Tissue::WhiteMatter, _) => Self::WhiteMatter,
            (Tissue::Cortex, _) => Self::Cortex,
            (Tissue::Ventricle, 14 | 15 | 72) => Self::MiddleVentricle,
            (Tissue::Ventricle, 31 | 63 | 136 | 137 | 163 | 164) => Self::ChoroidPlexus,
            (Tissue::Ventricle, _) => Self::LateralVentricle,
            (Tissue::Caudate, 26 | 58) => Self::Accumbens,
            (Tissue::Caudate, _) => Self::Caudate,
            (Tissue::Putamen, _) => Self::Putamen,
            (Tissue::Pallidum, _) => Self::Pallidum,
            (Tissue::Thalamus, _) => Self::Thalamus,
            (Tissue::Hippocampus, 18 | 54 | 96 | 97) => Self::Amygdala,
            (Tissue::Hippocampus, _) => Self::Hippocampus,
            (Tissue::VentralDiencephalon, _) => Self::VentralDiencephalon,
            (Tissue::Brainstem, _) => Self::Brainstem,
            (Tissue::CerebellarWhiteMatter, _) => Self::CerebellarWhiteMatter,
            (Tissue::CerebellarCortex, _) => Self::CerebellarCortex,
        }
    }
}

/// A class in the low six bits and a side in the high two (0 unknown, 1 left, 2 right).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub u8);

impl Code {
    /// Nothing.
    pub const AIR: Self = Self(Class::Air as u8);
    /// Beyond the edge of the label map.
    pub const UNKNOWN: Self = Self(Class::Unknown as u8);

    /// Joins a class and a side.
    pub const fn new(class: Class, side: Option<Side>) -> Self {
        let side = match side {
            None => 0,
            Some(Side::Left) => 1,
            Some(Side::Right) => 2,
        };
        Self(class as u8 | side << 6)
    }

    /// From a number of FreeSurfer's table or of SynthSeg's training maps; `None` for unknown ones.
    pub fn from_freesurfer(number: i32) -> Option<Self> {
        let (tissue, side) = Tissue::from_freesurfer(number)?;
        let side = side.filter(|_| tissue.has_sides());
        Some(Self::new(Class::from_freesurfer(number, tissue), side))
    }

    /// The class's number, below [`Class::COUNT`].
    pub const fn class_number(self) -> usize {
        (self.0 & 63) as usize
    }

    /// 0 for unknown, 1 for left, 2 for right.
    pub const fn side_number(self) -> u8 {
        self.0 >> 6
    }

    /// The same class on the other side.
    pub const fn mirrored(self) -> Self {
        let side = match self.side_number() {
            1 => 2,
            2 => 1,
            other => other,
        };
        Self(self.0 & 63 | side << 6)
    }
}

/// The tissue's number of each class; [`super::IGNORED`] for [`Class::Unknown`].
pub(super) fn tissue_numbers() -> [u8; Class::COUNT] {
    Class::ALL.map(|class| class.tissue().map_or(super::IGNORED, |tissue| tissue as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_refine_the_tissues_and_codes_keep_the_side() {
        for (number, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, number);
        }
        for number in -5..13_000 {
            let known = Tissue::from_freesurfer(number);
            let code = Code::from_freesurfer(number);
            assert_eq!(known.is_some(), code.is_some());
            if let (Some((tissue, side)), Some(code)) = (known, code) {
                assert_eq!(Class::ALL[code.class_number()].tissue(), Some(tissue), "{number}");
                let expected = side.filter(|_| tissue.has_sides());
                assert_eq!(Code::new(Class::ALL[code.class_number()], expected), code);
                assert_eq!(code.mirrored().mirrored(), code);
            }
        }
        assert_eq!(Code::from_freesurfer(17).map(Code::mirrored), Code::from_freesurfer(53));
        assert_eq!(Code::from_freesurfer(14).map(Code::side_number), Some(0));
    }
}
