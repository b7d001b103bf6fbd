//! The series that a label map lies on, found again among DICOM files: an import keeps no identifiers.

use std::path::Path;

use deepmir_cases::bids::sidecar_fields;
use deepmir_volume::{Grid, Volume, nifti};

use super::common::Uids;
use super::result::ScanResult;
use crate::DicomError;
use crate::bids::volume;
use crate::header::{Frame, Part};
use crate::import::Survey;
use crate::input::Input;
use crate::object::{Attribute, Object, tags};
use crate::parse::{self, Dataset, read_header};
use crate::sort::{Stack, Taken};

/// Voxels that differ by less than this part of the largest are the same: phases are stored in 16 bits.
const SAME_VALUE: f32 = 2e-3;
/// Of so many voxels at least, one in this many may differ.
const FEW: usize = 1000;

/// The series that a label map lies on.
pub struct Source<'a> {
    /// Its slices.
    pub stack: &'a Stack,
    /// All files that were given.
    pub files: &'a [Input],
    /// Patient and study, and the character set that they are in.
    pub patient_and_study: Object,
    /// The class of its images.
    pub class: String,
    /// Its frame of reference, if it says one.
    pub frame_of_reference: Option<String>,
    /// How the patient lay, such as `HFS`; empty if it is not said.
    pub patient_position: String,
    /// Whether an image of the results has the voxels of its study.
    pub confirmed: bool,
}

impl<'a> Source<'a> {
    /// Finds the series: on the label map's grid, of the kind that its reference image is; `series` is a number that it must
    /// have. Where images of the results are still there, those of the study must have the same voxels, unless `series` says
    /// that it is the right one.
    ///
    /// # Errors
    /// If there is none, or several, or its voxels are those of another scan.
    pub fn find(
        survey: &'a Survey,
        result: &ScanResult,
        series: Option<i64>,
    ) -> Result<Self, DicomError> {
        let fault = |reason: String| DicomError::NoSource { path: result.path.clone(), reason };
        let all = survey.on_grid(result.labels.grid());
        let stacks: Vec<&Stack> = all.iter().map(|(stack, _)| *stack).collect();
        let confirmed = confirmed(&stacks, survey.files(), result)?;
        let mut found = all.clone();
        if let Some(number) = series {
            found.retain(|(stack, _)| stack.header().series_number == Some(number));
        }
        let of_kind = |taken: Taken| rank(taken, result.reconstructed);
        let best = found.iter().filter_map(|(_, taken)| of_kind(*taken)).min().ok_or_else(|| {
            fault(
                "no magnitude or SWI of the DICOM files has the grid of this label map; give the files of its scan"
                    .into(),
            )
        })?;
        match confirmed[..] {
            // The reference itself, unless another was asked for.
            [n] if series.is_none() && of_kind(all[n].1).is_some() => found = vec![all[n]],
            [n] => {
                let study = of_study(all[n].0);
                found.retain(|(stack, taken)| {
                    of_study(stack) == study && of_kind(*taken) == Some(best)
                });
            }
            [_, _, ..] => {
                return Err(fault(
                    "several studies have the voxels of these results; give the files of one"
                        .into(),
                ));
            }
            [] if !result.images.is_empty() && series.is_none() => {
                return Err(fault(
                    "a series has the grid of this label map, but not the voxels of its images; give the files of its \
                     scan, or name the series with --series if it is the right one"
                        .into(),
                ));
            }
            [] => found.retain(|(_, taken)| of_kind(*taken) == Some(best)),
        }
        let [(stack, _)] = found[..] else {
            let numbers = found.iter().map(|(stack, _)| stack.header().series_number);
            let numbers: Vec<String> =
                numbers.map(|n| n.map_or("no number".to_owned(), |n| n.to_string())).collect();
            return Err(fault(format!(
                "several series have the grid of this label map ({}); give the files of its scan alone, or name one with \
                 --series",
                numbers.join(", ")
            )));
        };
        Self::of(stack, survey.files(), !confirmed.is_empty())
    }

