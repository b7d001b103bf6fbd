//! What can be accepted or rejected in a layer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use deepmir_lesion::Change;
use serde::Serialize;
use serde_json::{Value, json};

use super::App;
use crate::AnnotateError;
use crate::adjudicate::compare;
use crate::candidates::Candidate;
use crate::case::LoadedCase;
use crate::export::finished;
use crate::layer::{Layer, Verdict};
use crate::store::{LayerKey, LayerState, Stage};
use crate::view::{LesionView, Measures, lesions};

/// A candidate as the page shows it.
#[derive(Serialize)]
pub(super) struct CandidateView {
    pub(super) key: String,
    class: &'static str,
    voxel: [usize; 3],
    #[serde(flatten)]
    measures: Measures,
    runs: Vec<(u32, u32, u16)>,
    /// Own lesions that share a voxel with it.
    marked_as: Vec<u16>,
    /// `None`: still open.
    pub(super) verdict: Option<Verdict>,
    /// Of an adjudication: what the raters disagree in.
    difference: Option<Value>,
    /// The other rater's mark of the same lesion.
    pub(super) rival: Option<String>,
    /// Of two visits: what is proposed to have become of it.
    change: Option<Change>,
    /// How probable that is; of a model's candidate, how probable a lesion is.
    probability: Option<f64>,
    /// Whether the program itself takes it for no lesion.
    doubted: bool,
}

/// What can be decided on, and between whom.
#[derive(Default)]
pub(super) struct Decidable<'a> {
    /// In the order in which they are shown.
    pub(super) candidates: Cow<'a, [Candidate]>,
    /// Of an adjudication, by candidate: how the raters differ, and the other's mark.
    disputes: BTreeMap<String, (Value, Option<String>)>,
    sides: Vec<(String, Layer)>,
}

impl<'a> Decidable<'a> {
    /// Of a program.
    pub(super) fn of_program(candidates: &'a [Candidate]) -> Self {
        Self { candidates: Cow::Borrowed(candidates), ..Self::default() }
    }
}

impl App {
    /// What can be accepted or rejected in a layer, and how an adjudication's raters differ.
    pub(super) fn decidable<'a>(
        &self,
        case: &'a LoadedCase,
        key: &LayerKey,
        state: &LayerState,
    ) -> Result<Decidable<'a>, AnnotateError> {
        let of_program = |candidates: Option<&'a Vec<Candidate>>| {
            Decidable::of_program(candidates.map_or(&[], Vec::as_slice))
        };
        match (key.stage, state.sources.as_slice()) {
            (Stage::Visits, _) => {
                Ok(of_program(case.visits.as_ref().map(|visits| &visits.proposals)))
            }
            (Stage::Review, _) => Ok(of_program(case.candidates.as_ref())),
            (Stage::Adjudication, [first, second]) => {
                let layers = [first, second].map(|rater| {
                    finished(&self.store, &key.case, rater)?.map(|state| state.layer).ok_or_else(
                        || {
                            AnnotateError::refused(format!(
                                "{rater} has reopened {}; it must be done to be settled",
                                key.case
                            ))
                        },
                    )
                });
                let [one, other] = layers;
                let (one, other) = (one?, other?);
                let comparison = compare(case, [first, second], [&one, &other]);
                let mut disputes = BTreeMap::new();
                for dispute in &comparison.disputes {
                    for (side, rival) in [(0, 1), (1, 0)] {
                        if let Some(name) = &dispute.sides[side] {
                            let difference = json!(dispute.difference);
                            disputes
                                .insert(name.clone(), (difference, dispute.sides[rival].clone()));
                        }
                    }
                }
                let sides = vec![(first.clone(), one), (second.clone(), other)];
                // What both raters marked alike needs no decision. Differing classes come first.
                let mut candidates = comparison.candidates;
                candidates.retain(|one| disputes.contains_key(&one.key));
                candidates.sort_by_key(|one| {
                    let is_class = disputes[&one.key].0 == json!("class");
                    (!is_class, number_of(&one.key), one.key.clone())
                });
                Ok(Decidable { candidates: Cow::Owned(candidates), disputes, sides })
            }
            _ => Ok(Decidable::default()),
        }
    }
}

impl Decidable<'_> {
    pub(super) fn views(&self, case: &LoadedCase, layer: &Layer) -> Vec<CandidateView> {
        let view = |candidate: &Candidate| {
            let Candidate { key, said, voxels, probability, doubted } = candidate;
            let alone = Layer {
                voxels: voxels.iter().map(|&voxel| (voxel as u32, 1)).collect(),
                lesions: BTreeMap::from([(1, said.clone())]),
                ..Layer::default()
            };
            let (view, _) = lesions(case, &alone).into_iter().next()?;
            let mut marked: Vec<u16> =
                voxels.iter().filter_map(|&voxel| layer.lesion_at(voxel as u32)).collect();
            marked.sort_unstable();
            marked.dedup();
            let dispute = self.disputes.get(key);
            Some(CandidateView {
                key: key.clone(),
                class: said.class.name(),
                voxel: view.voxel,
                measures: view.measures,
                runs: alone.runs(),
                marked_as: marked,
                verdict: layer.decisions.get(key).cloned(),
                difference: dispute.map(|(difference, _)| difference.clone()),
                rival: dispute.and_then(|(_, rival)| rival.clone()),
                change: said.change,
                probability: *probability,
                doubted: *doubted,
            })
        };
        self.candidates.iter().filter_map(view).collect()
    }

    /// Each rater's marks, of an adjudication.
    pub(super) fn sides_json(&self, case: &LoadedCase) -> Vec<Value> {
        let side = |(rater, layer): &(String, Layer)| {
            let lesions: Vec<LesionView> =
                lesions(case, layer).into_iter().map(|(view, _)| view).collect();
            json!({ "rater": rater, "runs": layer.runs(), "lesions": lesions })
        };
        self.sides.iter().map(side).collect()
    }
}

fn number_of(key: &str) -> u32 {
    key.rsplit(':').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
