//! Scans that are there twice, under two names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_volume::Warning;
use rayon::prelude::*;

use crate::{CaseError, CaseFiles, sha256};

/// SHA-256 of files by their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checksums(BTreeMap<PathBuf, String>);

/// Two scans with the same first image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twins<'a>(pub &'a CaseFiles, pub &'a CaseFiles);

impl Checksums {
    /// Of files, each of which is read once.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of(files: impl IntoIterator<Item = PathBuf>) -> Result<Self, CaseError> {
        let mut files: Vec<PathBuf> = files.into_iter().collect();
        files.sort();
        files.dedup();
        let each = files.into_par_iter().map(|path| sha256(&path).map(|sum| (path, sum)));
        Ok(Self(each.collect::<Result<_, _>>()?))
    }

    /// Of the first image of each scan: the SWI, where there is one.
    ///
    /// # Errors
    /// As [`Checksums::of`].
    pub fn of_images<'a>(
        cases: impl IntoIterator<Item = &'a CaseFiles>,
    ) -> Result<Self, CaseError> {
        Self::of(cases.into_iter().filter_map(|case| case.images.values().next().cloned()))
    }

    /// A file's.
    pub fn get(&self, path: &Path) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// That of a scan's first image.
    pub fn of_scan(&self, case: &CaseFiles) -> Option<&str> {
        self.get(case.images.values().next()?)
    }

    /// The first scan of `one` that is in `other` too, under whichever name.
    pub fn twins<'a>(&self, one: &'a [CaseFiles], other: &'a [CaseFiles]) -> Option<Twins<'a>> {
        let places: BTreeMap<&str, &CaseFiles> =
            other.iter().filter_map(|case| Some((self.of_scan(case)?, case))).collect();
        one.iter().find_map(|case| Some(Twins(case, places.get(self.of_scan(case)?)?)))
    }

    /// The first scan that is there twice.
    pub fn twice<'a>(&self, cases: &'a [CaseFiles]) -> Option<Twins<'a>> {
        let mut seen: BTreeMap<&str, &CaseFiles> = BTreeMap::new();
        cases.iter().find_map(|case| {
            let before = seen.insert(self.of_scan(case)?, case)?;
            Some(Twins(before, case))
        })
    }
}

impl FromIterator<(PathBuf, String)> for Checksums {
    fn from_iter<T: IntoIterator<Item = (PathBuf, String)>>(known: T) -> Self {
        Self(known.into_iter().collect())
    }
}

impl Twins<'_> {
    /// What is to be told if one of them is learned from and the other tested or validated on.
    pub fn warning(&self) -> Warning {
        let Self(one, other) = self;
        let name = |case: &CaseFiles| {
            let path = case.images.values().next();
            path.map_or(String::new(), |path| path.display().to_string())
        };
        let message = format!(
            "{} and {} are the same scan ({} and {} are equal) on both sides of a split, so that results are too good; \
             remove one",
            one.id,
            other.id,
            name(one),
            name(other)
        );
        Warning::new("same_scan_twice", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Modality;

    #[test]
    fn the_same_scan_under_two_names_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let case = |id: &str, content: &str| {
            let path = folder.path().join(format!("{id}.nii"));
            std::fs::write(&path, content).unwrap();
            let images = BTreeMap::from([(Modality::Swi, path)]);
            CaseFiles {
                id: id.to_owned(),
                images,
                mask: None,
                truth: None,
                unknown: None,
                contrast: None,
            }
        };
        let (one, other) = ([case("a", "x"), case("b", "y")], [case("c", "z"), case("d", "y")]);
        let sums = Checksums::of_images(one.iter().chain(&other)).unwrap();
        assert_eq!(sums.twins(&one, &other), Some(Twins(&one[1], &other[1])));
        assert_eq!(sums.twins(&one, &other[..1]), None);
        assert_eq!(sums.twice(&one), None);
        let all = [&one[..], &other[..]].concat();
        let twins = sums.twice(&all).unwrap();
        let told = twins.warning().message;
        assert!(told.contains("b and d are the same scan") && told.contains("d.nii"), "{told}");
    }
}
