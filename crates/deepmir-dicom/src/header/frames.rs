//! Frames of a file.

use std::sync::Arc;

use super::{Frame, Header, Identity, Maker, Part, PixelFormat, Plane, Scaling};
use crate::parse::{Dataset, Encoding, Parsed, Tag, tags};

/// No side of an image of a head has more pixels.
const MOST_PIXELS: usize = 8192;
const MOST_FRAMES: f64 = 100_000.0;
/// Cosines are written with six digits; scanners do not turn the axes further than rounding does.
const UNIT_TOLERANCE: f64 = 1e-3;

/// Why a file has no plane of an MR image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoImage {
    /// It is of another kind, which is no fault.
    Other(&'static str),
    /// Its header contradicts itself or lacks what an image needs.
    Damaged(String),
}

/// The planes of a file.
///
/// # Errors
/// If the file holds no MR image, or its header is damaged.
pub fn read(file: usize, parsed: &Parsed<'_>) -> Result<Vec<Frame>, NoImage> {
    let data = &parsed.dataset;
    check_kind(parsed)?;
    let frames = data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS);
    let shared = data.items(tags::SHARED_FUNCTIONAL_GROUPS).into_iter().next();
    let count = data.number(tags::NUMBER_OF_FRAMES).unwrap_or(1.0);
    if !(1.0..=MOST_FRAMES).contains(&count) {
        return Err(NoImage::Damaged(format!("it says that it has {count} frames")));
    }
    let first = Groups { frame: frames.first(), shared: shared.as_ref(), data };
    let header = Arc::new(header(parsed, &first)?);
    if frames.is_empty() && count > 1.0 {
        return Err(NoImage::Other("several frames without a place for each"));
    }
    if !frames.is_empty() && frames.len() as f64 != count {
        return Err(NoImage::Damaged(format!(
            "it says that it has {count} frames, and describes {}",
            frames.len()
        )));
    }
    let instance = data.number(tags::INSTANCE_NUMBER).unwrap_or(0.0) as i64;
    if frames.is_empty() {
        return Ok(vec![frame(file, 0, instance, &header, &first)?]);
    }
    let of = |(number, item)| {
        let groups = Groups { frame: Some(item), shared: shared.as_ref(), data };
        frame(file, number, number as i64 + 1, &header, &groups)
    };
    frames.iter().enumerate().map(of).collect()
}

/// The planes of the frames of a segmentation.
///
/// # Errors
/// If their number or one of them is damaged.
pub fn planes(data: &Dataset<'_>) -> Result<Vec<Plane>, NoImage> {
    let frames = data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS);
    let shared = data.items(tags::SHARED_FUNCTIONAL_GROUPS).into_iter().next();
    if frames.is_empty() || frames.len() != data.frame_count() {
        let described = frames.len();
        let count = data.frame_count();
        return Err(NoImage::Damaged(format!(
            "it says that it has {count} frames, and describes {described}"
        )));
    }
    let of = |frame| plane(&Groups { frame: Some(frame), shared: shared.as_ref(), data });
    frames.iter().map(of).collect()
}

fn check_kind(parsed: &Parsed<'_>) -> Result<(), NoImage> {
    let data = &parsed.dataset;
    if parsed.is_directory {
        return Err(NoImage::Other("a list of files (DICOMDIR)"));
    }
    if data.number(tags::ROWS).is_none() {
        return Err(NoImage::Other("no image (a report, raw data or a presentation state)"));
    }
    if data.text(tags::MODALITY).as_deref() != Some("MR") {
        return Err(NoImage::Other("an image that is not MR"));
    }
    let class = data.text(tags::SOP_CLASS_UID).unwrap_or_default();
    if class.starts_with("1.2.840.10008.5.1.4.1.1.7") {
        return Err(NoImage::Other("a screen capture"));
    }
    let photometric = data.text(tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
    if data.number(tags::SAMPLES_PER_PIXEL).unwrap_or(1.0) != 1.0
        || !(photometric.is_empty() || photometric.starts_with("MONOCHROME"))
    {
        return Err(NoImage::Other("a colour image"));
    }
    Ok(())
}

/// Where an attribute of a frame may stand: its own group, the shared one, the file itself.
struct Groups<'a> {
    frame: Option<&'a Dataset<'a>>,
    shared: Option<&'a Dataset<'a>>,
    data: &'a Dataset<'a>,
}

impl Groups<'_> {
    fn find<T>(&self, sequence: Tag, get: impl Fn(&Dataset<'_>) -> Option<T>) -> Option<T> {
        let within = |group: Option<&Dataset<'_>>| group?.items(sequence).first().and_then(&get);
        within(self.frame).or_else(|| within(self.shared)).or_else(|| get(self.data))
    }

    fn numbers<const N: usize>(&self, sequence: Tag, tag: Tag) -> Option<[f64; N]> {
        self.find(sequence, |group| <[f64; N]>::try_from(group.numbers(tag)).ok())
    }

    fn number(&self, sequence: Tag, tag: Tag) -> Option<f64> {
        self.find(sequence, |group| group.number(tag))
    }

    fn text(&self, sequence: Tag, tag: Tag) -> Option<String> {
        self.find(sequence, |group| group.text(tag))
    }
}

