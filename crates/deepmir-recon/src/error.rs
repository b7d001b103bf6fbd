//! What can go wrong, with the file and the remedy.

use std::path::PathBuf;

use deepmir_cases::CaseError;
use deepmir_volume::VolumeError;

/// Why a scan could not be read, reconstructed, aligned or written.
#[derive(Debug, thiserror::Error)]
pub enum ReconError {
    /// An image could not be read or written, or two do not share a grid.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// A JSON file beside an image could not be written.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// A scan without echoes.
    #[error("the scan has no echoes; give at least one magnitude and one phase image")]
    NoEchoes,
    /// More phase images than magnitudes, say.
    #[error(
        "{magnitudes} magnitude (or real) and {phases} phase (or imaginary) volumes do not pair up; \
         give one of each for every echo: {}", path.display()
    )]
    EchoCount {
        /// Volumes of magnitude.
        magnitudes: usize,
        /// Volumes of phase.
        phases: usize,
        /// The first magnitude file.
        path: PathBuf,
    },
    /// As many echo times as echoes are wanted.
    #[error(
        "{times} echo times for {echoes} echoes; give one in seconds for each, in order: {}",
        path.display()
    )]
    EchoTimeCount {
        /// Echo times.
        times: usize,
        /// Echoes.
        echoes: usize,
        /// The first magnitude file.
        path: PathBuf,
    },
    /// No sidecar says when the echo was taken.
    #[error(
        "no EchoTime; write it (in seconds) into the JSON file beside the image, or give the echo \
         times: {}", path.display()
    )]
    MissingEchoTime {
        /// The magnitude file.
        path: PathBuf,
    },
    /// An echo time that no scanner has.
    #[error(
        "an echo time of {echo_time_s} s cannot be; echo times are in seconds, {remedy}: {name}"
    )]
    EchoTime {
        /// The time.
        echo_time_s: f64,
        /// The range, and what it may be instead.
        remedy: String,
        /// Which echo.
        name: String,
    },
    /// Echoes that do not come later and later.
    #[error(
        "echo times out of order: {later_s} s comes after {earlier_s} s; give the echoes in the \
         order they were taken: {name}"
    )]
    EchoTimeOrder {
        /// The echo time before.
        earlier_s: f64,
        /// The one that should be later.
        later_s: f64,
        /// Which echo.
        name: String,
    },
    /// No sidecar says how strong the magnet is.
    #[error(
        "no MagneticFieldStrength; write it (in tesla) into the JSON file beside the image, or \
         give the field strength: {}", path.display()
    )]
    MissingFieldStrength {
        /// The magnitude file.
        path: PathBuf,
    },
    /// Images that do not belong together.
    #[error("{reason}; {remedy}: {one} and {other}")]
    Mispaired {
        /// What gives it away.
        reason: String,
        /// What to do.
        remedy: &'static str,
        /// One image.
        one: String,
        /// The other.
        other: String,
    },
    /// An image that is not what it is given as.
    #[error("an image {reason}; {remedy}: {}", path.display())]
    WrongPart {
        /// What it is given as, and what it is.
        reason: String,
        /// What to give.
        remedy: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A field strength that no scanner has.
    #[error("a field strength of {tesla} T cannot be; give it in tesla, {remedy}")]
    FieldStrength {
        /// The value.
        tesla: f64,
        /// The range, and what it may be instead.
        remedy: String,
    },
    /// A direction of no length.
    #[error(
        "the direction of the main field {direction:?} is no direction; give three finite \
         numbers along the voxel axes, not all zero"
    )]
    FieldDirection {
        /// The value.
        direction: [f64; 3],
    },
    /// A sidecar that is no JSON, or a field of the wrong kind.
    #[error("{reason}; mend the JSON file: {}", path.display())]
    Sidecar {
        /// The JSON file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A phase image whose values are no angles.
    #[error(
        "the phase image runs from {least} to {most}, which is neither radians nor a scanner's \
         integers (±4096, 0–4095) nor either of these before the header's scaling; state the \
         phase units, or convert the phase to radians: {name}"
    )]
    PhaseRange {
        /// The smallest value.
        least: f32,
        /// The largest.
        most: f32,
        /// The file.
        name: String,
    },
    /// An echo whose phase is scaled otherwise than the others'.
    #[error(
        "the phase of one echo is scaled otherwise: it fills its range from {least} to {most}, that of another echo \
         from {other_least} to {other_most}; convert the scan again: {name} (the other: {other})"
    )]
    EchoScale {
        /// The smallest value of the odd one.
        least: f32,
        /// Its largest.
        most: f32,
        /// Which echo it is.
        name: String,
        /// The smallest value of another.
        other_least: f32,
        /// Its largest.
        other_most: f32,
        /// Which echo that is.
        other: String,
    },
    /// An echo whose phase runs the other way.
    #[error(
        "the phase of one echo runs against that of the others: it falls where theirs grows; convert the scan again, or \
         leave this echo out: {name}"
    )]
    EchoSign {
        /// Which echo it is.
        name: String,
    },
    /// A phase image of one value.
    #[error(
        "every voxel of the phase image is {value}: there is no phase in it; convert it again: {name}"
    )]
    FlatPhase {
        /// The value.
        value: f32,
        /// The file.
        name: String,
    },
    /// An echo without signal.
    #[error(
        "the magnitude of an echo is zero everywhere; leave that echo out or convert it again: {name}"
    )]
    EmptyEcho {
        /// Which echo.
        name: String,
    },
    /// Negative, immense or vanishing magnitudes.
    #[error(
        "the magnitude runs from {least} to {most}; a magnitude is not negative and its largest value \
         lies between 1e-12 and 1e15: are magnitude and phase exchanged? {name}"
    )]
    MagnitudeRange {
        /// The smallest value.
        least: f32,
        /// The largest.
        most: f32,
        /// Which echo.
        name: String,
    },
    /// NaN or infinite voxels in memory.
    #[error("{count} voxels are NaN or infinite; set them to zero first: {name}")]
    NonFinite {
        /// How many.
        count: usize,
        /// Which image.
        name: String,
    },
    /// No brain.
    #[error("{reason}; give a brain mask")]
    EmptyMask {
        /// Why there is no mask.
        reason: String,
    },
    /// A setting outside its range.
    #[error("{setting} is {value}; {remedy}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        remedy: &'static str,
    },
    /// One echo has no R2*.
    #[error(
        "susceptibility is separated by R2*, which one echo does not tell; give two echoes or more, or leave out the \
         setting separation: {name}"
    )]
    SeparationOfOneEcho {
        /// The echo.
        name: String,
    },
    /// Nothing tells how much of R2* is R2.
    #[error(
        "susceptibility is separated by R2* without R2, and there is no map of R2; give one (--r2, or *_R2map beside the \
         echoes), or the share of R2* to take for it (--r2-share, separation.r2_share): {name}"
    )]
    SeparationWithoutR2 {
        /// The first echo.
        name: String,
    },
    /// No brain relaxes at such a rate.
    #[error(
        "the median of this map in the brain is {median}, and R2 per second is 4 to 40 there; give 1/T2 with T2 in \
         seconds: {name}"
    )]
    R2Range {
        /// The median in the brain; 0 if the map has no positive value there.
        median: f32,
        /// The map.
        name: String,
    },
    /// Two heads that did not come together.
    #[error(
        "the registration failed ({reason}); check that both images show the same head, and that \
         their orientation is right, or give a transform"
    )]
    Registration {
        /// What gave it away.
        reason: String,
    },
    /// Tissue labels of another numbering.
    #[error(
        "{values:?} are no labels of the phantom of the QSM challenge (0 to 16); translate the labels, or leave them \
         out: {}", path.display()
    )]
    TissueLabels {
        /// The first of them.
        values: Vec<i32>,
        /// The label map.
        path: PathBuf,
    },
    /// A map without a value in the mask.
    #[error("the map is zero in the whole mask; give the susceptibility map and its own mask: {}", path.display())]
    NothingToMeasure {
        /// The map.
        path: PathBuf,
    },
    /// The operating system refused a file.
    #[error("cannot write ({source}); nothing was left behind: {}", path.display())]
    Write {
        /// The file that was to be.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
