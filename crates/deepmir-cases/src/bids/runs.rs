//! Which images of a session belong to which of its runs.
//!
//! An SWI, a susceptibility map or raw echoes make a run. What has no `run-` serves every run that has no own; a lone
//! T2w or mask of another run serves those that have none.

use std::path::PathBuf;

use super::raw::EchoPart;
use super::scan::Group;
use crate::Modality;

/// The runs of a session, each with what it uses of the others.
pub(super) fn matched(groups: Vec<(Option<String>, Group)>) -> Vec<Group> {
    let (mut runs, rest): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|(_, group)| group.makes_a_run());
    if runs.is_empty() {
        let all = rest.into_iter().map(|(_, group)| group);
        return all.filter(|group| !group.is_empty()).collect();
    }
    let unnumbered = rest.iter().find(|(run, _)| run.is_none()).map(|(_, group)| group.clone());
    let lone: Vec<Group> =
        rest.into_iter().filter(|(run, _)| run.is_some()).map(|(_, group)| group).collect();
    let numbered = runs.iter().filter(|(run, _)| run.is_some()).count();
    // A map or SWI without a run beside a single run with one is of that run, unless both have an SWI.
    if numbered > 0
        && let Some(place) = runs.iter().position(|(run, _)| run.is_none())
    {
        let own = &runs[place].1;
        let is_of_the_others = match numbered {
            1 => runs.iter().all(|(run, group)| run.is_none() || !group.overlaps(own)),
            _ => !own.images.contains_key(&Modality::Swi) && !own.has_echoes(),
        };
        if is_of_the_others {
            let (_, shared) = runs.remove(place);
            for (_, group) in &mut runs {
                let before = group.images.contains_key(&Modality::Qsm);
                group.take(&shared, &Modality::ALL, true);
                if numbered > 1
                    && !before
                    && let Some(map) = shared.first(Modality::Qsm)
                {
                    group.warnings.push(format!(
                        "there are several runs, and it says of none of them; it is used for each: {}",
                        map.display()
                    ));
                }
            }
        } else {
            let shared = own.clone();
            for (run, group) in &mut runs {
                if run.is_some() {
                    group.take(&shared, &[Modality::T2w], false);
                }
            }
        }
    }
    for (_, group) in &mut runs {
        if let Some(shared) = &unnumbered {
            group.take(shared, &[Modality::T2w], true);
        }
        group.borrow(&lone);
    }
    runs.into_iter().map(|(_, group)| group).collect()
}

impl Group {
    /// Whether lesions can be looked for in it.
    fn makes_a_run(&self) -> bool {
        let maps = [Modality::Swi, Modality::Qsm];
        maps.iter().any(|map| self.images.contains_key(map))
            || self.has_echoes()
            || !self.magnitudes.is_empty()
    }

    fn has_echoes(&self) -> bool {
        self.parts.iter().any(EchoPart::is_of_an_echo)
    }

    /// Whether there is nothing in it to speak of.
    fn is_empty(&self) -> bool {
        self.images.is_empty()
            && !self.has_echoes()
            && self.magnitudes.is_empty()
            && self.notes.is_empty()
    }

    /// Whether both have an image of one kind, T2w apart.
    fn overlaps(&self, other: &Self) -> bool {
        let both = |map: &Modality| self.images.contains_key(map) && other.images.contains_key(map);
        [Modality::Swi, Modality::Qsm].iter().any(both) || self.has_echoes() && other.has_echoes()
    }

    fn first(&self, modality: Modality) -> Option<&PathBuf> {
        self.images.get(&modality)?.first()
    }

    /// What has no run, where this run has nothing of its own.
    fn take(&mut self, shared: &Self, modalities: &[Modality], mask_and_echoes: bool) {
        for modality in modalities {
            if let Some(paths) = shared.images.get(modality) {
                self.images.entry(*modality).or_insert_with(|| paths.clone());
            }
        }
        if mask_and_echoes {
            if self.masks.is_empty() {
                self.masks.clone_from(&shared.masks);
            }
            if self.r2_maps.is_empty() {
                self.r2_maps.clone_from(&shared.r2_maps);
            }
            if !self.has_echoes() {
                self.parts.clone_from(&shared.parts);
            }
            if self.magnitudes.is_empty() {
                self.magnitudes.clone_from(&shared.magnitudes);
            }
        }
        self.notes.extend(shared.notes.iter().cloned());
    }

