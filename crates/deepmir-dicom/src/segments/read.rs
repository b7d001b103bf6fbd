//! The header of a segmentation.

use std::collections::BTreeSet;

use crate::header::{NoImage, Plane, planes};
use crate::parse::{Dataset, Encoding, Parsed, tags};

/// The classes of segmentations: of bits and fractions, and of labels.
const CLASSES: [&str; 2] = ["1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"];

/// A segment, as it is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub number: u16,
    /// Its label, which people give.
    pub label: String,
    /// Code and scheme of what it is.
    pub code: [String; 2],
}

/// A segmentation without its pixels.
#[derive(Clone, Debug)]
pub struct Segmentation {
    /// Its file, by number.
    pub file: usize,
    /// What the segments are.
    pub segments: Vec<Segment>,
    /// The number of a frame's segment, and where it is.
    pub frames: Vec<(u16, Plane)>,
    /// Images that it was drawn on.
    pub instances: BTreeSet<String>,
    /// Series that it was drawn on.
    pub series: BTreeSet<String>,
}

/// Whether a file is a segmentation.
pub fn is_segmentation(parsed: &Parsed<'_>) -> bool {
    parsed.dataset.text(tags::SOP_CLASS_UID).is_some_and(|class| CLASSES.contains(&&*class))
}

/// Reads the header of a segmentation.
///
/// # Errors
/// If it is not of bits, or contradicts itself.
pub fn read(file: usize, parsed: &Parsed<'_>) -> Result<Segmentation, NoImage> {
    let data = &parsed.dataset;
    let fault = |reason: &str| Err(NoImage::Damaged(reason.to_owned()));
    let kind = data.text(tags::SEGMENTATION_TYPE).unwrap_or_default();
    if kind != "BINARY" || data.number(tags::BITS_ALLOCATED) != Some(1.0) {
        return fault(
            "a segmentation of fractions or labels, which is not read; save it as a binary one",
        );
    }
    if parsed.encoding != Encoding::Plain {
        return fault("a compressed segmentation, which is not read; save it without compression");
    }
    let planes = planes(data)?;
    let frames = data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS);
    let shared = data.items(tags::SHARED_FUNCTIONAL_GROUPS);
    let number = |group: &Dataset<'_>| {
        let of_segment = group.items(tags::SEGMENT_IDENTIFICATION_SEQUENCE);
        of_segment.first()?.number(tags::REFERENCED_SEGMENT_NUMBER).map(|number| number as u16)
    };
    let common = shared.first().and_then(number);
    let numbers: Option<Vec<u16>> = frames.iter().map(|frame| number(frame).or(common)).collect();
    let Some(numbers) = numbers else { return fault("a frame that says no segment") };
    let segments: Option<Vec<Segment>> =
        data.items(tags::SEGMENT_SEQUENCE).iter().map(segment).collect();
    let Some(segments) = segments else { return fault("a segment without a number") };
    if !numbers.iter().all(|number| segments.iter().any(|segment| segment.number == *number)) {
        return fault("a frame of a segment that is not described");
    }
    let (mut instances, mut series) = (BTreeSet::new(), BTreeSet::new());
    for of_series in data.items(tags::REFERENCED_SERIES_SEQUENCE) {
        series.extend(of_series.text(tags::SERIES_INSTANCE_UID));
        let all = of_series.items(tags::REFERENCED_INSTANCE_SEQUENCE);
        instances.extend(all.iter().filter_map(|one| one.text(tags::REFERENCED_SOP_INSTANCE_UID)));
    }
    for group in shared.iter().chain(&frames) {
        for derivation in group.items(tags::DERIVATION_IMAGE_SEQUENCE) {
            let all = derivation.items(tags::SOURCE_IMAGE_SEQUENCE);
            instances
                .extend(all.iter().filter_map(|one| one.text(tags::REFERENCED_SOP_INSTANCE_UID)));
        }
    }
    let frames = numbers.into_iter().zip(planes).collect();
    Ok(Segmentation { file, segments, frames, instances, series })
}

fn segment(item: &Dataset<'_>) -> Option<Segment> {
    let code = item.items(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE).into_iter().next();
    let of_code = |tag| code.as_ref().and_then(|code| code.text(tag)).unwrap_or_default();
    Some(Segment {
        number: item.number(tags::SEGMENT_NUMBER)? as u16,
        label: item.text(tags::SEGMENT_LABEL).unwrap_or_default(),
        code: [of_code(tags::CODE_VALUE), of_code(tags::CODING_SCHEME_DESIGNATOR)],
    })
}