    fn of(stack: &'a Stack, files: &'a [Input], confirmed: bool) -> Result<Self, DicomError> {
        let input = files.get(stack.frames[0].file).cloned().unwrap_or_default();
        let path = &input.path;
        let read = read_header(&input, |parsed| {
            let data = &parsed.dataset;
            let text = |tag| data.text(tag);
            let class = text(parse::tags::SOP_CLASS_UID);
            let position = text(parse::tags::PATIENT_POSITION).filter(|word| word.is_ascii());
            let frame_of_reference = text(parse::tags::FRAME_OF_REFERENCE_UID);
            (copied(data), class, frame_of_reference, position.unwrap_or_default())
        })?;
        let damaged =
            |reason: &str| DicomError::Damaged { path: path.clone(), reason: reason.into() };
        let (patient_and_study, class, frame_of_reference, patient_position) =
            read.ok_or_else(|| damaged("it is no DICOM file any more"))?;
        let class =
            class.filter(|uid| is_uid(uid)).ok_or_else(|| damaged("it says no class (UID)"))?;
        let frame_of_reference = frame_of_reference.filter(|uid| is_uid(uid));
        let identity = &stack.header().identity;
        let uids = [&identity.study, &identity.series];
        let instances = stack.frames.iter().map(|frame| &frame.header.identity.instance);
        if !uids.into_iter().chain(instances).all(|uid| is_uid(uid)) {
            return Err(damaged("an image of its series has no valid UID to refer to"));
        }
        Ok(Self {
            stack,
            files,
            patient_and_study,
            class,
            frame_of_reference,
            patient_position,
            confirmed,
        })
    }

    /// The grid of its slices.
    ///
    /// # Errors
    /// If they make no volume.
    pub fn grid(&self) -> Result<Grid, DicomError> {
        self.stack.grid.clone().map_err(|reason| {
            let path = self.files.get(self.stack.frames[0].file).cloned().unwrap_or_default().path;
            DicomError::Geometry { path, reason }
        })
    }

    /// Its frame of reference; if it says none, one for what is written.
    pub fn frame_of_reference_or(&self, uids: &Uids) -> String {
        self.frame_of_reference.clone().unwrap_or_else(|| uids.of("frame of reference"))
    }

    /// A reference to a frame's image.
    pub fn reference(&self, frame: &Frame) -> Object {
        let reference = Object::new()
            .text(tags::REFERENCED_SOP_CLASS_UID, &self.class)
            .text(tags::REFERENCED_SOP_INSTANCE_UID, &frame.header.identity.instance);
        if self.is_multi_frame() {
            return reference.text(tags::REFERENCED_FRAME_NUMBER, &(frame.number + 1).to_string());
        }
        reference
    }

    /// References to all its images, each once and whole.
    pub fn instances(&self) -> Vec<Object> {
        let mut uids: Vec<&str> =
            self.stack.frames.iter().map(|frame| &*frame.header.identity.instance).collect();
        uids.dedup();
        let reference = |uid: &str| {
            Object::new()
                .text(tags::REFERENCED_SOP_CLASS_UID, &self.class)
                .text(tags::REFERENCED_SOP_INSTANCE_UID, uid)
        };
        uids.into_iter().map(reference).collect()
    }

    fn is_multi_frame(&self) -> bool {
        self.stack.frames.iter().any(|frame| frame.number > 0)
    }
}

/// Lower is better: the SWI where one was read, else a magnitude; of raw echoes the first.
fn rank(taken: Taken, reconstructed: bool) -> Option<u8> {
    let of_echoes = match taken {
        Taken::Echo(1, Part::Magnitude) => Some(0),
        Taken::Echo(1, Part::Real) => Some(1),
        _ => None,
    };
    let of_maps = match taken {
        Taken::Swi => Some(0),
        Taken::T2Star => Some(1),
        _ => None,
    };
    let [first, second] = if reconstructed { [of_echoes, of_maps] } else { [of_maps, of_echoes] };
    first.or(second.map(|rank| rank + 2))
}

/// The volumes that have the voxels of an image of the results: the first of each study.
fn confirmed(
    stacks: &[&Stack],
    files: &[Input],
    result: &ScanResult,
) -> Result<Vec<usize>, DicomError> {
    // One image suffices: all were made in one acquisition.
    let Some(path) = result.images.first() else { return Ok(Vec::new()) };
    let image = nifti::read(path)?.volume;
    let may_be = acquired_alike(path);
    let mut found: Vec<usize> = Vec::new();
    for (n, stack) in stacks.iter().enumerate() {
        if !may_be(stack) || found.iter().any(|&other| of_study(stacks[other]) == of_study(stack)) {
            continue;
        }
        // A series that cannot be decoded confirms nothing.
        if let Ok(voxels) = volume(stack, files)
            && have_same_voxels(&image, &voxels)
        {
            found.push(n);
        }
    }
    Ok(found)
}