fn header(parsed: &Parsed<'_>, groups: &Groups<'_>) -> Result<Header, NoImage> {
    let data = groups.data;
    let manufacturer = data.text(tags::MANUFACTURER);
    let maker = Maker::of(manufacturer.as_deref().unwrap_or_default());
    let timing = |tag| groups.number(tags::MR_TIMING_SEQUENCE, tag);
    let inversion = groups
        .number(tags::MR_MODIFIER_SEQUENCE, tags::INVERSION_TIMES)
        .or_else(|| data.number(tags::INVERSION_TIME));
    let no_inversion = groups
        .text(tags::MR_MODIFIER_SEQUENCE, tags::INVERSION_RECOVERY)
        .is_some_and(|said| said == "NO");
    let mut sequence = data.texts(tags::SCANNING_SEQUENCE);
    sequence.extend(data.text(tags::ECHO_PULSE_SEQUENCE));
    if data.text(tags::ECHO_PLANAR).as_deref() == Some("YES") {
        sequence.push("EP".to_owned());
    }
    let lower = |tag| data.text(tag).unwrap_or_default().to_lowercase();
    let sequence_name =
        data.text(tags::SEQUENCE_NAME).or_else(|| data.text(tags::PULSE_SEQUENCE_NAME));
    let date_and_time = match (data.text(tags::ACQUISITION_DATE), data.text(tags::ACQUISITION_TIME))
    {
        (Some(date), Some(time)) => Some(date + &time),
        _ => None,
    };
    Ok(Header {
        identity: identity(data)?,
        maker,
        manufacturer,
        model: data.text(tags::MODEL_NAME),
        software: data.text(tags::SOFTWARE_VERSIONS),
        series_number: data.number(tags::SERIES_NUMBER).map(|number| number as i64),
        description: lower(tags::SERIES_DESCRIPTION),
        protocol: lower(tags::PROTOCOL_NAME),
        sequence,
        sequence_name: sequence_name.unwrap_or_default().to_lowercase(),
        contrast: data.text(tags::ACQUISITION_CONTRAST),
        contrast_agent: data.text(tags::CONTRAST_AGENT).is_some(),
        acquisition_type: data.text(tags::MR_ACQUISITION_TYPE),
        acquisition_time: data.text(tags::ACQUISITION_DATE_TIME).or(date_and_time),
        field_strength_t: data.number(tags::MAGNETIC_FIELD_STRENGTH).map(tesla),
        repetition_time_ms: timing(tags::REPETITION_TIME),
        inversion_time_ms: inversion.filter(|&time| time > 0.0 && !no_inversion),
        flip_angle_deg: timing(tags::FLIP_ANGLE),
        bandwidth_hz: groups.number(tags::MR_IMAGING_MODIFIER_SEQUENCE, tags::PIXEL_BANDWIDTH),
        slice_thickness_mm: groups.number(tags::PIXEL_MEASURES_SEQUENCE, tags::SLICE_THICKNESS),
        has_loss: parsed.encoding == Encoding::JpegLossy
            || data.text(tags::LOSSY_IMAGE_COMPRESSION).as_deref() == Some("01"),
        encoding: parsed.encoding.clone(),
        pixel: pixel_format(data)?,
    })
}

/// Some scanners write gauss.
fn tesla(said: f64) -> f64 {
    if said > 100.0 { said / 10_000.0 } else { said }
}

fn identity(data: &Dataset<'_>) -> Result<Identity, NoImage> {
    let said = |tag| data.text(tag).unwrap_or_default();
    let (study, series) = (said(tags::STUDY_INSTANCE_UID), said(tags::SERIES_INSTANCE_UID));
    if series.is_empty() || study.is_empty() {
        return Err(NoImage::Damaged("it says no study or series (UID)".to_owned()));
    }
    let patient_id = said(tags::PATIENT_ID);
    let name = said(tags::PATIENT_NAME);
    let patient = if !patient_id.is_empty() {
        format!("id\0{patient_id}\0{}", said(tags::ISSUER_OF_PATIENT_ID))
    } else if !name.is_empty() {
        format!("name\0{name}\0{}", said(tags::PATIENT_BIRTH_DATE))
    } else {
        format!("study\0{study}")
    };
    Ok(Identity {
        patient,
        patient_id,
        study,
        study_time: said(tags::STUDY_DATE) + &said(tags::STUDY_TIME),
        series,
        instance: said(tags::SOP_INSTANCE_UID),
    })
}

