//! What an operation changed, so that it can be undone.

use serde::{Deserialize, Serialize};

use super::{Annotation, Layer, ReaderFindings, Verdict};

/// Each change with what was there before and after.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// Voxel, lesion before, lesion after; 0 is none.
    pub voxels: Vec<(u32, u16, u16)>,
    /// Lesion, what was said before, what is said after.
    pub lesions: Vec<(u16, Option<Annotation>, Option<Annotation>)>,
    /// What was decided on, before, after.
    pub decisions: Vec<(String, Option<Verdict>, Option<Verdict>)>,
    /// What was said of two visits before, and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<[Option<ReaderFindings>; 2]>,
}

impl Delta {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        let marks = self.voxels.is_empty() && self.lesions.is_empty();
        marks && self.decisions.is_empty() && self.findings.is_none()
    }

    /// The way from one layer to another.
    pub fn between(before: &Layer, after: &Layer) -> Self {
        let mut delta = Self::default();
        for (&voxel, &was) in &before.voxels {
            let is = after.voxels.get(&voxel).copied().unwrap_or(0);
            if is != was {
                delta.voxels.push((voxel, was, is));
            }
        }
        for (&voxel, &is) in &after.voxels {
            if !before.voxels.contains_key(&voxel) {
                delta.voxels.push((voxel, 0, is));
            }
        }
        let lesions = before.lesions.keys().chain(after.lesions.keys());
        for &lesion in lesions.collect::<std::collections::BTreeSet<_>>() {
            let (was, is) = (before.lesions.get(&lesion), after.lesions.get(&lesion));
            if was != is {
                delta.lesions.push((lesion, was.cloned(), is.cloned()));
            }
        }
        let decisions = before.decisions.keys().chain(after.decisions.keys());
        for key in decisions.collect::<std::collections::BTreeSet<_>>() {
            let (was, is) = (before.decisions.get(key), after.decisions.get(key));
            if was != is {
                delta.decisions.push((key.clone(), was.cloned(), is.cloned()));
            }
        }
        if before.findings != after.findings {
            delta.findings = Some([before.findings.clone(), after.findings.clone()]);
        }
        delta
    }

    /// The way back.
    pub fn inverse(&self) -> Self {
        Self {
            voxels: self.voxels.iter().map(|&(voxel, was, is)| (voxel, is, was)).collect(),
            lesions: self
                .lesions
                .iter()
                .map(|(lesion, was, is)| (*lesion, is.clone(), was.clone()))
                .collect(),
            decisions: self
                .decisions
                .iter()
                .map(|(key, was, is)| (key.clone(), is.clone(), was.clone()))
                .collect(),
            findings: self.findings.clone().map(|[was, is]| [is, was]),
        }
    }

    /// Makes the changes.
    pub fn apply_to(&self, layer: &mut Layer) {
        for &(voxel, _, is) in &self.voxels {
            match is {
                0 => layer.voxels.remove(&voxel),
                lesion => layer.voxels.insert(voxel, lesion),
            };
        }
        for (lesion, _, is) in &self.lesions {
            match is {
                Some(annotation) => layer.lesions.insert(*lesion, annotation.clone()),
                None => layer.lesions.remove(lesion),
            };
        }
        for (key, _, is) in &self.decisions {
            match is {
                Some(verdict) => layer.decisions.insert(key.clone(), verdict.clone()),
                None => layer.decisions.remove(key),
            };
        }
        if let Some([_, is]) = &self.findings {
            layer.findings.clone_from(is);
        }
    }
}
