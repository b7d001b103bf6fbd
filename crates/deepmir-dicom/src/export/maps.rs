//! QSM and SWI as derived MR images, one slice a file, in the planes of the source.

use std::path::Path;

use deepmir_volume::{Volume, nifti};

use super::codes::{self, Code};
use super::common::{Kind, MapKind, NOT_A_DEVICE, Uids, base};
use super::result::ScanResult;
use super::source::{Source, Way, lies_on};
use crate::DicomError;
use crate::header::Frame;
use crate::object::{Object, tags};

const PPM: Code = Code("ppm", "UCUM", "ppm");

/// A map in whole numbers: value = number × slope.
struct Scaled {
    kind: MapKind,
    map: Volume<f32>,
    slope: f64,
    uids: Uids,
}

/// The slices of a map, in the order of the source's, with the identifier of each.
///
/// # Errors
/// If it cannot be read, or lies on another grid than the source.
pub fn objects(
    kind: MapKind,
    path: &Path,
    source: &Source<'_>,
    result: &ScanResult,
    uids: &Uids,
) -> Result<Vec<(String, Object)>, DicomError> {
    let map = nifti::read(path)?.volume;
    let grid = source.grid()?;
    if !lies_on(map.grid(), &grid) {
        let reason = "it has another grid than the label map; export without --maps".to_owned();
        return Err(DicomError::Results { path: path.to_owned(), reason });
    }
    let largest = map.data().iter().filter(|value| value.is_finite());
    let largest = largest.fold(0.0_f32, |most, value| most.max(value.abs()));
    let whole = if kind == MapKind::Qsm { 32767.0 } else { 65535.0 };
    let slope = if largest > 0.0 { f64::from(largest) / whole } else { 1.0 };
    // What is written in sixteen letters is what the numbers are divided by.
    let slope = format!("{slope:.9e}").parse().unwrap_or(slope);
    let bytes: Vec<u8> = map.data().iter().flat_map(|value| value.to_le_bytes()).collect();
    let scaled = Scaled { kind, slope, uids: uids.with(&bytes), map };
    let way = Way::new(&grid, scaled.map.grid());
    let frames = source.stack.frames.iter().enumerate();
    Ok(frames.map(|(slice, frame)| scaled.slice(slice, frame, &way, source, result)).collect())
}

impl Scaled {
    fn slice(
        &self,
        slice: usize,
        frame: &Frame,
        way: &Way,
        source: &Source<'_>,
        result: &ScanResult,
    ) -> (String, Object) {
        let plane = &frame.plane;
        let [columns, rows] = plane.shape;
        let mut pixels = Vec::with_capacity(2 * columns * rows);
        for row in 0..rows {
            for column in 0..columns {
                // Volumes have rows from the last to the first.
                let voxel = way.of([column, rows - 1 - row, slice]);
                let value = voxel.map_or(0.0, |voxel| self.map[voxel]);
                pixels.extend(self.stored(value));
            }
        }
        let kind = Kind::Map(self.kind);
        let instance = self.uids.of(&format!("slice {slice}"));
        let header = source.stack.header();
        let signed = u16::from(self.kind == MapKind::Qsm);
        let image = source
            .reference(frame)
            .items(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![codes::SOURCE_IMAGE.item()]);
        let [across_columns, across_rows] = plane.spacing_mm;
        let time = |object: Object, attribute, value: Option<f64>| match value {
            Some(value) => object.decimals(attribute, &[value]),
            None => object.text(attribute, ""),
        };
        let object = base(kind, source, result, &self.uids)
            .text(tags::SOP_INSTANCE_UID, &instance)
            .text(tags::SERIES_INSTANCE_UID, &self.uids.of("series"))
            .text(tags::INSTANCE_NUMBER, &(slice + 1).to_string())
            .text(tags::IMAGE_TYPE, &format!("DERIVED\\SECONDARY\\{}", self.kind.name()))
            .text(tags::LATERALITY, "")
            .text(tags::PATIENT_POSITION, &source.patient_position)
            .text(tags::FRAME_OF_REFERENCE_UID, &source.frame_of_reference_or(&self.uids))
            .text(tags::POSITION_REFERENCE_INDICATOR, "")
            .text(tags::DERIVATION_DESCRIPTION, NOT_A_DEVICE)
            .items(tags::SOURCE_IMAGE_SEQUENCE, vec![image])
            .text(tags::SCANNING_SEQUENCE, "GR")
            .text(tags::SEQUENCE_VARIANT, "NONE")
            .text(tags::SCAN_OPTIONS, "")
            .text(tags::MR_ACQUISITION_TYPE, header.acquisition_type.as_deref().unwrap_or(""))
            .text(tags::ECHO_TRAIN_LENGTH, "")
            .decimals(tags::IMAGE_POSITION, &plane.position_mm)
            .decimals(tags::IMAGE_ORIENTATION, &[plane.along_row, plane.along_column].concat())
            .decimals(tags::PIXEL_SPACING, &[across_rows, across_columns])
            .short(tags::SAMPLES_PER_PIXEL, 1)
            .text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2")
            .short(tags::ROWS, rows as u16)
            .short(tags::COLUMNS, columns as u16)
            .short(tags::BITS_ALLOCATED, 16)
            .short(tags::BITS_STORED, 16)
            .short(tags::HIGH_BIT, 15)
            .short(tags::PIXEL_REPRESENTATION, signed)
            .text(tags::BURNED_IN_ANNOTATION, "NO")
            .decimals(tags::RESCALE_INTERCEPT, &[0.0])
            .decimals(tags::RESCALE_SLOPE, &[self.slope])
            .bytes(tags::PIXEL_WORDS, pixels);
        let object = time(object, tags::SLICE_THICKNESS, header.slice_thickness_mm);
        let object = time(object, tags::REPETITION_TIME, header.repetition_time_ms);
        // A map is of all echoes.
        let object = object.text(tags::ECHO_TIME, "");
        let object = match self.kind {
            MapKind::Qsm => {
                let units = vec![PPM.item()];
                let mapping = Object::new().items(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, units);
                let mapping = mapping
                    .signed(tags::FIRST_VALUE_MAPPED, i16::MIN)
                    .signed(tags::LAST_VALUE_MAPPED, i16::MAX)
                    .text(tags::LUT_EXPLANATION, "Magnetic susceptibility")
                    .text(tags::LUT_LABEL, "QSM")
                    .double(tags::REAL_WORLD_INTERCEPT, 0.0)
                    .double(tags::REAL_WORLD_SLOPE, self.slope);
                object
                    .text(tags::RESCALE_TYPE, "ppm")
                    .items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![mapping])
            }
            MapKind::Swi => object.text(tags::RESCALE_TYPE, "US"),
        };
        (instance, object)
    }

    fn stored(&self, value: f32) -> [u8; 2] {
        let number = (f64::from(value) / self.slope).round();
        match self.kind {
            MapKind::Qsm => (number as i16).to_le_bytes(),
            MapKind::Swi => (number as u16).to_le_bytes(),
        }
    }
}