fn pixel_format(data: &Dataset<'_>) -> Result<PixelFormat, NoImage> {
    let number = |tag| data.number(tag).map(|number| number as u32);
    let allocated = number(tags::BITS_ALLOCATED).unwrap_or(16);
    let stored = number(tags::BITS_STORED).unwrap_or(allocated);
    let high = number(tags::HIGH_BIT).unwrap_or(stored.saturating_sub(1));
    let fits = [8, 16, 32].contains(&allocated) && high < allocated && stored <= high + 1;
    if !fits || stored == 0 {
        return Err(NoImage::Damaged(format!(
            "pixels of {stored} bits up to bit {high} in {allocated}"
        )));
    }
    let signed = number(tags::PIXEL_REPRESENTATION) == Some(1);
    Ok(PixelFormat { allocated, stored, high, signed })
}

fn frame(
    file: usize,
    number: usize,
    instance: i64,
    header: &Arc<Header>,
    groups: &Groups<'_>,
) -> Result<Frame, NoImage> {
    let frame_type = groups.find(tags::MR_IMAGE_FRAME_TYPE_SEQUENCE, |group| {
        Some(group.texts(tags::FRAME_TYPE)).filter(|words| !words.is_empty())
    });
    let image_type = frame_type.unwrap_or_else(|| groups.data.texts(tags::IMAGE_TYPE));
    let image_type: Vec<String> = image_type.iter().map(|word| word.to_uppercase()).collect();
    let component = groups.text(tags::MR_IMAGE_FRAME_TYPE_SEQUENCE, tags::COMPLEX_IMAGE_COMPONENT);
    let ge = groups.data.number(tags::GE_IMAGE_TYPE);
    let echo = groups.number(tags::MR_ECHO_SEQUENCE, tags::EFFECTIVE_ECHO_TIME);
    let temporal = groups
        .number(tags::FRAME_CONTENT_SEQUENCE, tags::TEMPORAL_POSITION_INDEX)
        .or_else(|| groups.data.number(tags::TEMPORAL_POSITION));
    let acquisition = groups.data.number(tags::ACQUISITION_NUMBER);
    Ok(Frame {
        file,
        number,
        instance,
        header: Arc::clone(header),
        plane: plane(groups)?,
        echo_time_ms: echo.or_else(|| groups.data.number(tags::ECHO_TIME)),
        part: Part::of(component.as_deref(), ge, &image_type, header.maker),
        image_type,
        scaling: scaling(groups, header.maker),
        repetition: [temporal, acquisition].map(|number| number.unwrap_or(0.0) as i64),
    })
}

fn plane(groups: &Groups<'_>) -> Result<Plane, NoImage> {
    let none = |what: &str| NoImage::Damaged(format!("it says no {what}"));
    let position_mm = groups
        .numbers(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION)
        .ok_or_else(|| none("position (0020,0032)"))?;
    let [a, b, c, d, e, f] = groups
        .numbers(tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION)
        .ok_or_else(|| none("orientation (0020,0037)"))?;
    let [between_rows, between_columns]: [f64; 2] = groups
        .numbers(tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING)
        .ok_or_else(|| none("pixel spacing (0028,0030)"))?;
    let side = |tag| groups.data.number(tag).map_or(0, |number| number as usize);
    let shape = [side(tags::COLUMNS), side(tags::ROWS)];
    if !shape.iter().all(|side| (1..=MOST_PIXELS).contains(side)) {
        let [columns, rows] = shape;
        return Err(NoImage::Damaged(format!("{columns} × {rows} pixels are no image")));
    }
    let (along_row, along_column) = ([a, b, c], [d, e, f]);
    let product = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let right = (product(along_row, along_row) - 1.0).abs() < UNIT_TOLERANCE
        && (product(along_column, along_column) - 1.0).abs() < UNIT_TOLERANCE
        && product(along_row, along_column).abs() < UNIT_TOLERANCE;
    if !(right && between_rows > 0.0 && between_columns > 0.0) {
        return Err(NoImage::Damaged("its axes are no axes of an image".to_owned()));
    }
    let spacing_mm = [between_columns, between_rows];
    Ok(Plane { position_mm, along_row, along_column, spacing_mm, shape })
}

fn scaling(groups: &Groups<'_>, maker: Maker) -> Scaling {
    let of = |tag| groups.number(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tag);
    let said = of(tags::RESCALE_SLOPE).filter(|&slope| slope != 0.0);
    let private = groups
        .number(tags::PHILIPS_PRIVATE_FRAME_SEQUENCE, tags::PHILIPS_SCALE_SLOPE)
        .filter(|&slope| maker == Maker::Philips && slope > 0.0);
    let unit = groups.text(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tags::RESCALE_TYPE);
    let code = groups.find(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, |group| {
        group.items(tags::MEASUREMENT_UNITS_CODE_SEQUENCE).first()?.text(tags::CODE_VALUE)
    });
    Scaling {
        slope: said.unwrap_or(1.0),
        intercept: of(tags::RESCALE_INTERCEPT).unwrap_or(0.0),
        private_slope: private,
        unit: unit.filter(|unit| !["US", "UNSPECIFIED"].contains(&unit.as_str())).or(code),
    }
}
