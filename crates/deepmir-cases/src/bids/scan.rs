//! The scans of a subject: which images belong together, and what is passed over and why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::filter::{Filters, Query};
use super::kind::{Kind, Part};
use super::magnitude::{Magnitude, chosen};
use super::name::without_zeros;
use super::raw::{EchoPart, assemble};
use super::walk::{FoundImage, found_below, subject_folders};
use super::{BidsName, runs};
use crate::{CaseError, EchoParts, Modality};

/// One scan (subject, session, run), its images and its raw echoes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// `sub-01`, `sub-01_ses-2`, `sub-01_ses-2_run-1`.
    pub id: String,
    /// `01`.
    pub subject: String,
    /// `2`.
    pub session: Option<String>,
    /// Its images.
    pub images: BTreeMap<Modality, PathBuf>,
    /// Kinds of which it has more than one image, with the first two; they are not among its images.
    pub twice: BTreeMap<Modality, (PathBuf, PathBuf)>,
    /// A T2*-weighted magnitude, for models that can do without an SWI.
    pub magnitude: Option<PathBuf>,
    /// A brain mask (`desc-brain_mask`) beside them.
    pub mask: Option<PathBuf>,
    /// R2 per second (`R2map`), to separate susceptibility by.
    pub r2_map: Option<PathBuf>,
    /// Its raw echoes, or why they cannot be used; empty if there are none.
    pub echoes: Result<Vec<EchoParts>, String>,
    /// Images that were passed over, and why: sentences without a full stop.
    pub notes: Vec<String>,
    /// What was assumed of the images that are used.
    pub warnings: Vec<String>,
}

impl Scan {
    /// Where its derivatives go below an output folder: `sub-01/ses-2/anat`.
    pub fn folder(&self) -> PathBuf {
        let mut folder = PathBuf::from(format!("sub-{}", self.subject));
        if let Some(session) = &self.session {
            folder.push(format!("ses-{session}"));
        }
        folder.join("anat")
    }

