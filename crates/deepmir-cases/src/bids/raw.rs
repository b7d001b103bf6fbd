//! The raw echoes of a scan: which files are the two parts of which echo.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::BidsName;
use super::kind::{ECHO_SUFFIXES, Part};
use crate::{CaseError, EchoParts};

/// A file that is a part of an echo.
#[derive(Clone, Debug)]
pub(super) struct EchoPart {
    part: Part,
    /// Its place among [`ECHO_SUFFIXES`].
    rank: usize,
    suffix: String,
    echo: u32,
    /// What tells series of one suffix apart: acquisition, reconstruction and so on.
    series: Vec<(String, String)>,
    path: PathBuf,
}

impl EchoPart {
    pub(super) fn new(part: Part, name: &BidsName, path: PathBuf) -> Self {
        let suffix = name.suffix().to_lowercase();
        let of_series = |(key, _): &(&str, &str)| !["run", "echo", "part"].contains(key);
        let series = name.distinguishing().filter(of_series);
        Self {
            part,
            rank: ECHO_SUFFIXES.iter().position(|other| *other == suffix).unwrap_or(0),
            suffix: name.suffix().to_owned(),
            echo: name.entity("echo").and_then(|echo| echo.parse().ok()).unwrap_or(1),
            series: series.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            path,
        }
    }

    /// Whether it is an echo's without doubt; a T1w or T2*-weighted image is one only if there is a phase to it.
    pub(super) fn is_of_an_echo(&self) -> bool {
        self.part != Part::Unsaid || ["MEGRE", "GRE"].contains(&self.suffix.as_str())
    }
}

/// The echoes of a scan, in order, from the best suffix that has any, and notes on what was passed over.
///
/// # Errors
/// An echo with one part only, or two files for one part.
pub(super) fn assemble(
    parts: Vec<EchoPart>,
    scan: &str,
) -> Result<(Vec<EchoParts>, Vec<String>), CaseError> {
    let mut by_suffix: BTreeMap<usize, Vec<EchoPart>> = BTreeMap::new();
    for part in parts {
        by_suffix.entry(part.rank).or_default().push(part);
    }
    let mut notes = Vec::new();
    let mut first_fault = None;
    for parts in by_suffix.into_values() {
        match of_suffix(parts, scan, &mut notes) {
            Ok(echoes) if echoes.is_empty() => {}
            Ok(echoes) => {
                notes.extend(first_fault.map(|fault: CaseError| fault.to_string()));
                return Ok((echoes, notes));
            }
            Err(fault) => first_fault = first_fault.or(Some(fault)),
        }
    }
    match first_fault {
        Some(fault) => Err(fault),
        None => Ok((Vec::new(), notes)),
    }
}

/// The parts of one echo that were found.
type Found = BTreeMap<Part, PathBuf>;

/// The echoes of the files of one suffix; none if they are magnitudes alone.
fn of_suffix(
    parts: Vec<EchoPart>,
    scan: &str,
    notes: &mut Vec<String>,
) -> Result<Vec<EchoParts>, CaseError> {
    if parts.iter().all(|part| part.part == Part::Unsaid) {
        let echoes = parts.iter().filter(|part| part.is_of_an_echo());
        notes.extend(echoes.clone().next().map(|first| {
            format!(
                "magnitudes ({} {}) without phase give neither SWI nor QSM; add the phase images \
                 (*_part-phase_{}): {}",
                echoes.count(),
                first.suffix,
                first.suffix,
                first.path.display()
            )
        }));
        return Ok(Vec::new());
    }
    let together = paired(&parts, scan);
    let Err(CaseError::TwoEchoParts { .. }) = together else { return together };
    // Several series: the one that is whole, if there is but one.
    let mut series: BTreeMap<Vec<(String, String)>, Vec<EchoPart>> = BTreeMap::new();
    for part in parts {
        series.entry(part.series.clone()).or_default().push(part);
    }
    let mut whole = Vec::new();
    let mut broken = Vec::new();
    for parts in series.values() {
        match paired(parts, scan) {
            Ok(echoes) => whole.push(echoes),
            Err(_) => broken.extend(parts.iter().map(|part| part.path.clone())),
        }
    }
    match whole.len() {
        1 => {
            notes.extend(
                broken
                    .iter()
                    .map(|path| format!("a part of no whole echo is not used: {}", path.display())),
            );
            Ok(whole.remove(0))
        }
        _ => together,
    }
}

fn paired(parts: &[EchoPart], scan: &str) -> Result<Vec<EchoParts>, CaseError> {
    let mut echoes: BTreeMap<u32, Found> = BTreeMap::new();
    for part in parts {
        let found = echoes.entry(part.echo).or_default();
        if let Some(first) = found.insert(part.part, part.path.clone()) {
            let second = part.path.clone();
            return Err(CaseError::TwoEchoParts { scan: scan.to_owned(), first, second });
        }
    }
    echoes.into_values().filter_map(|found| pair(found, scan).transpose()).collect()
}

