//! Whether there is something to learn from, and to choose on, in the label maps of a training.

use std::collections::{BTreeMap, BTreeSet};

use deepmir_cases::{CaseFiles, lesion_classes};
use deepmir_lesion::LesionClass;
use deepmir_volume::Warning;
use rayon::prelude::*;

use crate::NetError;

/// So many subjects are named in a message.
const NAMED: usize = 5;

/// The classes of which each subject has a lesion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LesionCensus(BTreeMap<String, BTreeSet<LesionClass>>);

/// The subjects of one training.
#[derive(Clone, Copy, Debug)]
pub struct TrainingSides<'a> {
    /// Those to learn from, extra data among them.
    pub learned_from: &'a [&'a CaseFiles],
    /// Those to choose weights and thresholds on; none where both are known already.
    pub validation: &'a [CaseFiles],
    /// The classes to learn.
    pub classes: &'a [LesionClass],
    /// Whether simulated subjects join, which have lesions of every class.
    pub synthetic: bool,
}

impl LesionCensus {
    /// Reads the label maps of some subjects.
    ///
    /// # Errors
    /// A label map that cannot be read, or with values that stand for nothing.
    pub fn read<'a>(cases: impl IntoIterator<Item = &'a CaseFiles>) -> Result<Self, NetError> {
        let cases: Vec<&CaseFiles> = cases.into_iter().collect();
        let each = cases.into_par_iter().map(|case| Ok((case.id.clone(), lesion_classes(case)?)));
        Ok(Self(each.collect::<Result<_, NetError>>()?))
    }

    /// Adds a subject.
    pub(super) fn insert(&mut self, id: &str, classes: impl IntoIterator<Item = LesionClass>) {
        self.0.entry(id.to_owned()).or_default().extend(classes);
    }

    /// Whether one of some subjects has a lesion of a class.
    pub fn has<'a>(
        &self,
        cases: impl IntoIterator<Item = &'a CaseFiles>,
        class: LesionClass,
    ) -> bool {
        let mut of = cases.into_iter().filter_map(|case| self.0.get(&case.id));
        of.any(|classes| classes.contains(&class))
    }

    /// Checks the sides of a training, and returns what is missing and can be done without.
    ///
    /// # Errors
    /// If there is no lesion to learn from, or none to choose weights and thresholds on.
    pub fn check(&self, sides: &TrainingSides<'_>) -> Result<Vec<Warning>, NetError> {
        let TrainingSides { learned_from, validation, classes, synthetic } = *sides;
        let learned =
            |class: &LesionClass| synthetic || self.has(learned_from.iter().copied(), *class);
        let validated = |class: &LesionClass| self.has(validation, *class);
        if !classes.iter().any(learned) {
            return Err(none(
                learned_from.iter().copied(),
                classes,
                "to learn from",
                "is it the right folder, and are the values 1 (CMB) and 2 (NHID)? look at the label maps",
            ));
        }
        if validation.is_empty() {
            return Ok(Vec::new());
        }
        if !classes.iter().any(validated) {
            return Err(none(
                validation,
                classes,
                "to choose weights and thresholds on",
                "validate on subjects with lesions: name them with --validation-label, or draw others with --seed",
            ));
        }
        let mut warnings = Vec::new();
        for class in classes {
            let message = if !learned(class) {
                format!(
                    "no training subject has a {class}, so that the network cannot learn to find any; give label maps with \
                     {class}, or train without the class (--classes)"
                )
            } else if !validated(class) {
                format!(
                    "no validation subject has a {class}, so that its threshold is not chosen but stays 0.5; validate on \
                     a subject that has one (--validation-label, --seed)"
                )
            } else {
                continue;
            };
            let code = if learned(class) { NOT_VALIDATED } else { "class_not_learned" };
            warnings.push(Warning::new(code, message));
        }
        Ok(warnings)
    }
}

/// The code of the warning that a class has no lesion on the validation side.
pub const NOT_VALIDATED: &str = "class_not_validated";

fn none<'a>(
    cases: impl IntoIterator<Item = &'a CaseFiles>,
    classes: &[LesionClass],
    what_for: &str,
    remedy: &str,
) -> NetError {
    let cases: Vec<&CaseFiles> = cases.into_iter().collect();
    let names: Vec<&str> = cases.iter().take(NAMED).map(|case| case.id.as_str()).collect();
    let more = if cases.len() > NAMED { format!(", … ({})", cases.len()) } else { String::new() };
    let classes: Vec<&str> = classes.iter().map(|class| class.name()).collect();
    let reason = format!(
        "there is no lesion ({}) {what_for} in the label maps of {}{more}; {remedy}",
        classes.join(" or "),
        names.join(", ")
    );
    let path = cases.iter().find_map(|case| case.truth.clone()).unwrap_or_default();
    NetError::LabelMaps { path, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LesionClass::{Cmb, Nhid};

    fn check(
        learned_from: &[(&str, &[LesionClass])],
        validation: &[(&str, &[LesionClass])],
        synthetic: bool,
    ) -> Result<Vec<String>, String> {
        let mut census = LesionCensus::default();
        let mut cases = |of: &[(&str, &[LesionClass])]| -> Vec<CaseFiles> {
            let case = |(id, classes): &(&str, &[LesionClass])| {
                census.insert(id, classes.iter().copied());
                let truth = Some(format!("{id}.nii").into());
                CaseFiles {
                    id: (*id).to_owned(),
                    images: BTreeMap::new(),
                    mask: None,
                    truth,
                    unknown: None,
                    contrast: None,
                }
            };
            of.iter().map(case).collect()
        };
        let (learned_from, validation) = (cases(learned_from), cases(validation));
        let learned_from: Vec<&CaseFiles> = learned_from.iter().collect();
        let (learned_from, validation) = (learned_from.as_slice(), validation.as_slice());
        let sides =
            TrainingSides { learned_from, validation, classes: &LesionClass::ALL, synthetic };
        let warnings = census.check(&sides).map_err(|error| error.to_string())?;
        Ok(warnings.into_iter().map(|warning| warning.message).collect())
    }

    #[test]
    fn a_training_without_a_lesion_is_refused() {
        let both: &[LesionClass] = &LesionClass::ALL;
        let told = check(&[("a", &[]), ("b", &[])], &[("c", both)], false).unwrap_err();
        assert!(told.contains("no lesion (CMB or NHID) to learn from"), "{told}");
        assert!(told.contains("of a, b;") && told.ends_with("a.nii"), "{told}");
        let told = check(&[("a", both)], &[("c", &[])], false).unwrap_err();
        assert!(told.contains("--validation-label") && told.ends_with("c.nii"), "{told}");
        // Phantoms have lesions, and subjects without one are fine beside others.
        assert!(check(&[("a", &[])], &[("c", both)], true).unwrap().is_empty());
        assert!(check(&[("a", &[]), ("b", both)], &[("c", both), ("d", &[])], false).is_ok());
    }

    #[test]
    fn a_class_without_a_lesion_is_told() {
        let told = check(&[("a", &[Cmb])], &[("c", &[Cmb])], false).unwrap();
        assert!(told.len() == 1 && told[0].contains("cannot learn"), "{told:?}");
        let told = check(&[("a", &[Cmb, Nhid])], &[("c", &[Cmb])], false).unwrap();
        assert!(told.len() == 1 && told[0].contains("stays 0.5"), "{told:?}");
    }
}
