//! The whole way: files, volumes, decisions, dataset.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::DicomError;
use crate::bids::{Dataset, Item, Labels, Names, volume};
use crate::header::{self, Frame, NoImage};
use crate::input::Input;
use crate::listing::{self, Line};
use crate::parse::read_header;
use crate::segments::{self, LabelMapOf, Segmentation, is_segmentation};
use crate::sort::{Decision, Stack, Taken, decide, stacks};
use crate::walk;

/// Tells how far the work is: done, of how many.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What a file holds.
enum Content {
    Frames(Vec<Frame>),
    Segmentation(Segmentation),
}

/// What was found in the files that were given.
pub struct Survey {
    files: Vec<Input>,
    pub(crate) stacks: Vec<Stack>,
    pub(crate) items: Vec<Item>,
    pub(crate) segmentations: Vec<Segmentation>,
    /// Files that are not DICOM, or no MR images, and what they are: how many of each.
    pub passed_over: BTreeMap<&'static str, usize>,
    /// Files that are damaged or cannot be read.
    pub damaged: Vec<DicomError>,
    /// Images that were there more than once.
    pub copies: usize,
    /// Patients that the table of subjects has no row for.
    pub unknown_patients: usize,
}

/// What was written.
#[derive(Debug, Default)]
pub struct Summary {
    /// Labels of the subjects that are in the dataset now.
    pub subjects: Vec<String>,
    /// Images.
    pub images: usize,
    /// Label maps.
    pub label_maps: usize,
    /// Series that failed, and why.
    pub failures: Vec<DicomError>,
}

impl Survey {
    /// Reads the headers of all files below the given ones and decides what each volume is taken for.
    ///
    /// # Errors
    /// If what was given is not there, or there is no MR image.
    pub fn read(
        given: &[PathBuf],
        labels: &Labels,
        progress: Progress<'_>,
    ) -> Result<Self, DicomError> {
        let (files, mut damaged) = walk::files(given)?;
        let done = AtomicUsize::new(0);
        let read = |(n, input): (usize, &Input)| {
            let frames = read_header(input, |parsed| {
                if is_segmentation(parsed) {
                    return segments::read(n, parsed).map(Content::Segmentation);
                }
                header::read(n, parsed).map(Content::Frames)
            });
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, files.len());
            frames
        };
        let read: Vec<_> = files.par_iter().enumerate().map(read).collect();
        let mut frames: Vec<Frame> = Vec::new();
        let mut passed_over = BTreeMap::new();
        let mut segmentations = Vec::new();
        for (n, read) in read.into_iter().enumerate() {
            match read {
                Ok(Some(Ok(Content::Frames(of_file)))) => frames.extend(of_file),
                Ok(Some(Ok(Content::Segmentation(one)))) => segmentations.push(one),
                Ok(Some(Err(NoImage::Other(what)))) => *passed_over.entry(what).or_default() += 1,
                Ok(Some(Err(NoImage::Damaged(reason)))) => {
                    damaged.push(DicomError::Damaged { path: files[n].path.clone(), reason });
                }
                Ok(None) if files[n].is_nested() => {
                    let what = "a zip archive in another, which is not opened; unpack it";
                    *passed_over.entry(what).or_default() += 1;
                }
                Ok(None) => *passed_over.entry("no DICOM file").or_default() += 1,
                Err(error) => damaged.push(error),
            }
        }
        if frames.is_empty() {
            return Err(nothing(given, files.len(), damaged));
        }
        let (stacks, copies) = stacks(frames);
        let (items, unknown_patients) = items(&stacks, labels);
        Ok(Self {
            files,
            stacks,
            items,
            segmentations,
            passed_over,
            damaged,
            copies,
            unknown_patients,
        })
    }

    /// What each volume is taken for, and why, in the order of subjects and series.
    pub fn lines(&self) -> Vec<Line> {
        self.items.iter().map(|item| listing::line(item, &self.stacks[item.stack])).collect()
    }

    /// The voxels and the grid of a volume of the listing.
    ///
    /// # Errors
    /// If its slices make no volume, or a file is damaged.
    pub fn voxels(&self, line: usize) -> Result<deepmir_volume::Volume<f32>, DicomError> {
        volume(&self.stacks[self.items[line].stack], &self.files)
    }

    /// Files that were found.
    pub(crate) fn files(&self) -> &[Input] {
        &self.files
    }

    /// All volumes, and what each is taken for.
    pub(crate) fn taken(&self) -> impl Iterator<Item = (&Stack, Taken)> {
        self.items.iter().map(|item| (&self.stacks[item.stack], item.decision.taken))
    }

    /// Whether anything would be written.
    pub fn has_images(&self) -> bool {
        self.items.iter().any(|item| Names::of(item).is_some())
    }

    /// Writes the dataset, subject by subject, and the label maps of its subjects. A series that fails is named in the
    /// summary; a subject of whom no image could be written is left out.
    ///
    /// # Errors
    /// If the folder is no place for the dataset, or a file cannot be written.
    pub fn write(
        &self,
        out: &Path,
        keep_dates: bool,
        label_maps: &[LabelMapOf],
        progress: Progress<'_>,
    ) -> Result<Summary, DicomError> {
        let mut subjects: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        for item in &self.items {
            if let Some(label) = &item.subject {
                subjects.entry(label).or_default().push(item);
            }
        }
        subjects.retain(|_, items| items.iter().any(|item| Names::of(item).is_some()));
        let labels: Vec<&str> = subjects.keys().copied().collect();
        let dataset = Dataset::check(out, &labels)?;
        dataset.begin()?;
        let total = self.items.iter().filter(|item| Names::of(item).is_some()).count();
        let done = AtomicUsize::new(0);
        let mut summary = Summary::default();
        for item in &self.items {
            if item.decision.taken == Taken::Failed {
                summary.failures.push(self.failure(item));
            }
        }
        for (label, items) in subjects {
            let subject = dataset.subject(label)?;
            let failed: Mutex<BTreeMap<usize, DicomError>> = Mutex::default();
            items.par_iter().filter(|item| Names::of(item).is_some()).try_for_each(|item| {
                let stack = &self.stacks[item.stack];
                let written = subject.write(item, stack, &self.files, keep_dates);
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
                match written {
                    Err(error) if is_of_the_source(&error) => {
                        if let Ok(mut failed) = failed.lock() {
                            failed.insert(item.stack, error);
                        }
                        Ok(())
                    }
                    other => other,
                }
            })?;
            let failed = failed.into_inner().unwrap_or_default();
            let written =
                items.iter().filter(|item| Names::of(item).is_some()).count() - failed.len();
            if written == 0 {
                subject.abandon()?;
            } else {
                let rows = items.iter().map(|item| {
                    let mut line = listing::line(item, &self.stacks[item.stack]);
                    if failed.contains_key(&item.stack) {
                        line.fail();
                    }
                    line
                });
                subject.finish(&listing::table(rows))?;
                dataset.add_participants(&[label])?;
                let maps = label_maps.iter().filter(|map| map.subject == label);
                for map in maps {
                    map.write(out)?;
                    summary.label_maps += 1;
                }
                summary.subjects.push(label.to_owned());
                summary.images += written;
            }
            summary.failures.extend(failed.into_values());
        }
        Ok(summary)
    }

    fn failure(&self, item: &Item) -> DicomError {
        let frame = &self.stacks[item.stack].frames[0];
        let path = self.files.get(frame.file).cloned().unwrap_or_default().path;
        let series = frame.header.series_number;
        let series = series.map_or("a series".to_owned(), |number| format!("series {number}"));
        DicomError::Geometry { path, reason: format!("{series}: {}", item.decision.why) }
    }
}

