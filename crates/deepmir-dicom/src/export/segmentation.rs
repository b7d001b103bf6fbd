//! DICOM SEG: binary, one segment a class or a lesion, and only frames that hold something.

use std::collections::{BTreeMap, BTreeSet};

use deepmir_lesion::{LesionClass, LesionRow};

use super::codes;
use super::common::{Kind, MAKER, NOT_A_DEVICE, Uids, algorithm, algorithm_name, base, site_item};
use super::result::ScanResult;
use super::source::{Source, Way};
use crate::DicomError;
use crate::object::{Object, tags};

/// What a segment holds.
#[derive(Clone, Copy)]
enum Holds<'a> {
    Class(LesionClass),
    Lesion(&'a LesionRow),
}

/// The segments of a scan.
pub struct Segmentation<'a> {
    segments: Vec<Holds<'a>>,
    /// Pixels of a frame, by number of the segment and of the slice.
    frames: BTreeMap<(u16, usize), Vec<usize>>,
}

impl<'a> Segmentation<'a> {
    /// Puts a result's voxels on the slices of its source.
    ///
    /// # Errors
    /// If the slices make no volume, or there are more lesions than segments.
    pub fn new(
        source: &Source<'_>,
        result: &'a ScanResult,
        one_segment_a_lesion: bool,
    ) -> Result<Self, DicomError> {
        let (from, to) = (*result.labels.grid(), source.grid()?);
        let rows = || result.rows.iter().map(Holds::Lesion);
        let classes = || {
            let there = |class: &LesionClass| result.labels.count_of(*class) > 0;
            LesionClass::ALL.into_iter().filter(there).map(Holds::Class)
        };
        let segments: Vec<Holds<'_>> =
            if one_segment_a_lesion { rows().collect() } else { classes().collect() };
        if segments.len() >= usize::from(u16::MAX) {
            let reason = "more lesions than segments; export without --instances".to_owned();
            return Err(DicomError::Results { path: result.path.clone(), reason });
        }
        let way = Way::new(&from, &to);
        let [columns, rows, _] = to.shape();
        let mut frames: BTreeMap<(u16, usize), Vec<usize>> = BTreeMap::new();
        for (n, segment) in (1_u16..).zip(&segments) {
            for at in 0..from.len() {
                let holds = match segment {
                    Holds::Class(class) => result.labels.class_at(at) == Some(*class),
                    Holds::Lesion(row) => {
                        usize::try_from(result.instances.data()[at]) == Ok(row.lesion_id)
                    }
                };
                if holds && let Some([column, up, slice]) = way.of(from.voxel(at)) {
                    // Volumes have rows from the last to the first.
                    let pixel = (rows - 1 - up) * columns + column;
                    frames.entry((n, slice)).or_default().push(pixel);
                }
            }
        }
        Ok(Self { segments, frames })
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The segment that a lesion is in.
    pub fn number_of(&self, row: &LesionRow) -> Option<u16> {
        let holds = |segment: &Holds<'_>| match segment {
            Holds::Class(class) => *class == row.class,
            Holds::Lesion(other) => other.lesion_id == row.lesion_id,
        };
        self.segments.iter().position(holds).map(|n| n as u16 + 1)
    }

