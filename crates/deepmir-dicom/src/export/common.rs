//! What all objects share: patient, study, equipment, identifiers.

use super::codes::{self, Code};
use super::result::ScanResult;
use super::source::Source;
use super::uid::Content;
use crate::object::{Object, tags};

/// The maker, in the sense of DICOM.
pub const MAKER: &str = "deepmir";
/// Said in all of them.
pub const NOT_A_DEVICE: &str = "Research software, not a medical device";

/// Which of the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Segmentation.
    Segmentation,
    /// Structured report.
    Report,
    /// Secondary capture of the picture.
    Picture,
    /// Derived MR images.
    Map(MapKind),
}

/// A map that the lesions were found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// Susceptibility.
    Qsm,
    /// Susceptibility-weighted image, made of raw echoes.
    Swi,
}

impl MapKind {
    /// As image types have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qsm => "QSM",
            Self::Swi => "SWI",
        }
    }
}

impl Kind {
    /// The UID of its class.
    pub fn class(self) -> &'static str {
        match self {
            Self::Segmentation => "1.2.840.10008.5.1.4.1.1.66.4",
            Self::Report => "1.2.840.10008.5.1.4.1.1.88.34",
            Self::Picture => "1.2.840.10008.5.1.4.1.1.7",
            Self::Map(_) => "1.2.840.10008.5.1.4.1.1.4",
        }
    }

    fn modality(self) -> &'static str {
        match self {
            Self::Segmentation => "SEG",
            Self::Report => "SR",
            Self::Picture => "OT",
            Self::Map(_) => "MR",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Segmentation => "deepmir lesions",
            Self::Report => "deepmir lesion measurements",
            Self::Picture => "deepmir lesion mosaic",
            Self::Map(MapKind::Qsm) => "deepmir QSM",
            Self::Map(MapKind::Swi) => "deepmir SWI",
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::Segmentation => 1,
            Self::Report => 2,
            Self::Picture => 3,
            Self::Map(MapKind::Qsm) => 4,
            Self::Map(MapKind::Swi) => 5,
        }
    }
}

/// Identifiers of what is written for one scan.
pub struct Uids(Content);

impl Uids {
    /// Of a scan: they change with its images, its lesions, the model and what is made of them.
    pub fn new(source: &Source<'_>, result: &ScanResult, one_segment_a_lesion: bool) -> Self {
        let identity = &source.stack.header().identity;
        let mut content = Content::new()
            .with(env!("CARGO_PKG_VERSION").as_bytes())
            .with(identity.study.as_bytes())
            .with(identity.series.as_bytes())
            .with(&[u8::from(one_segment_a_lesion)]);
        for frame in &source.stack.frames {
            content = content.with(frame.header.identity.instance.as_bytes());
        }
        content = content.with(result.labels.volume().data());
        let numbers = result.instances.data().iter();
        content =
            content.with(&numbers.flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>());
        for row in &result.rows {
            let probability = result.probabilities.get(&row.lesion_id);
            content = content.with(format!("{row:?} {probability:?}").as_bytes());
        }
        Self(content.with(result.model_id.as_bytes()).with(result.version.as_bytes()))
    }

    /// Of the object of a kind.
    pub fn instance(&self, kind: Kind) -> String {
        self.0.uid(kind.modality())
    }

    /// Of what is also made of more bytes.
    pub fn with(&self, bytes: &[u8]) -> Self {
        Self(self.0.clone().with(bytes))
    }

    /// Of something within the objects.
    pub fn of(&self, what: &str) -> String {
        self.0.uid(what)
    }
}

/// The modules that every object has, but for the class's own.
pub fn base(kind: Kind, source: &Source<'_>, result: &ScanResult, uids: &Uids) -> Object {
    let header = source.stack.header();
    let number = header.series_number.unwrap_or(0).clamp(0, 1_000_000) * 100 + kind.number();
    Object::new()
        .with(&source.patient_and_study)
        .text(tags::SOP_CLASS_UID, kind.class())
        .text(tags::SOP_INSTANCE_UID, &uids.instance(kind))
        .text(tags::MODALITY, kind.modality())
        .text(tags::STUDY_INSTANCE_UID, &header.identity.study)
        .text(tags::SERIES_INSTANCE_UID, &uids.of(&format!("series {}", kind.modality())))
        .text(tags::SERIES_NUMBER, &number.to_string())
        .text(tags::SERIES_DESCRIPTION, kind.description())
        .text(tags::INSTANCE_NUMBER, "1")
        .text(tags::CONTENT_DATE, &result.written[0])
        .text(tags::CONTENT_TIME, &result.written[1])
        .text(tags::MANUFACTURER, MAKER)
        .text(tags::MODEL_NAME, &short(&result.model))
        .text(tags::DEVICE_SERIAL_NUMBER, &short(&result.model_id))
        .text(tags::SOFTWARE_VERSIONS, &short(&result.version))
}

/// Of the program that writes: the same for every object of a version.
pub fn implementation() -> String {
    Content::new().with(env!("CARGO_PKG_VERSION").as_bytes()).uid("implementation")
}

/// Text that fits an LO: 64 letters, no backslash.
pub fn short(text: &str) -> String {
    text.chars().filter(|&letter| letter != '\\' && !letter.is_control()).take(64).collect()
}

/// How the lesions were found.
pub fn algorithm(result: &ScanResult) -> Object {
    Object::new()
        .items(tags::ALGORITHM_FAMILY_CODE_SEQUENCE, vec![codes::ARTIFICIAL_INTELLIGENCE.item()])
        .text(tags::ALGORITHM_NAME, &algorithm_name(result))
        .text(tags::ALGORITHM_VERSION, &algorithm_version(result))
}

/// The model's name.
pub fn algorithm_name(result: &ScanResult) -> String {
    short(&format!("deepmir, model {}", result.model))
}

/// Program and checksum of the model.
pub fn algorithm_version(result: &ScanResult) -> String {
    short(&format!("{}, model {}", result.version, result.model_id))
}

/// Where a lesion lies, as an item with its side.
pub fn site_item(site: Code, side: Option<Code>) -> Object {
    match side {
        Some(side) => site.item().items(tags::ANATOMIC_REGION_MODIFIER_SEQUENCE, vec![side.item()]),
        None => site.item(),
    }
}