/// Whether an error is of a series, and not of the dataset.
fn is_of_the_source(error: &DicomError) -> bool {
    !matches!(
        error,
        DicomError::Write { .. }
            | DicomError::Case(_)
            | DicomError::Volume(deepmir_volume::VolumeError::Write { .. })
    )
}

fn nothing(given: &[PathBuf], files: usize, damaged: Vec<DicomError>) -> DicomError {
    let count = damaged.len();
    // Of one file that was given, its own fault says more.
    if let (0 | 1, 1, Some(error)) = (files, count, damaged.into_iter().next()) {
        return error;
    }
    let path = given.first().cloned().unwrap_or_default();
    let reason = format!(
        "no MR image among {files} files ({count} of them damaged); give the folder that the archive or scanner exported"
    );
    DicomError::NothingToImport { path, reason }
}

/// Decides study by study, and names subjects and sessions. The second value counts patients without a label.
fn items(stacks: &[Stack], labels: &Labels) -> (Vec<Item>, usize) {
    let mut patients: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    let mut studies: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (n, stack) in stacks.iter().enumerate() {
        let identity = &stack.header().identity;
        studies.entry((&identity.patient, &identity.study)).or_default().push(n);
        let of_patient = patients.entry(&identity.patient).or_default();
        if !of_patient.iter().any(|(_, study)| *study == identity.study) {
            of_patient.push((&identity.study_time, &identity.study));
        }
    }
    let mut items = Vec::new();
    let mut unknown = 0;
    for (patient, mut of_patient) in patients {
        of_patient.sort_unstable();
        let mut of_studies: Vec<(Vec<usize>, Vec<Decision>)> = Vec::new();
        for (_, study) in of_patient {
            let numbers = studies.remove(&(patient, study)).unwrap_or_default();
            let of_study: Vec<&Stack> = numbers.iter().map(|&n| &stacks[n]).collect();
            of_studies.push((numbers, decide(&of_study)));
        }
        let is_of_use = |(_, decisions): &&(Vec<usize>, Vec<Decision>)| {
            decisions.iter().any(|decision| decision.taken != Taken::Aside)
        };
        let several = of_studies.iter().filter(is_of_use).count() > 1;
        let mut subject = None;
        let mut session = 0;
        for study in &of_studies {
            session += usize::from(is_of_use(&study));
            for (&stack, decision) in study.0.iter().zip(&study.1) {
                let identity = &stacks[stack].header().identity;
                subject = subject.or_else(|| labels.of(identity));
                items.push(Item {
                    stack,
                    decision: decision.clone(),
                    subject: subject.clone(),
                    session: several.then(|| session.max(1).to_string()),
                });
            }
        }
        unknown += usize::from(subject.is_none());
    }
    items.sort_by(|a, b| (&a.subject, &a.session, a.stack).cmp(&(&b.subject, &b.session, b.stack)));
    (items, unknown)
}
