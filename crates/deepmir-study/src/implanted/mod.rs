//! Implanted scans as scans to learn from: with the labels of the scans that they were made from, where there are any.

mod native;

pub use native::ModelCalls;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use deepmir_cases::cohort::subject_of;
use deepmir_cases::{CaseError, CaseFiles, Cohort, Groups, bids};
use deepmir_lesion::LabelMap;
use deepmir_volume::nifti;

use crate::StudyError;
use crate::evaluate::is_predicted;

/// The folder of an implanted dataset that holds its label maps, masks and records.
const TRUTH: &str = "derivatives/truth";

/// A dataset's own scans, labelled or not.
#[derive(Clone, Debug, Default)]
pub struct SourceScans {
    /// The scans that have images; those of raw echoes only are not among them.
    pub cases: Vec<CaseFiles>,
    /// Which subjects are of one anatomy.
    pub groups: Groups,
    /// The folder of the label maps, if there is one.
    pub labels: Option<PathBuf>,
}

impl SourceScans {
    /// The scans of a BIDS dataset, with the label maps in `labels`; without it, those in the only folder of its
    /// derivatives that holds some. Label maps that a model made are no labels.
    ///
    /// # Errors
    /// A folder that cannot be read, several folders with label maps, or a folder named for labels without any.
    pub fn read(dataset: &Path, labels: Option<&Path>) -> Result<Self, StudyError> {
        if !dataset.is_dir() {
            let reason =
                "lesions are implanted in the scans of a BIDS dataset; give its folder".to_owned();
            return Err(StudyError::Table { path: dataset.to_owned(), reason });
        }
        let labels = match (labels, bids::only_labels_folder(dataset)) {
            (Some(folder), _) => Some(folder.to_owned()),
            (None, Ok(folder)) => (!holds_predictions(&folder)?).then_some(folder),
            (None, Err(CaseError::NoLabels { .. })) => None,
            (None, Err(error)) => return Err(error.into()),
        };
        let Some(folder) = labels else {
            let cases = match bids::scans(dataset) {
                Ok(scans) => scans.into_iter().map(unlabelled).collect(),
                // Raw echoes only.
                Err(CaseError::NoScans { .. }) => Vec::new(),
                Err(error) => return Err(error.into()),
            };
            return Ok(Self { cases, ..Self::default() });
        };
        let Cohort { cases, groups, .. } = Cohort::from_bids(dataset, Some(&folder))?;
        Ok(Self { cases, groups, labels: Some(folder) })
    }

    /// Those that have a label map.
    pub fn labelled(&self) -> impl Iterator<Item = &CaseFiles> {
        self.cases.iter().filter(|case| case.truth.is_some())
    }
}

fn holds_predictions(folder: &Path) -> Result<bool, StudyError> {
    Ok(bids::label_maps(folder)?.values().any(|path| is_predicted(path)))
}

fn unlabelled(scan: bids::Scan) -> CaseFiles {
    let bids::Scan { id, images, mask, .. } = scan;
    CaseFiles { id, images, mask, truth: None, unknown: None, contrast: None }
}

/// Implanted scans to learn from, and the labelled scans that some of them were made from.
#[derive(Clone, Debug, Default)]
pub struct ImplantedCohort {
    /// All of them. Copies of one person's scans have the person's name, and stay together in every split.
    pub cohort: Cohort,
    /// Implanted scans.
    pub copies: usize,
    /// Scans that they were made from.
    pub sources: usize,
    /// Labelled scans among those, which are learned from as they are, too.
    pub labelled: usize,
}