    /// The object.
    ///
    /// # Errors
    /// If the slices make no volume.
    pub fn object(
        &self,
        source: &Source<'_>,
        result: &ScanResult,
        uids: &Uids,
    ) -> Result<Object, DicomError> {
        let [columns, rows, _] = source.grid()?.shape();
        let segments = (1_u16..).zip(&self.segments);
        let segments = segments.map(|(n, holds)| segment(n, *holds, result, uids));
        let per_frame = self.frames.keys().map(|&(n, slice)| self.frame(n, slice, source));
        let frame_of_reference =
            source.frame_of_reference.clone().unwrap_or_else(|| uids.of("frame of reference"));
        let series = Object::new()
            .text(tags::SERIES_INSTANCE_UID, &source.stack.header().identity.series)
            .items(tags::REFERENCED_INSTANCE_SEQUENCE, source.instances());
        Ok(base(Kind::Segmentation, source, result, uids)
            .text(tags::IMAGE_TYPE, "DERIVED\\PRIMARY")
            .text(tags::FRAME_OF_REFERENCE_UID, &frame_of_reference)
            .text(tags::POSITION_REFERENCE_INDICATOR, "")
            .items(tags::REFERENCED_SERIES_SEQUENCE, vec![series])
            .short(tags::SAMPLES_PER_PIXEL, 1)
            .text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2")
            .text(tags::NUMBER_OF_FRAMES, &self.frames.len().to_string())
            .short(tags::ROWS, rows as u16)
            .short(tags::COLUMNS, columns as u16)
            .short(tags::BITS_ALLOCATED, 1)
            .short(tags::BITS_STORED, 1)
            .short(tags::HIGH_BIT, 0)
            .short(tags::PIXEL_REPRESENTATION, 0)
            .text(tags::LOSSY_IMAGE_COMPRESSION, "00")
            .text(tags::BURNED_IN_ANNOTATION, "NO")
            .text(tags::CONTENT_LABEL, "LESIONS")
            .text(tags::CONTENT_DESCRIPTION, NOT_A_DEVICE)
            .text(tags::CONTENT_CREATOR_NAME, &format!("{MAKER}^"))
            .text(tags::SEGMENTATION_TYPE, "BINARY")
            .text(tags::SEGMENTS_OVERLAP, "NO")
            .items(tags::SEGMENT_SEQUENCE, segments.collect())
            .with(&dimensions(uids))
            .items(tags::SHARED_FUNCTIONAL_GROUPS, vec![shared(source)?])
            .items(tags::PER_FRAME_FUNCTIONAL_GROUPS, per_frame.collect())
            .bytes(tags::PIXEL_DATA, self.pixels(columns * rows)))
    }

    /// A frame's own functional groups.
    fn frame(&self, segment: u16, slice: usize, source: &Source<'_>) -> Object {
        let frame = &source.stack.frames[slice];
        let of_segment = Object::new().short(tags::REFERENCED_SEGMENT_NUMBER, segment);
        let position = Object::new().decimals(tags::IMAGE_POSITION, &frame.plane.position_mm);
        // Places are counted without those that no segment has.
        let places: BTreeSet<usize> = self.frames.keys().map(|&(_, slice)| slice).collect();
        let index = [u32::from(segment), places.range(..=slice).count() as u32];
        let content = Object::new().longs(tags::DIMENSION_INDEX_VALUES, &index);
        let image = source
            .reference(frame)
            .text(tags::SPATIAL_LOCATIONS_PRESERVED, "YES")
            .items(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![codes::SOURCE_IMAGE.item()]);
        let derivation = Object::new()
            .items(tags::SOURCE_IMAGE_SEQUENCE, vec![image])
            .items(tags::DERIVATION_CODE_SEQUENCE, vec![codes::SEGMENTATION.item()]);
        Object::new()
            .items(tags::DERIVATION_IMAGE_SEQUENCE, vec![derivation])
            .items(tags::FRAME_CONTENT_SEQUENCE, vec![content])
            .items(tags::PLANE_POSITION_SEQUENCE, vec![position])
            .items(tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![of_segment])
    }

    /// One bit a pixel, the first in the lowest bit; frames follow each other without a gap.
    fn pixels(&self, of_frame: usize) -> Vec<u8> {
        let mut bytes = vec![0_u8; (of_frame * self.frames.len()).div_ceil(8)];
        for (n, pixels) in self.frames.values().enumerate() {
            for pixel in pixels {
                let bit = n * of_frame + pixel;
                bytes[bit / 8] |= 1 << (bit % 8);
            }
        }
        bytes
    }
}