/// Whether a volume is of the part and echo time that an image says: the voxels of others need not be read.
fn acquired_alike(image: &Path) -> impl Fn(&Stack) -> bool {
    let name = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut parts = ["mag", "phase", "real", "imag"].into_iter();
    let part = parts.find(|part| name.contains(&format!("_part-{part}_")));
    let time_s = sidecar_fields(image).get("EchoTime").and_then(serde_json::Value::as_f64);
    move |stack| {
        let same_part = part.zip(stack.part()).is_none_or(|(said, part)| said == part.entity());
        let times = time_s.zip(stack.echo_time_ms());
        same_part && times.is_none_or(|(said, time)| (said * 1000.0 - time).abs() < 0.01)
    }
}

/// Patient and study.
fn of_study(stack: &Stack) -> [&str; 2] {
    let identity = &stack.header().identity;
    [&identity.patient, &identity.study]
}

/// Whether two volumes have the same values at the same places, in whatever order of axes.
fn have_same_voxels(one: &Volume<f32>, other: &Volume<f32>) -> bool {
    let (grid, to) = (one.grid(), other.grid());
    if !lies_on(grid, to) {
        return false;
    }
    let largest = other.data().iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let way = Way::new(grid, to);
    let differ = (0..grid.len()).filter(|&at| {
        let there = way.of(grid.voxel(at)).map(|voxel| other.data()[to.index(voxel)]);
        there.is_none_or(|value| (value - one.data()[at]).abs() > SAME_VALUE * largest)
    });
    differ.take(grid.len() / FEW + 1).count() <= grid.len() / FEW
}

/// Whether two grids have their voxels at the same places, in whatever order of axes.
pub fn lies_on(one: &Grid, other: &Grid) -> bool {
    one.same_as(other) || one.is_reordered(other)
}

/// From the voxels of one grid to those of another at the same places.
pub struct Way {
    affine: deepmir_volume::Affine,
    shape: [usize; 3],
}

impl Way {
    /// Between two grids that lie on each other.
    pub fn new(from: &Grid, to: &Grid) -> Self {
        Self { affine: to.affine().inverse().after(from.affine()), shape: to.shape() }
    }

    /// The voxel there; none outside of the grid.
    pub fn of(&self, voxel: [usize; 3]) -> Option<[usize; 3]> {
        let there = self.affine.apply(voxel.map(|index| index as f64)).map(f64::round);
        let inside = (0..3).all(|axis| there[axis] >= 0.0 && there[axis] < self.shape[axis] as f64);
        inside.then(|| there.map(|index| index as usize))
    }
}

fn is_uid(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.chars().all(|letter| letter.is_ascii_digit() || letter == '.')
}

/// Attributes of patient and study that go over to what is written as they are. Those that must be there are, if only
/// empty.
const COPIED: [(Attribute, bool); 17] = [
    (tags::SPECIFIC_CHARACTER_SET, false),
    (tags::STUDY_DATE, true),
    (tags::STUDY_TIME, true),
    (tags::ACCESSION_NUMBER, true),
    (tags::REFERRING_PHYSICIAN, true),
    (tags::STUDY_DESCRIPTION, false),
    (tags::PATIENT_NAME, true),
    (tags::PATIENT_ID, true),
    (tags::ISSUER_OF_PATIENT_ID, false),
    (tags::PATIENT_BIRTH_DATE, true),
    (tags::PATIENT_SEX, true),
    (tags::PATIENT_AGE, false),
    (tags::PATIENT_SIZE, false),
    (tags::PATIENT_WEIGHT, false),
    (tags::PATIENT_IDENTITY_REMOVED, false),
    (tags::DEIDENTIFICATION_METHOD, false),
    (tags::STUDY_ID, true),
];

fn copied(data: &Dataset<'_>) -> Object {
    COPIED.into_iter().fold(Object::new(), |object, (attribute, needed)| {
        // No value of these is longer.
        match data.bytes(attribute.0).filter(|value| value.len() <= 1024) {
            Some(value) => object.bytes(attribute, value.to_vec()),
            None if needed => object.text(attribute, ""),
            None => object,
        }
    })
}

impl Survey {
    /// The volumes on a grid, and what each is taken for.
    fn on_grid(&self, grid: &Grid) -> Vec<(&Stack, Taken)> {
        let on_grid = |(stack, _): &(&Stack, Taken)| {
            stack.grid.as_ref().is_ok_and(|other| lies_on(grid, other))
        };
        self.taken().filter(on_grid).collect()
    }
}
