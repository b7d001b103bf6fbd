//! Planes that belong to one volume.

use std::collections::{HashMap, HashSet};

use deepmir_volume::Grid;

use super::geometry::{self, Fault};
use crate::header::{Frame, Header, Part};

/// Axes and pixel sizes that differ by more are those of other volumes.
const SAME_AXES: f64 = 1e-3;

/// The slices of one volume.
#[derive(Clone, Debug)]
pub struct Stack {
    /// In order across the slices, where they make a volume.
    pub frames: Vec<Frame>,
    /// Its grid, or why the slices make none.
    pub grid: Result<Grid, String>,
}

impl Stack {
    fn new(mut frames: Vec<Frame>) -> Vec<Self> {
        match geometry::arrange(&mut frames) {
            Ok(grid) => vec![Self { frames, grid: Ok(grid) }],
            Err(Fault::Doubled(reason)) => Self::repetitions(&frames)
                .unwrap_or_else(|| vec![Self { frames, grid: Err(reason) }]),
            Err(Fault::Other(reason)) => vec![Self { frames, grid: Err(reason) }],
        }
    }

    /// Slices at one place that are told apart by temporal position or acquisition.
    fn repetitions(frames: &[Frame]) -> Option<Vec<Self>> {
        (0..2).find_map(|by| {
            let mut groups: HashMap<i64, Vec<Frame>> = HashMap::new();
            for frame in frames {
                groups.entry(frame.repetition[by]).or_default().push(frame.clone());
            }
            let mut groups: Vec<_> = groups.into_iter().collect();
            groups.sort_by_key(|(number, _)| *number);
            let volume = |(_, mut frames): (i64, Vec<Frame>)| {
                let grid = Ok(geometry::arrange(&mut frames).ok()?);
                Some(Self { frames, grid })
            };
            (groups.len() > 1).then(|| groups.into_iter().map(volume).collect()).flatten()
        })
    }

    /// What holds for all of it.
    pub fn header(&self) -> &Header {
        &self.frames[0].header
    }

    /// In milliseconds.
    pub fn echo_time_ms(&self) -> Option<f64> {
        self.frames[0].echo_time_ms
    }

    /// In microseconds, to be compared.
    pub fn echo_key(&self) -> i64 {
        echo_key(&self.frames[0])
    }

    /// Which part of a complex image.
    pub fn part(&self) -> Option<Part> {
        self.frames[0].part
    }

    /// The image type's values.
    pub fn image_type(&self) -> &[String] {
        &self.frames[0].image_type
    }
}

fn echo_key(frame: &Frame) -> i64 {
    frame.echo_time_ms.map_or(-1, |time| (time * 1000.0).round() as i64)
}

/// What frames of one volume share exactly.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    patient: String,
    study: String,
    series: String,
    echo: i64,
    part: Option<Part>,
    image_type: Vec<String>,
    shape: [usize; 2],
}

/// Sorts frames into volumes, and says how many frames were there twice (copies of one file).
pub fn stacks(frames: Vec<Frame>) -> (Vec<Stack>, usize) {
    let mut seen = HashSet::new();
    let mut copies = 0;
    let mut groups: HashMap<Key, Vec<Vec<Frame>>> = HashMap::new();
    for frame in frames {
        let identity = &frame.header.identity;
        if !identity.instance.is_empty() && !seen.insert((identity.instance.clone(), frame.number))
        {
            copies += 1;
            continue;
        }
        let key = Key {
            patient: identity.patient.clone(),
            study: identity.study.clone(),
            series: identity.series.clone(),
            echo: echo_key(&frame),
            part: frame.part,
            image_type: frame.image_type.clone(),
            shape: frame.plane.shape,
        };
        let groups = groups.entry(key).or_default();
        match groups.iter_mut().find(|group| have_one_orientation(&group[0], &frame)) {
            Some(group) => group.push(frame),
            None => groups.push(vec![frame]),
        }
    }
    let mut stacks: Vec<Stack> = groups.into_values().flatten().flat_map(Stack::new).collect();
    stacks.sort_by(|a, b| order(a).cmp(&order(b)));
    (stacks, copies)
}

/// Series as people see them, and then something that is always the same.
fn order(stack: &Stack) -> impl Ord + '_ {
    let header = stack.header();
    let identity = &header.identity;
    (
        (&identity.patient, &identity.study_time, &identity.study),
        (header.series_number, &identity.series),
        (stack.echo_key(), stack.part(), stack.image_type()),
        (stack.frames[0].repetition, stack.frames[0].file, stack.frames[0].number),
    )
}

fn have_one_orientation(one: &Frame, other: &Frame) -> bool {
    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < SAME_AXES);
    let (one, other) = (&one.plane, &other.plane);
    near(&one.along_row, &other.along_row)
        && near(&one.along_column, &other.along_column)
        && near(&one.spacing_mm, &other.spacing_mm)
}
