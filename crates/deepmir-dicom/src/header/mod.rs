//! What the header of a file says of its images, classic and enhanced alike: one [`Frame`] a plane.

mod frames;
mod maker;
mod part;

use std::sync::Arc;

pub use frames::{NoImage, planes, read};
pub use maker::Maker;
pub use part::Part;

use crate::parse::Encoding;

/// Who and what a file is of. Nothing of it is written or logged: it groups images, and orders studies.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The patient: identifier with its issuer, else name and date of birth, else the study.
    pub patient: String,
    /// The identifier alone, for tables of subjects; empty if there is none.
    pub patient_id: String,
    /// The study's UID.
    pub study: String,
    /// Date and time of the study.
    pub study_time: String,
    /// The series' UID.
    pub series: String,
    /// The image's UID.
    pub instance: String,
}

/// What a file says of all its images.
#[derive(Clone, Debug)]
pub struct Header {
    /// Who it is of.
    pub identity: Identity,
    /// Which maker's habits it follows.
    pub maker: Maker,
    /// The maker's name as given.
    pub manufacturer: Option<String>,
    /// The scanner's model.
    pub model: Option<String>,
    /// Of the scanner's programs.
    pub software: Option<String>,
    /// The series' number.
    pub series_number: Option<i64>,
    /// Free text, for telling what a series is only.
    pub description: String,
    /// Protocol, for telling series of one acquisition only.
    pub protocol: String,
    /// Words of the scanning sequence: `GR`, `SE`, `IR`, `EP`; `GRADIENT` or `SPIN`.
    pub sequence: Vec<String>,
    /// The maker's name of the pulse sequence.
    pub sequence_name: String,
    /// `T2`, `T2_STAR` and so on, where it is said.
    pub contrast: Option<String>,
    /// A contrast agent was given.
    pub contrast_agent: bool,
    /// 2D or 3D.
    pub acquisition_type: Option<String>,
    /// Date and time of the acquisition.
    pub acquisition_time: Option<String>,
    /// In tesla.
    pub field_strength_t: Option<f64>,
    /// In milliseconds.
    pub repetition_time_ms: Option<f64>,
    /// In milliseconds; none where there is no inversion.
    pub inversion_time_ms: Option<f64>,
    /// In degrees.
    pub flip_angle_deg: Option<f64>,
    /// In hertz a pixel.
    pub bandwidth_hz: Option<f64>,
    /// In millimetres.
    pub slice_thickness_mm: Option<f64>,
    /// Pixel data were compressed with loss, whether or not they still are.
    pub has_loss: bool,
    /// How pixel data are stored.
    pub encoding: Encoding,
    /// How one pixel is stored.
    pub pixel: PixelFormat,
}

/// How one pixel is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelFormat {
    /// 8, 16 or 32 bits are reserved for it.
    pub allocated: u32,
    /// Bits that count.
    pub stored: u32,
    /// The highest of them.
    pub high: u32,
    /// Two's complement.
    pub signed: bool,
}

/// Where a plane is, in the patient's coordinates of DICOM (left, posterior, superior).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    /// Centre of the first pixel in millimetres.
    pub position_mm: [f64; 3],
    /// Direction along a row, in which the columns are counted.
    pub along_row: [f64; 3],
    /// Direction along a column, in which the rows are counted.
    pub along_column: [f64; 3],
    /// Distance of columns and of rows.
    pub spacing_mm: [f64; 2],
    /// Pixels of a row, and of a column.
    pub shape: [usize; 2],
}

/// How stored numbers become values.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// Rescale slope.
    pub slope: f64,
    /// Rescale intercept.
    pub intercept: f64,
    /// Philips' slope from displayed to acquired numbers.
    pub private_slope: Option<f64>,
    /// What the values are in, where it is said.
    pub unit: Option<String>,
}

/// One plane of an image.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its file, by number.
    pub file: usize,
    /// Its place in the file, from 0.
    pub number: usize,
    /// The image's or frame's number as people see it.
    pub instance: i64,
    /// What holds for all images of the file.
    pub header: Arc<Header>,
    /// Where it is.
    pub plane: Plane,
    /// In milliseconds.
    pub echo_time_ms: Option<f64>,
    /// The image type's values.
    pub image_type: Vec<String>,
    /// Which part of a complex image.
    pub part: Option<Part>,
    /// How stored numbers become values.
    pub scaling: Scaling,
    /// Temporal position and acquisition, which tell repetitions apart.
    pub repetition: [i64; 2],
}
