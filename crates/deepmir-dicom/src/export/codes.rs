//! Coded terms: SNOMED CT (SCT), DICOM's own (DCM), units (UCUM), and ours where those have none.

use deepmir_lesion::{LesionClass, MarsRegion, Side};

use crate::object::{Object, tags};

/// A code: value, scheme, meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub &'static str, pub &'static str, pub &'static str);

/// The scheme of terms that no other scheme has.
pub const OWN_SCHEME: &str = "99DEEPMIR";

impl Code {
    /// As an item of a sequence of codes.
    pub fn item(self) -> Object {
        Object::new()
            .text(tags::CODE_VALUE, self.0)
            .text(tags::CODING_SCHEME_DESIGNATOR, self.1)
            .text(tags::CODE_MEANING, self.2)
    }
}

pub const ABNORMAL_STRUCTURE: Code = Code("49755003", "SCT", "Morphologically Abnormal Structure");
pub const ARTIFICIAL_INTELLIGENCE: Code = Code("123110", "DCM", "Artificial Intelligence");
pub const SEGMENTATION: Code = Code("113076", "DCM", "Segmentation");
pub const SOURCE_IMAGE: Code = Code("121322", "DCM", "Source image for image processing operation");
pub const BRAIN: Code = Code("12738006", "SCT", "Brain");

/// What a lesion of a class is.
pub fn finding(class: LesionClass) -> Code {
    match class {
        LesionClass::Cmb => Code("723857007", "SCT", "Silent micro-hemorrhage of brain"),
        LesionClass::Nhid => Code("NHID", OWN_SCHEME, "Non-hemorrhage iron deposit"),
    }
}

/// The colour that viewers show a class in, as in our pictures: orange and blue, in CIELab as DICOM codes it (PS3.3,
/// C.10.7.1.1).
pub fn colour(class: LesionClass) -> [u16; 3] {
    match class {
        LesionClass::Cmb => [46_273, 37_130, 52_090],
        LesionClass::Nhid => [30_129, 32_193, 22_265],
    }
}

/// A region of MARS as an anatomic structure.
pub fn site(region: MarsRegion) -> Code {
    match region {
        MarsRegion::Brainstem => Code("119238007", "SCT", "Brain Stem"),
        MarsRegion::Cerebellum => Code("113305005", "SCT", "Cerebellum"),
        MarsRegion::BasalGanglia => Code("32610002", "SCT", "Basal ganglion"),
        MarsRegion::Thalamus => Code("42695009", "SCT", "Thalamus"),
        MarsRegion::InternalCapsule => Code("85637007", "SCT", "Internal capsule"),
        MarsRegion::ExternalCapsule => Code("10517005", "SCT", "External capsule"),
        MarsRegion::CorpusCallosum => Code("88442005", "SCT", "Corpus callosum"),
        MarsRegion::DeepWhiteMatter => Code("68523003", "SCT", "Cerebral White Matter"),
        MarsRegion::Frontal => Code("83251001", "SCT", "Frontal lobe"),
        MarsRegion::Parietal => Code("16630005", "SCT", "Parietal lobe"),
        MarsRegion::Temporal => Code("78277001", "SCT", "Temporal lobe"),
        MarsRegion::Occipital => Code("31065004", "SCT", "Occipital lobe"),
        MarsRegion::Insula => Code("36169008", "SCT", "Insula"),
    }
}

/// A side of the body.
pub fn laterality(side: Side) -> Code {
    match side {
        Side::Left => Code("7771000", "SCT", "Left"),
        Side::Right => Code("24028007", "SCT", "Right"),
    }
}