/// What says what a segment is.
fn segment(number: u16, holds: Holds<'_>, result: &ScanResult, uids: &Uids) -> Object {
    let (class, label, description, site) = match holds {
        Holds::Class(class) => {
            let count = result.rows.iter().filter(|row| row.class == class).count();
            let lesions = if count == 1 { "lesion" } else { "lesions" };
            (class, class.name().to_owned(), format!("{count} {lesions}"), codes::BRAIN.item())
        }
        Holds::Lesion(row) => {
            let site = row.mars_region.map_or(codes::BRAIN, codes::site);
            let site = site_item(site, row.side.map(codes::laterality));
            let label = format!("{} {}", row.class, row.lesion_id);
            (row.class, label, format!("{:.1} mm3", row.volume_mm3), site)
        }
    };
    let object = Object::new()
        .short(tags::SEGMENT_NUMBER, number)
        .text(tags::SEGMENT_LABEL, &label)
        .text(tags::SEGMENT_DESCRIPTION, &format!("{}: {description}", class.full_name()))
        .text(tags::SEGMENT_ALGORITHM_TYPE, "AUTOMATIC")
        .text(tags::SEGMENT_ALGORITHM_NAME, &algorithm_name(result))
        .items(tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE, vec![algorithm(result)])
        .items(
            tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE,
            vec![codes::ABNORMAL_STRUCTURE.item()],
        )
        .items(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, vec![codes::finding(class).item()])
        .items(tags::ANATOMIC_REGION_SEQUENCE, vec![site])
        .bytes(
            tags::RECOMMENDED_DISPLAY_CIELAB_VALUE,
            codes::colour(class).iter().flat_map(|value| value.to_le_bytes()).collect(),
        );
    match holds {
        Holds::Class(_) => object,
        Holds::Lesion(row) => object
            .text(tags::TRACKING_ID, &label)
            .text(tags::TRACKING_UID, &uids.of(&format!("lesion {}", row.lesion_id))),
    }
}

/// Frames are counted by segment, and by place.
fn dimensions(uids: &Uids) -> Object {
    let organization = uids.of("dimensions");
    let index = |pointer: u32, group: u32, label: &str| {
        Object::new()
            .text(tags::DIMENSION_ORGANIZATION_UID, &organization)
            .tag(tags::DIMENSION_INDEX_POINTER, pointer)
            .tag(tags::FUNCTIONAL_GROUP_POINTER, group)
            .text(tags::DIMENSION_DESCRIPTION_LABEL, label)
    };
    let segment = index(
        tags::REFERENCED_SEGMENT_NUMBER.0,
        tags::SEGMENT_IDENTIFICATION_SEQUENCE.0,
        "Segment",
    );
    let place = index(tags::IMAGE_POSITION.0, tags::PLANE_POSITION_SEQUENCE.0, "Position");
    let named = Object::new().text(tags::DIMENSION_ORGANIZATION_UID, &organization);
    Object::new()
        .items(tags::DIMENSION_ORGANIZATION_SEQUENCE, vec![named])
        .items(tags::DIMENSION_INDEX_SEQUENCE, vec![segment, place])
}

/// The functional groups of all frames.
fn shared(source: &Source<'_>) -> Result<Object, DicomError> {
    let plane = &source.stack.frames[0].plane;
    let apart = source.grid()?.voxel_sizes_mm()[2];
    let thickness = source.stack.header().slice_thickness_mm.unwrap_or(apart);
    let [across_columns, across_rows] = plane.spacing_mm;
    let measures = Object::new()
        .decimals(tags::SLICE_THICKNESS, &[thickness])
        .decimals(tags::SPACING_BETWEEN_SLICES, &[apart])
        .decimals(tags::PIXEL_SPACING, &[across_rows, across_columns]);
    let axes = [plane.along_row, plane.along_column].concat();
    let orientation = Object::new().decimals(tags::IMAGE_ORIENTATION, &axes);
    Ok(Object::new()
        .items(tags::PIXEL_MEASURES_SEQUENCE, vec![measures])
        .items(tags::PLANE_ORIENTATION_SEQUENCE, vec![orientation]))
}