impl ImplantedCohort {
    /// The implanted scans of a dataset that `deepmir implant` wrote, and the labelled ones of `sources`, of which
    /// `implanted` was made.
    ///
    /// Of a scan without a label map nobody knows the native lesions: what a model calls there is unknown, as the implanted
    /// dataset says. A rater read all of a labelled scan: in its implanted copies the labelled lesions are true and
    /// nothing is unknown but what the rater said is. Their label maps are written to the existing folder `scratch`. If a
    /// copy is on another grid than the labels, its native lesions stay unknown.
    ///
    /// # Errors
    /// A folder without implanted scans, or label maps and masks that cannot be read or written.
    pub fn read(
        implanted: &Path,
        sources: &SourceScans,
        scratch: &Path,
    ) -> Result<Self, StudyError> {
        let nothing = || {
            let reason = "there is no implanted scan here (ses-…implantN with its truth); write some with `deepmir implant`";
            StudyError::Table { path: implanted.to_owned(), reason: reason.to_owned() }
        };
        let truths = implanted.join(TRUTH);
        if !truths.is_dir() {
            return Err(nothing());
        }
        let mut cohort = Cohort::from_bids(implanted, Some(&truths))?;
        let masks = bids::brain_masks(&truths)?;
        let by_id: BTreeMap<&str, &CaseFiles> =
            sources.labelled().map(|case| (case.id.as_str(), case)).collect();
        let mut made_from = BTreeSet::new();
        let mut cases = Vec::new();
        for mut case in std::mem::take(&mut cohort.cases) {
            let Some(source) = source_of(&case.id).filter(|_| case.truth.is_some()) else {
                continue;
            };
            if case.mask.is_none() {
                case.mask = bids::of_scan(&masks, &case.id).cloned();
            }
            if let Some(labelled) = by_id.get(source.as_str()) {
                case = with_labels(case, labelled, scratch)?;
            }
            made_from.insert(source);
            cases.push(case);
        }
        if cases.is_empty() {
            return Err(nothing());
        }
        let copies = cases.len();
        let labelled: Vec<CaseFiles> =
            sources.labelled().filter(|case| made_from.contains(&case.id)).cloned().collect();
        let count = labelled.len();
        cases.extend(labelled);
        cohort.groups.extend(sources.groups.clone());
        let cohort = Cohort { cases, ..cohort };
        Ok(Self { cohort, copies, sources: made_from.len(), labelled: count })
    }

    /// What was learned from, in words, for a model's provenance: `implants in 12 scans of DATASET (4 copies of each, 3 of
    /// them labelled)`.
    pub fn in_words(&self, dataset: &str) -> String {
        let Self { copies, sources, labelled, .. } = self;
        let scans = if *sources == 1 { "scan" } else { "scans" };
        let labelled = match labelled {
            0 => String::new(),
            count => format!("; {count} of them labelled"),
        };
        format!("implants in {sources} {scans} of {dataset} ({copies} implanted scans{labelled})")
    }

    /// Keeps the first `copies` of some sources, and the labelled ones of these.
    pub fn retain(&mut self, copies: usize, keep: impl Fn(&str) -> bool) {
        let source = |id: &str| source_of(id).unwrap_or_else(|| id.to_owned());
        let wanted = |id: &str| copy_of(id).is_none_or(|copy| copy.number <= copies);
        self.cohort.cases.retain(|case| wanted(&case.id) && keep(&source(&case.id)));
        let ids: Vec<&str> = self.cohort.cases.iter().map(|case| case.id.as_str()).collect();
        let sources: BTreeSet<String> = ids.iter().map(|id| source(id)).collect();
        self.sources = sources.len();
        self.copies = ids.iter().filter(|id| source_of(id).is_some()).count();
        self.labelled = ids.len() - self.copies;
    }
}

/// The scan that an implanted one was made from: `sub-01_ses-2` of `sub-01_ses-2implant03`, `sub-01` of
/// `sub-01_ses-implant01`; `None` if it is none.
pub fn source_of(scan: &str) -> Option<String> {
    copy_of(scan).map(|copy| copy.source)
}

/// What the name of an implanted scan says.
struct Copy {
    source: String,
    /// Counted from 1.
    number: usize,
}

fn copy_of(scan: &str) -> Option<Copy> {
    let subject = subject_of(scan);
    let rest = scan.strip_prefix(&subject)?.strip_prefix("_ses-")?;
    let (session, run) = rest.split_once('_').map_or((rest, None), |(one, two)| (one, Some(two)));
    let (session, number) = session.rsplit_once("implant")?;
    let number = number.parse().ok().filter(|_| !number.starts_with('+'))?;
    let session = if session.is_empty() { String::new() } else { format!("_ses-{session}") };
    let run = run.map(|run| format!("_{run}")).unwrap_or_default();
    Some(Copy { source: subject + &session + &run, number })
}