    /// The T2w of runs that have nothing else, if there is none of its own.
    fn borrow(&mut self, lone: &[Self]) {
        let of_others = lone.iter().flat_map(|other| other.images.get(&Modality::T2w));
        let paths: Vec<PathBuf> = of_others.flatten().cloned().collect();
        if !paths.is_empty() && !self.images.contains_key(&Modality::T2w) {
            if let [only] = paths.as_slice() {
                self.warnings.push(format!(
                    "the only T2w of the session is of another run; it is used: {}",
                    only.display()
                ));
            }
            self.images.insert(Modality::T2w, paths);
        }
        for mask in lone.iter().flat_map(|other| &other.masks) {
            self.notes.push(format!("a brain mask of another run is not used: {}", mask.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Modality;
    use crate::bids::scan::tests::of;

    /// Each scan's name with its images, and its warnings.
    fn matched(files: &[&str]) -> Vec<(String, Vec<String>)> {
        let scans = of(files, &[]);
        let shown = |scan: crate::bids::Scan| {
            let images = scan.images.keys().map(|modality| modality.name());
            let twice = scan.twice.keys().map(|_| "two T2w");
            let all: Vec<&str> = images.chain(twice).collect();
            (format!("{}: {}", scan.id, all.join(" ")), scan.warnings)
        };
        scans.into_iter().map(shown).collect()
    }

    #[track_caller]
    fn check(files: &[&str], want: &[&str], warned: &str) {
        let found = matched(files);
        let scans: Vec<&str> = found.iter().map(|(scan, _)| scan.as_str()).collect();
        assert_eq!(scans, want, "{files:?}");
        let warnings: Vec<&String> = found.iter().flat_map(|(_, warnings)| warnings).collect();
        match warned {
            "" => assert!(warnings.is_empty(), "{warnings:?}"),
            word => assert!(warnings.iter().any(|warning| warning.contains(word)), "{warnings:?}"),
        }
    }

    #[test]
    fn images_without_a_run_serve_every_run() {
        check(&["run-1_swi", "Chimap", "T2w"], &["sub-01_run-1: SWI QSM T2w"], "");
        check(
            &["run-1_swi", "run-2_swi", "T2w"],
            &["sub-01_run-1: SWI T2w", "sub-01_run-2: SWI T2w"],
            "",
        );
        check(
            &["run-1_swi", "run-2_swi", "run-2_Chimap", "Chimap"],
            &["sub-01_run-1: SWI QSM", "sub-01_run-2: SWI QSM"],
            "several runs",
        );
        check(&["swi", "run-1_Chimap", "T2w"], &["sub-01_run-1: SWI QSM T2w"], "");
    }

    #[test]
    fn a_second_scan_as_run_2_keeps_apart_from_the_first_without_run() {
        check(
            &["swi", "Chimap", "T2w", "run-2_swi"],
            &["sub-01: SWI QSM T2w", "sub-01_run-2: SWI T2w"],
            "",
        );
    }

    #[test]
    fn run_01_and_run_1_are_one_run_and_that_is_told() {
        check(
            &["run-01_swi", "run-1_Chimap", "run-1_T2w"],
            &["sub-01_run-01: SWI QSM T2w"],
            "run-01 and run-1 are taken for one run",
        );
    }

    #[test]
    fn the_only_t2w_of_another_run_is_used_and_told() {
        check(&["swi", "Chimap", "run-1_T2w"], &["sub-01: SWI QSM T2w"], "of another run");
        check(&["run-1_swi", "run-2_T2w"], &["sub-01_run-1: SWI T2w"], "of another run");
        check(&["swi", "run-1_T2w", "run-2_T2w"], &["sub-01: SWI two T2w"], "");
        check(&["swi", "T2w", "run-2_T2w"], &["sub-01: SWI T2w"], "");
    }

    #[test]
    fn sessions_with_nothing_to_look_at_are_no_scans() {
        check(&["T1w", "FLAIR", "desc-brain_mask"], &[], "");
        check(&["T2w"], &["sub-01: T2w"], "");
        let scan = &of(&["T2starw", "T1w"], &[])[0];
        assert!(!scan.images.contains_key(&Modality::Swi) && scan.magnitude.is_some());
    }
}
