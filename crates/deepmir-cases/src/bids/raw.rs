//! Raw gradient-echo scans of a dataset.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::EchoParts;

use super::BidsName;
use super::dataset::{images_below, subject_folders};
use crate::CaseError;

/// The raw echoes of one scan, and the T2w image to align to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawScan {
    /// `sub-01`, `sub-01_ses-2`, `sub-01_ses-2_run-1`.
    pub id: String,
    /// Where the scan's derivatives go below an output folder: `sub-01/ses-2/anat`.
    pub folder: PathBuf,
    /// `01`.
    pub subject: String,
    /// `2`.
    pub session: Option<String>,
    /// Magnitude and phase (or real and imaginary part) of each echo, in order.
    pub echoes: Vec<EchoParts>,
    /// The T2-weighted image, on whatever grid.
    pub t2w: Option<PathBuf>,
}

/// The parts of one echo that were found.
#[derive(Default)]
struct Parts(BTreeMap<String, PathBuf>);

#[derive(Default)]
struct Found {
    echoes: BTreeMap<u32, Parts>,
    t2w: Option<PathBuf>,
    subject: String,
    session: Option<String>,
}

/// Every scan of a dataset that has raw echoes (`*_part-mag_MEGRE`, `*_part-phase_MEGRE` with or
/// without `echo-`; `T2starw` and `GRE` are taken too), by name.
///
/// # Errors
/// A folder that cannot be read, an echo with one part only, or two files for one part.
pub fn raw_scans(dataset: &Path) -> Result<Vec<RawScan>, CaseError> {
    let mut scans = Vec::new();
    for folder in subject_folders(dataset)? {
        scans.append(&mut raw_scans_of(&folder)?);
    }
    scans.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(scans)
}

/// As [`raw_scans`], of one subject's folder.
pub fn raw_scans_of(subject: &Path) -> Result<Vec<RawScan>, CaseError> {
    let mut scans: BTreeMap<String, Found> = BTreeMap::new();
    for path in images_below(subject)? {
        let Some(name) = BidsName::parse(&path) else { continue };
        let found = scans.entry(name.scan()).or_default();
        found.subject = name.entity("sub").unwrap_or_default().to_owned();
        found.session = name.entity("ses").map(str::to_owned);
        let part = name.entity("part");
        match (name.suffix(), part) {
            ("T2w", None) => found.t2w = Some(path),
            ("MEGRE" | "T2starw" | "GRE", Some(part)) => {
                let number = name.entity("echo").and_then(|echo| echo.parse().ok()).unwrap_or(1);
                let parts = &mut found.echoes.entry(number).or_default().0;
                if let Some(first) = parts.insert(part.to_owned(), path.clone()) {
                    return Err(CaseError::TwoEchoParts { scan: name.scan(), first, second: path });
                }
            }
            _ => {}
        }
    }
    let with_echoes = scans.into_iter().filter(|(_, found)| !found.echoes.is_empty());
    with_echoes.map(|(id, found)| found.into_scan(id)).collect()
}

impl Found {
    fn into_scan(self, id: String) -> Result<RawScan, CaseError> {
        let mut folder = PathBuf::from(format!("sub-{}", self.subject));
        if let Some(session) = &self.session {
            folder.push(format!("ses-{session}"));
        }
        let echoes = self.echoes.into_values().map(|parts| parts.pair(&id));
        Ok(RawScan {
            echoes: echoes.collect::<Result<_, _>>()?,
            id,
            folder: folder.join("anat"),
            subject: self.subject,
            session: self.session,
            t2w: self.t2w,
        })
    }
}

impl Parts {
    fn pair(mut self, scan: &str) -> Result<EchoParts, CaseError> {
        let mut both = |a: &str, b: &str| match (self.0.remove(a), self.0.remove(b)) {
            (Some(a), Some(b)) => Ok(Some((a, b))),
            (None, None) => Ok(None),
            (Some(path), None) | (None, Some(path)) => {
                Err(CaseError::HalfEcho { scan: scan.to_owned(), path })
            }
        };
        if let Some((magnitude, phase)) = both("mag", "phase")? {
            return Ok(EchoParts::Polar { magnitude, phase });
        }
        if let Some((real, imaginary)) = both("real", "imag")? {
            return Ok(EchoParts::Cartesian { real, imaginary });
        }
        let path = self.0.into_values().next().unwrap_or_default();
        Err(CaseError::HalfEcho { scan: scan.to_owned(), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bids::tests::dataset;

    #[test]
    fn echoes_are_paired_in_order_and_scans_without_are_passed_over() {
        let folder = dataset(&[
            "sub-01/ses-b/anat/sub-01_ses-b_echo-10_part-mag_MEGRE.nii.gz",
            "sub-01/ses-b/anat/sub-01_ses-b_echo-10_part-phase_MEGRE.nii.gz",
            "sub-01/ses-b/anat/sub-01_ses-b_echo-2_part-mag_MEGRE.nii.gz",
            "sub-01/ses-b/anat/sub-01_ses-b_echo-2_part-phase_MEGRE.nii.gz",
            "sub-01/ses-b/anat/sub-01_ses-b_T2w.nii.gz",
            "sub-02/anat/sub-02_acq-swi_T2starw.nii.gz",
            "sub-03/anat/sub-03_part-real_T2starw.nii",
            "sub-03/anat/sub-03_part-imag_T2starw.nii",
        ]);
        let scans = raw_scans(folder.path()).unwrap();
        assert_eq!(scans.len(), 2);
        assert_eq!(scans[0].id, "sub-01_ses-b");
        assert_eq!(scans[0].folder, Path::new("sub-01/ses-b/anat"));
        assert!(scans[0].t2w.is_some());
        let EchoParts::Polar { magnitude, .. } = &scans[0].echoes[0] else { unreachable!() };
        assert!(magnitude.to_string_lossy().contains("echo-2_"), "{magnitude:?}");
        assert!(matches!(scans[1].echoes[0], EchoParts::Cartesian { .. }));
    }

    #[test]
    fn an_echo_without_phase_is_told() {
        let folder = dataset(&["sub-01/anat/sub-01_echo-1_part-mag_MEGRE.nii"]);
        let error = raw_scans(folder.path()).unwrap_err().to_string();
        assert!(error.contains("sub-01_echo-1_part-mag_MEGRE.nii"), "{error}");
    }
}