/// An implanted copy of a labelled scan, with the labelled lesions beside the implants.
fn with_labels(
    copy: CaseFiles,
    labelled: &CaseFiles,
    scratch: &Path,
) -> Result<CaseFiles, StudyError> {
    let (Some(implants), Some(native)) = (&copy.truth, &labelled.truth) else { return Ok(copy) };
    let (implants, header) = LabelMap::read(implants)?;
    let (native, _) = LabelMap::read(native)?;
    if !implants.grid().same_as(native.grid()) {
        return Ok(copy);
    }
    let mut labels = implants.volume().clone();
    for (label, native) in labels.data_mut().iter_mut().zip(native.volume().data()) {
        *label = if *label == 0 { *native } else { *label };
    }
    let path = scratch.join(format!("{}_seg-lesions_dseg.nii.gz", copy.id));
    nifti::write(&path, &labels, Some(&header))?;
    Ok(CaseFiles { truth: Some(path), unknown: labelled.unknown.clone(), ..copy })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use deepmir_volume::components::Connectivity;

    use super::*;

    /// Four scans, of which the third is labelled, with two implanted copies each. Lesions with even numbers are native.
    fn datasets(folder: &Path) -> (PathBuf, PathBuf) {
        let (data, implanted) = (folder.join("bids"), folder.join("implanted"));
        for number in 1..5 {
            let subject = deepmir_testing::write_coarse_subject(&data, number);
            for copy in 1..3 {
                deepmir_testing::write_implanted_copy(&subject, &implanted, copy, is_native);
            }
            if number == 3 {
                fs::remove_file(deepmir_testing::forget_lesions(&subject, |n| !is_native(n)))
                    .unwrap();
            } else {
                fs::remove_file(subject.truth).unwrap();
            }
        }
        (data, implanted)
    }

    fn is_native(lesion: usize) -> bool {
        lesion.is_multiple_of(2)
    }

    fn lesions(case: &CaseFiles) -> usize {
        let labels = LabelMap::read(case.truth.as_ref().unwrap()).unwrap().0;
        deepmir_lesion::lesions_of(&labels, Connectivity::TwentySix).len()
    }

    #[test]
    fn native_lesions_are_true_where_a_rater_looked_and_unknown_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (data, implanted) = datasets(folder.path());
        let sources = SourceScans::read(&data, None).unwrap();
        assert_eq!((sources.cases.len(), sources.labelled().count()), (4, 1));
        let mut learned = ImplantedCohort::read(&implanted, &sources, folder.path()).unwrap();
        assert_eq!((learned.copies, learned.sources, learned.labelled), (8, 4, 1));
        for case in &learned.cohort.cases {
            let (native, implants) = (3, 3);
            let of_labelled = case.id.starts_with("sub-03");
            let copy = source_of(&case.id).is_some();
            assert_eq!(case.unknown.is_some(), !of_labelled, "{}", case.id);
            let wanted = match (of_labelled, copy) {
                (true, true) => native + implants,
                (true, false) => native,
                (false, _) => implants,
            };
            assert_eq!(lesions(case), wanted, "{}", case.id);
        }
        // Copies of one person are of one group, with the person's own scan.
        assert_eq!(learned.cohort.subjects().len(), 4);
        let words = learned.in_words("bids");
        assert_eq!(words, "implants in 4 scans of bids (8 implanted scans; 1 of them labelled)");

        learned.retain(1, |source| source != "sub-01");
        assert_eq!((learned.copies, learned.sources, learned.labelled), (3, 3, 1));
        let ids: Vec<&str> = learned.cohort.cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids[0], "sub-02_ses-implant01");
        assert_eq!(ids[3], "sub-03");
    }

    #[test]
    fn label_maps_that_a_model_made_are_no_labels() {
        let folder = tempfile::tempdir().unwrap();
        let (data, _) = datasets(folder.path());
        let labels = data.join("derivatives/truth/sub-03/anat");
        let sidecar = labels.join("sub-03_acq-swi_seg-lesions_dseg.json");
        fs::write(&sidecar, r#"{"Model": {"Name": "deepmir-11"}}"#).unwrap();
        let labelled =
            |labels: Option<&Path>| SourceScans::read(&data, labels).unwrap().labelled().count();
        assert_eq!((labelled(None), labelled(Some(&labels))), (0, 1), "unless they are named");
        fs::remove_dir_all(data.join("derivatives")).unwrap();
        assert_eq!(labelled(None), 0);
    }

    #[test]
    fn what_is_no_dataset_and_has_no_implants_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (data, _) = datasets(folder.path());
        let table = folder.path().join("scans.csv");
        fs::write(&table, "id,truth,swi\n").unwrap();
        let told = SourceScans::read(&table, None).unwrap_err().to_string();
        assert!(told.contains("BIDS dataset") && told.ends_with("scans.csv"), "{told}");
        let sources = SourceScans::read(&data, None).unwrap();
        let told = ImplantedCohort::read(&data, &sources, folder.path()).unwrap_err().to_string();
        assert!(told.contains("no implanted scan here"), "{told}");
    }

    #[test]
    fn an_implanted_scan_tells_its_source() {
        for (copy, source) in [
            ("sub-01_ses-implant01", Some("sub-01")),
            ("sub-01_ses-2implant03", Some("sub-01_ses-2")),
            ("sub-01_ses-2implant03_run-1", Some("sub-01_ses-2_run-1")),
            ("sub-01_ses-implant2implant10", Some("sub-01_ses-implant2")),
            ("sub-01_ses-2", None),
            ("sub-01", None),
            ("sub-01_ses-implant", None),
            ("sub-implant01", None),
        ] {
            assert_eq!(source_of(copy).as_deref(), source, "{copy}");
        }
    }
}