    /// That it has at most one image of each of some kinds.
    ///
    /// # Errors
    /// Naming two of one kind.
    pub fn check_single(&self, modalities: &[Modality]) -> Result<(), CaseError> {
        let twice = self.twice.iter().find(|(modality, _)| modalities.contains(modality));
        match twice {
            Some((&modality, (first, second))) => Err(CaseError::TwoImages {
                scan: self.id.clone(),
                modality,
                first: first.clone(),
                second: second.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// Every scan of a dataset that has images, by name. Raw echoes are passed over.
///
/// # Errors
/// A folder that cannot be read or holds no subjects, or two images of one kind for one scan.
pub fn scans(dataset: &Path) -> Result<Vec<Scan>, CaseError> {
    let mut scans = Vec::new();
    for subject in subject_folders(dataset)? {
        scans.append(&mut scans_of(&subject.name, &subject.path, &Filters::default())?);
    }
    for scan in &scans {
        scan.check_single(&Modality::ALL)?;
    }
    scans.retain(|scan| !scan.images.is_empty());
    if scans.is_empty() {
        return Err(CaseError::NoScans { path: dataset.to_owned() });
    }
    scans.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(scans)
}

/// Every scan of one subject's folder, by name; there may be none.
///
/// # Errors
/// A folder that cannot be read, or an image that says it is another subject's or session's.
pub fn scans_of(subject: &str, folder: &Path, filters: &Filters) -> Result<Vec<Scan>, CaseError> {
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    for FoundImage { path, place } in found_below(folder)? {
        let Some(name) = BidsName::parse(&path) else { continue };
        check_place(subject, &name, &path, &place)?;
        let Some(kind) = Kind::of(&path, &name) else { continue };
        let key = Key {
            session: name.entity("ses").map(str::to_owned),
            run: name.entity("run").map(|run| without_zeros(run).to_owned()),
        };
        groups.entry(key).or_default().add(kind, &name, path, filters);
    }
    let mut scans = Vec::new();
    let mut sessions: BTreeMap<Option<String>, Vec<(Option<String>, Group)>> = BTreeMap::new();
    for (key, group) in groups {
        sessions.entry(key.session).or_default().push((key.run, group));
    }
    let bare = subject.strip_prefix("sub-").unwrap_or(subject);
    for (session, groups) in sessions {
        for group in runs::matched(groups) {
            scans.push(group.into_scan(bare, session.as_deref()));
        }
    }
    scans.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(scans)
}

/// How many images of a folder have no BIDS names, and one of them.
///
/// # Errors
/// A folder that cannot be read.
pub fn without_bids_names(folder: &Path) -> Result<Option<(usize, PathBuf)>, CaseError> {
    let images = found_below(folder)?.into_iter().map(|found| found.path);
    let mut odd = images.filter(|path| BidsName::parse(path).is_none());
    Ok(odd.next().map(|first| (1 + odd.count(), first)))
}

/// That a file says by its name where it lies: results of `sub-01` must not come from an image that says it is
/// `sub-02`'s.
fn check_place(subject: &str, name: &BidsName, path: &Path, place: &Path) -> Result<(), CaseError> {
    let session =
        place.components().filter_map(|part| part.as_os_str().to_str()).find_map(|part| {
            part.strip_prefix("ses-").filter(|_| !part.contains('_')).map(str::to_owned)
        });
    let named = format!("sub-{}", name.entity("sub").unwrap_or_default());
    if named != subject || session.as_deref() != name.entity("ses") {
        return Err(CaseError::WrongPlace { path: path.to_owned() });
    }
    Ok(())
}

/// What a name says of the scan, runs by their numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    session: Option<String>,
    run: Option<String>,
}

/// The images of one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) images: BTreeMap<Modality, Vec<PathBuf>>,
    pub(super) masks: Vec<PathBuf>,
    pub(super) r2_maps: Vec<PathBuf>,
    pub(super) parts: Vec<EchoPart>,
    pub(super) magnitudes: Vec<Magnitude>,
    /// `run-` as names spell it, the best image's first: 0 for the SWI, and so on.
    pub(super) spelled: BTreeMap<(usize, String), PathBuf>,
    pub(super) notes: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl Group {
    fn add(&mut self, kind: Kind, name: &BidsName, path: PathBuf, filters: &Filters) {
        let query = match kind {
            Kind::Image(modality) => Query::from(modality),
            Kind::Magnitude | Kind::Projection | Kind::Phase => Query::Swi,
            Kind::Part(_) => Query::Echoes,
            Kind::BrainMask => Query::Mask,
            Kind::R2Map => {
                self.r2_maps.push(path);
                return;
            }
        };
        let file = || path.display();
        let mut rank = 4;
        match kind {
            Kind::Projection | Kind::Phase => {
                let what =
                    if kind == Kind::Phase { "a phase image" } else { "a projection over slices" };
                self.notes.push(format!("{what} is no SWI and not used: {}", file()));
                return;
            }
            Kind::Magnitude => {
                let is_echo = filters.choose(Query::Echoes, name);
                if is_echo {
                    self.parts.push(EchoPart::new(Part::Unsaid, name, path.clone()));
                }
                if !filters.ask_for_swi() {
                    self.magnitudes.push(Magnitude::new(name, path));
                    return;
                }
                if !filters.choose(Query::Swi, name) {
                    return;
                }
                rank = 0;
                self.images.entry(Modality::Swi).or_default().push(path.clone());
            }
            _ if !filters.choose(query, name) => {
                self.notes.push(format!(
                    "not chosen by the filter of {}: {}",
                    query.name(),
                    file()
                ));
                return;
            }
            Kind::Image(modality) => {
                rank = modality as usize;
                self.images.entry(modality).or_default().push(path.clone());
            }
            Kind::Part(part) => {
                rank = 3;
                let shows = matches!(part, Part::Magnitude | Part::Unsaid);
                if shows && !name.suffix().eq_ignore_ascii_case("T1w") && !filters.ask_for_swi() {
                    self.magnitudes.push(Magnitude::new(name, path.clone()));
                }
                self.parts.push(EchoPart::new(part, name, path.clone()));
            }
            Kind::BrainMask => self.masks.push(path.clone()),
            Kind::R2Map => {}
        }
        if let Some(run) = name.entity("run") {
            self.spelled.entry((rank, run.to_owned())).or_insert(path);
        }
    }

    fn into_scan(mut self, subject: &str, session: Option<&str>) -> Scan {
        let runs: Vec<&String> = self.spelled.keys().map(|(_, run)| run).collect();
        let run = runs.first().map(|&run| run.clone());
        if let Some(other) = runs.iter().find(|other| Some(**other) != run.as_ref())
            && let Some(run) = &run
        {
            self.warnings.push(format!("run-{run} and run-{other} are taken for one run"));
        }
        let parts = [Some(format!("sub-{subject}")), session.map(|name| format!("ses-{name}"))];
        let parts = parts.into_iter().chain([run.map(|run| format!("run-{run}"))]);
        let id = parts.flatten().collect::<Vec<_>>().join("_");
        let echoes = match assemble(self.parts, &id) {
            Ok((echoes, mut notes)) => {
                self.notes.append(&mut notes);
                Ok(echoes)
            }
            Err(error) => Err(error.to_string()),
        };
        let magnitude = match chosen(self.magnitudes) {
            Ok(magnitude) => magnitude,
            Err(note) => {
                self.notes.push(note);
                None
            }
        };
        let mut images = BTreeMap::new();
        let mut twice = BTreeMap::new();
        for (modality, paths) in self.images {
            let mut paths = paths.into_iter();
            match (paths.next(), paths.next()) {
                (Some(first), Some(second)) => {
                    twice.insert(modality, (first, second));
                }
                (Some(only), None) => {
                    images.insert(modality, only);
                }
                (None, _) => {}
            }
        }
        let mut first_of = |paths: Vec<PathBuf>, what: &str, remedy: &str| {
            if let [first, second, ..] = &paths[..] {
                self.warnings.push(format!(
                    "there are two {what}, and the first is used ({}); {remedy}: {}",
                    first.display(),
                    second.display()
                ));
            }
            paths.into_iter().next()
        };
        let mask = first_of(self.masks, "brain masks", "choose one with --filter mask=…");
        let r2_map = first_of(self.r2_maps, "maps of R2", "take one away");
        Scan {
            id,
            subject: subject.to_owned(),
            session: session.map(str::to_owned),
            images,
            twice,
            magnitude,
            mask,
            r2_map,
            echoes,
            notes: self.notes,
            warnings: self.warnings,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bids::tests::dataset;

    /// The scans of a subject 01 with these files.
    pub(in crate::bids) fn of(files: &[&str], filters: &[&str]) -> Vec<Scan> {
        let paths: Vec<String> =
            files.iter().map(|file| format!("sub-01/anat/sub-01_{file}.nii.gz")).collect();
        let folder = dataset(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        let mut chosen = Filters::default();
        for filter in filters {
            chosen.add(filter).unwrap();
        }
        scans_of("sub-01", &folder.path().join("sub-01"), &chosen).unwrap()
    }

    fn modalities(scan: &Scan) -> Vec<&'static str> {
        scan.images.keys().map(|modality| modality.name()).collect()
    }

    #[test]
    fn scans_are_found_with_sessions_and_without() {
        let folder = dataset(&[
            "sub-01/anat/sub-01_acq-swi_T2starw.nii.gz",
            "sub-01/anat/sub-01_Chimap.nii.gz",
            "sub-01/anat/sub-01_T2w.nii.gz",
            "sub-01/anat/sub-01_echo-1_part-mag_MEGRE.nii.gz",
            "sub-01/anat/sub-01_acq-gre_T2starw.nii.gz",
            "sub-02/ses-a/anat/sub-02_ses-a_swi.nii.gz",
            "sub-02/ses-b/anat/sub-02_ses-b_swi.nii",
            "sub-03/anat/sub-03_swi.NII.GZ",
            "sub-03/ses-c/anat/sub-03_ses-c_swi.nii.gz",
            "derivatives/truth/sub-01/anat/sub-01_seg-lesions_dseg.nii.gz",
        ]);
        let scans = scans(folder.path()).unwrap();
        let ids: Vec<&str> = scans.iter().map(|scan| scan.id.as_str()).collect();
        assert_eq!(ids, ["sub-01", "sub-02_ses-a", "sub-02_ses-b", "sub-03", "sub-03_ses-c"]);
        assert_eq!(scans[0].images.len(), 3);
        assert_eq!((scans[1].subject.as_str(), scans[1].session.as_deref()), ("02", Some("a")));
        assert_eq!(scans[1].folder(), Path::new("sub-02/ses-a/anat"));
    }

    #[test]
    fn an_empty_folder_and_two_images_are_told() {
        let empty = dataset(&["readme.txt"]);
        assert!(scans(empty.path()).unwrap_err().to_string().contains("no scans"));
        let twice =
            dataset(&["sub-01/anat/sub-01_swi.nii", "sub-01/anat/sub-01_acq-swi_T2starw.nii"]);
        assert!(scans(twice.path()).unwrap_err().to_string().contains("two SWI"));
    }

    #[test]
    fn an_image_of_another_subject_or_session_is_told() {
        for file in [
            "sub-01/anat/sub-02_swi.nii",
            "sub-01/ses-a/anat/sub-01_ses-b_swi.nii",
            "sub-01/ses-a/anat/sub-01_swi.nii",
            "sub-01/anat/sub-01_ses-a_swi.nii",
        ] {
            let folder = dataset(&[file]);
            let found = scans_of("sub-01", &folder.path().join("sub-01"), &Filters::default());
            assert!(matches!(found, Err(CaseError::WrongPlace { .. })), "{file}");
        }
    }

    #[test]
    fn which_of_several_t2w_is_not_guessed_and_can_be_chosen() {
        let files = ["swi", "T2w", "acq-cor_T2w", "rec-norm_T2w"];
        let scan = &of(&files, &[])[0];
        let told = scan.check_single(&Modality::ALL).unwrap_err().to_string();
        assert!(told.contains("two T2w") && told.contains("--filter t2w="), "{told}");
        assert!(scan.check_single(&[Modality::Swi]).is_ok());
        let scan = &of(&files, &["t2w=acq-cor"])[0];
        assert!(scan.check_single(&Modality::ALL).is_ok());
        assert!(scan.images[&Modality::T2w].ends_with("sub-01_acq-cor_T2w.nii.gz"));
    }

    #[test]
    fn a_magnitude_called_t2starw_is_an_swi_only_if_asked_for() {
        let files = ["acq-GRE_T2starw", "Chimap"];
        let scan = &of(&files, &[])[0];
        assert_eq!(modalities(scan), ["QSM"]);
        assert!(scan.magnitude.as_ref().unwrap().ends_with("sub-01_acq-GRE_T2starw.nii.gz"));
        for filter in ["swi=suffix-T2starw", "swi=acq-GRE"] {
            assert_eq!(modalities(&of(&files, &[filter])[0]), ["SWI", "QSM"], "{filter}");
        }
        assert_eq!(modalities(&of(&files, &["swi=run-none"])[0]), ["QSM"]);
    }

    #[test]
    fn projections_beside_an_swi_are_passed_over() {
        let scan = &of(&["swi", "rec-mIP_swi", "acq-swiminIP_T2starw", "minIP"], &[])[0];
        assert!(scan.check_single(&Modality::ALL).is_ok());
        assert!(scan.images[&Modality::Swi].ends_with("sub-01_swi.nii.gz"));
        assert_eq!(scan.notes.len(), 3);
    }
}
