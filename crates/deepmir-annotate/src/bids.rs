//! The cases of a BIDS dataset.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, BidsName, Scan};
use deepmir_cases::choose;
use deepmir_cases::outputs::check_derivatives_folder;
use deepmir_volume::nifti;

use crate::candidates::table_beside;
use crate::case::{CaseFiles, Dataset};
use crate::error::AnnotateError;
use crate::image_kind::ImageKind;

impl Dataset {
    /// Opens a BIDS dataset: the scans of `participants` and `sessions` (labels with or without `sub-` and
    /// `ses-`; all if empty), each with the projection and phase image beside it. A model's label maps below
    /// `candidates` are to be reviewed. Marks go to `out`, or else to `derivatives/annotate`; the
    /// folder and its `dataset_description.json` are written.
    ///
    /// # Errors
    /// A folder that cannot be read or written, an unknown participant or session, two images of one kind for
    /// one scan, or a file that lies outside `data` and `candidates`.
    pub fn from_bids(
        data: &Path,
        participants: &[String],
        sessions: &[String],
        candidates: Option<&Path>,
        out: Option<&Path>,
    ) -> Result<Self, AnnotateError> {
        let mut scans = bids::scans(data)?;
        choose(
            &mut scans,
            (participants, |scan| &scan.subject),
            (sessions, |scan| scan.session.as_deref()),
            data,
        )?;
        let label_maps = match candidates {
            Some(folder) => bids::label_maps(folder)?,
            None => BTreeMap::new(),
        };
        let cases = scans
            .into_iter()
            .map(|scan| CaseFiles::from_bids(scan, &label_maps))
            .collect::<Result<_, _>>()?;
        let out = out.map_or_else(|| data.join("derivatives").join("annotate"), Path::to_owned);
        let roots: Vec<PathBuf> =
            std::iter::once(data).chain(candidates).map(Path::to_owned).collect();
        check_derivatives_folder(&out, Some(data))?;
        let dataset = Self::new(cases, out, &roots)?;
        std::fs::create_dir_all(&dataset.out)
            .map_err(|source| AnnotateError::Io { path: dataset.out.clone(), source })?;
        bids::write_dataset_description(&dataset.out)?;
        Ok(dataset)
    }
}

impl CaseFiles {
    /// The case of a scan, with its label map from `candidates`, which are by scan.
    ///
    /// # Errors
    /// A scan without images.
    pub fn from_bids(
        scan: Scan,
        candidates: &BTreeMap<String, PathBuf>,
    ) -> Result<Self, AnnotateError> {
        let Some((_, reference)) = scan.images.first_key_value() else {
            return Err(AnnotateError::refused(format!(
                "{} has no SWI, QSM or T2w image",
                scan.id
            )));
        };
        let name = BidsName::derived_from(reference)
            .with(&[("seg", "lesions"), ("desc", "{desc}")], "", "")
            .trim_end_matches('_')
            .to_owned();
        let mut folder = PathBuf::from(format!("sub-{}", scan.subject));
        if let Some(session) = &scan.session {
            folder.push(format!("ses-{session}"));
        }
        let beside = reference.parent().map(|folder| optional_images(folder, &scan.id));
        let images = scan.images.iter().map(|(&modality, path)| (modality.into(), path.clone()));
        let candidates = bids::of_scan(candidates, &scan.id).cloned();
        Ok(Self {
            images: images.chain(beside.unwrap_or_default()).collect(),
            candidate_table: candidates.as_deref().and_then(table_beside),
            candidates,
            folder: folder.join("anat"),
            brain: scan.mask,
            visits: None,
            result: None,
            name,
            id: scan.id,
        })
    }
}

/// The minimum-intensity projection and the phase (of the last echo) in a scan's folder.
fn optional_images(folder: &Path, scan: &str) -> BTreeMap<ImageKind, PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| nifti::is_nifti_name(path)).collect();
    paths.sort();
    let mut found = BTreeMap::new();
    for path in paths {
        let Some(name) = BidsName::parse(&path).filter(|name| name.scan() == scan) else {
            continue;
        };
        if name.suffix() == "minIP" {
            found.insert(ImageKind::MinIp, path);
        } else if name.entity("part") == Some("phase") && is_one_volume(&path) {
            found.insert(ImageKind::Phase, path);
        }
    }
    found
}

/// A 4D series of echoes cannot be shown.
fn is_one_volume(path: &Path) -> bool {
    nifti::read_header(path).is_ok_and(|header| header.volume_count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_testing::write_subject;

    #[test]
    fn a_dataset_lists_images_projections_phases_and_candidates() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        for number in [1, 2] {
            write_subject(data, number);
        }
        let anat = data.join("sub-02/anat");
        let swi = anat.join("sub-02_acq-swi_T2starw.nii.gz");
        for name in ["minIP", "echo-1_part-phase_MEGRE", "echo-2_part-phase_MEGRE"] {
            std::fs::copy(&swi, anat.join(format!("sub-02_{name}.nii.gz"))).unwrap();
        }
        let truth = data.join("derivatives/truth");
        let dataset =
            Dataset::from_bids(data, &["sub-02".to_owned()], &[], Some(&truth), None).unwrap();
        let [case] = dataset.cases.as_slice() else { panic!("one case") };
        assert_eq!(case.name, "sub-02_acq-swi_seg-lesions_desc-{desc}");
        assert_eq!(case.folder, Path::new("sub-02/anat"));
        let kinds: Vec<&str> = case.images.iter().map(|(kind, _)| kind.name()).collect();
        assert_eq!(kinds, ["SWI", "QSM", "T2w", "phase", "minIP"]);
        assert_eq!(case.images[3].1, anat.join("sub-02_echo-2_part-phase_MEGRE.nii.gz"));
        assert!(case.candidates.is_some());
        assert!(data.join("derivatives/annotate/dataset_description.json").is_file());
        let error = Dataset::from_bids(data, &["09".to_owned()], &[], None, None).unwrap_err();
        assert!(error.to_string().contains("no sub-09; similar: "), "{error}");
    }
}