/// The two parts of an echo. A file that does not say its part is the magnitude of a phase that has none.
fn pair(mut found: Found, scan: &str) -> Result<Option<EchoParts>, CaseError> {
    let unsaid = found.remove(&Part::Unsaid);
    if found.contains_key(&Part::Phase) && !found.contains_key(&Part::Magnitude) {
        found.extend(unsaid.map(|path| (Part::Magnitude, path)));
    } else if found.is_empty() {
        // An echo that has no phase among those that do.
        let Some(path) = unsaid else { return Ok(None) };
        return Err(CaseError::HalfEcho { scan: scan.to_owned(), path });
    }
    let mut both = |a: Part, b: Part| match (found.remove(&a), found.remove(&b)) {
        (Some(a), Some(b)) => Ok(Some((a, b))),
        (None, None) => Ok(None),
        (Some(path), None) | (None, Some(path)) => {
            Err(CaseError::HalfEcho { scan: scan.to_owned(), path })
        }
    };
    if let Some((magnitude, phase)) = both(Part::Magnitude, Part::Phase)? {
        return Ok(Some(EchoParts::Polar { magnitude, phase }));
    }
    let cartesian = both(Part::Real, Part::Imaginary)?;
    Ok(cartesian.map(|(real, imaginary)| EchoParts::Cartesian { real, imaginary }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bids::Scan;
    use crate::bids::scan::tests::of;

    fn names(scan: &Scan) -> Vec<String> {
        let name = |path: &std::path::Path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .replace("sub-01_", "")
                .replace(".nii.gz", "")
        };
        let echoes = scan.echoes.as_ref().unwrap().iter().map(EchoParts::paths);
        echoes.flat_map(|(a, b)| [name(a), name(b)]).collect()
    }

    #[test]
    fn echoes_are_paired_in_order() {
        let scan = &of(
            &[
                "echo-10_part-mag_MEGRE",
                "echo-10_part-phase_MEGRE",
                "echo-2_part-mag_MEGRE",
                "echo-2_part-phase_MEGRE",
                "T2w",
            ],
            &[],
        )[0];
        assert_eq!(names(scan)[0], "echo-2_part-mag_MEGRE");
        assert_eq!(scan.echoes.as_ref().unwrap().len(), 2);
        let scan = &of(&["part-real_T2starw", "part-imag_T2starw"], &[])[0];
        assert!(matches!(scan.echoes.as_ref().unwrap()[0], EchoParts::Cartesian { .. }));
    }

    #[test]
    fn names_of_echoes_in_real_datasets_are_known() {
        for files in [
            // The standard's own example of a susceptibility map.
            ["part-mag_T1w", "part-phase_T1w"],
            ["part-mag_swi", "part-phase_swi"],
            ["acq-GRE_part-mag_T2starw", "acq-GRE_part-phase_T2starw"],
            ["T2starw", "part-phase_T2starw"],
            ["acq-SWAN_part-mag_T2starw", "acq-SWAN_part-phase_T2starw"],
            ["rec-norm_part-mag_GRE", "part-phase_GRE"],
            ["echo-1_MEGRE", "echo-1_part-phase_MEGRE"],
        ] {
            assert_eq!(names(&of(&files, &[])[0]), files, "{files:?}");
        }
        // A T1w beside its parts, and an SWI beside its own.
        assert_eq!(names(&of(&["T1w", "part-mag_T1w", "part-phase_T1w"], &[])[0]).len(), 2);
        let scan = &of(&["swi", "part-mag_swi", "part-phase_swi"], &[])[0];
        assert_eq!((names(scan).len(), scan.images.len()), (2, 1));
        // The better source is taken.
        let both = ["part-mag_T1w", "part-phase_T1w", "part-mag_GRE", "part-phase_GRE"];
        assert_eq!(names(&of(&both, &[])[0]), both[2..]);
    }

    #[test]
    fn an_echo_without_phase_is_told() {
        for files in [
            &["echo-1_part-mag_MEGRE"][..],
            &["part-phase_swi"],
            &["echo-1_MEGRE", "echo-1_part-phase_MEGRE", "echo-2_MEGRE"],
        ] {
            let scan = &of(files, &[])[0];
            let told = scan.echoes.as_ref().unwrap_err();
            assert!(
                told.contains("one part only") && told.contains(files[files.len() - 1]),
                "{told}"
            );
        }
    }

    #[test]
    fn magnitudes_alone_are_told() {
        for files in [&["echo-1_MEGRE", "echo-2_MEGRE"][..], &["GRE"], &["acq-a_GRE", "acq-b_GRE"]]
        {
            let scan = &of(files, &[])[0];
            assert_eq!(scan.echoes, Ok(Vec::new()), "{files:?}");
            assert!(scan.notes[0].contains("without phase"), "{:?}", scan.notes);
        }
    }

    #[test]
    fn one_of_two_series_is_not_guessed_and_can_be_chosen() {
        let files = [
            "acq-a_part-mag_GRE",
            "acq-a_part-phase_GRE",
            "acq-b_part-mag_GRE",
            "acq-b_part-phase_GRE",
        ];
        let told = of(&files, &[])[0].echoes.clone().unwrap_err();
        assert!(told.contains("--filter echoes=acq-"), "{told}");
        assert_eq!(names(&of(&files, &["echoes=acq-b"])[0]), files[2..]);
        assert_eq!(names(&of(&files[..3], &[])[0]), files[..2]);
    }
}
