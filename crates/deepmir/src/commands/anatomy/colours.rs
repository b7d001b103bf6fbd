//! Colours of structures.

use deepmir_anatomy::Tissue;

/// The colour of a structure in FreeSurfer's table (`FreeSurferColorLUT.txt`).
pub const fn of(tissue: Tissue) -> [u8; 3] {
    match tissue {
        Tissue::Background => [0, 0, 0],
        Tissue::Outside => [150, 150, 200],
        Tissue::SulcalFluid => [60, 60, 60],
        Tissue::WhiteMatter => [245, 245, 245],
        Tissue::Cortex => [205, 62, 78],
        Tissue::Ventricle => [120, 18, 134],
        Tissue::Caudate => [122, 186, 220],
        Tissue::Putamen => [236, 13, 176],
        Tissue::Pallidum => [12, 48, 255],
        Tissue::Thalamus => [0, 118, 14],
        Tissue::Hippocampus => [220, 216, 20],
        Tissue::VentralDiencephalon => [165, 42, 42],
        Tissue::Brainstem => [119, 159, 176],
        Tissue::CerebellarWhiteMatter => [220, 248, 164],
        Tissue::CerebellarCortex => [230, 148, 34],
    }
}

/// Whether it is coloured in the picture. White matter and what is around the brain are not: between coloured structures
/// they are told apart without it, and more of the image is seen.
pub const fn is_shown(tissue: Tissue) -> bool {
    tissue.is_brain() && !matches!(tissue, Tissue::WhiteMatter)
}
