//! Reading and changing marks.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::answer;
use super::decisions::{CandidateView, Decidable};
use super::{App, Shared};
use crate::AnnotateError;
use crate::adjudicate::compare;
use crate::case::LoadedCase;
use crate::export::finished;
use crate::layer::{CaseContext, Operation, ReaderFindings, apply};
use crate::results::LoadedResult;
use crate::store::{ADJUDICATED, LayerKey, LayerState, Stage};
use crate::view::{LesionView, lesions};
use crate::visits::sheet::{Reading, check_complete, start};

/// A layer as the page shows it.
#[derive(Serialize)]
struct LayerView {
    revision: u64,
    done: Option<String>,
    can_undo: bool,
    can_redo: bool,
    /// Start, length, lesion.
    runs: Vec<(u32, u32, u16)>,
    lesions: Vec<LesionView>,
    /// What is to be decided on; empty in an own pass.
    candidates: Vec<CandidateView>,
    /// Of an adjudication: each rater's marks.
    sides: Vec<Value>,
    /// Of two visits: what only the reader says, and what the marks come to.
    findings: Option<ReaderFindings>,
    reading: Option<Reading>,
}

fn key((case, rater, stage): (String, String, String)) -> Result<LayerKey, AnnotateError> {
    let stage = Stage::parse(&stage)
        .ok_or_else(|| AnnotateError::refused(format!("there is no stage called {stage:?}")))?;
    Ok(LayerKey { case, rater, stage })
}

impl App {
    fn check(&self, key: &LayerKey) -> Result<(), AnnotateError> {
        if key.stage == Stage::Adjudication { Ok(()) } else { self.may_be(&key.rater) }
    }

    fn view(&self, key: &LayerKey, state: LayerState) -> Result<LayerView, AnnotateError> {
        let case = self.load(&key.case)?;
        let decidable = self.decidable(&case, key, &state)?;
        let two_visits = key.stage == Stage::Visits;
        Ok(LayerView {
            reading: two_visits.then(|| Reading::of(&state.layer)),
            findings: state.layer.findings.clone(),
            revision: state.revision,
            can_undo: state.can_undo,
            can_redo: state.can_redo,
            runs: state.layer.runs(),
            lesions: lesions(&case, &state.layer).into_iter().map(|(view, _)| view).collect(),
            candidates: decidable.views(&case, &state.layer),
            sides: decidable.sides_json(&case),
            done: state.done,
        })
    }
}

/// A program's results as the page shows them: what was found, and what was not called.
fn found(case: &LoadedCase, result: &LoadedResult) -> LayerView {
    let rejected = Decidable::of_program(&result.rejected);
    LayerView {
        revision: 0,
        done: None,
        can_undo: false,
        can_redo: false,
        runs: result.layer.runs(),
        lesions: result.lesions.clone(),
        candidates: rejected.views(case, &result.layer),
        sides: Vec::new(),
        findings: None,
        reading: None,
    }
}

/// A layer; opened if it is an own pass that was not yet.
pub async fn read(
    State(app): State<Shared>,
    Path(path): Path<(String, String, String)>,
) -> Response {
    answer(app, move |app| {
        let key = key(path)?;
        app.check(&key)?;
        let case = app.load(&key.case)?;
        if (key.stage == Stage::Results) != case.result.is_some() {
            return Err(AnnotateError::refused(match &case.result {
                Some(_) => "these are results: they are shown and not marked",
                None => "this case is marked: it is no result",
            }));
        }
        if let Some(result) = &case.result {
            return Ok(found(&case, result));
        }
        if (key.stage == Stage::Visits) != case.visits.is_some() {
            return Err(AnnotateError::refused(match &case.visits {
                Some(_) => "this case is two visits: they are read for what has changed",
                None => "this case has one visit",
            }));
        }
        let state = if matches!(key.stage, Stage::Own | Stage::Visits) {
            app.store.add_rater(&key.rater)?;
            let proposals = case.visits.as_ref().map(|visits| start(&visits.proposals));
            app.store.open_layer(&key, &proposals.unwrap_or_default(), &[])?
        } else {
            app.store.layer(&key)?.ok_or_else(|| {
                AnnotateError::refused("the model's candidates are shown once the own pass is done")
            })?
        };
        app.view(&key, state)
    })
    .await
}

/// An operation on the revision that the page shows.
#[derive(Deserialize)]
pub struct Request {
    revision: u64,
    operation: Operation,
}

/// Does an operation.
pub async fn operate(
    State(app): State<Shared>,
    Path(path): Path<(String, String, String)>,
    Json(request): Json<Request>,
) -> Response {
    answer(app, move |app| {
        let key = key(path)?;
        app.check(&key)?;
        let case = app.load(&key.case)?;
        // Before the store is asked: it answers one question at a time, and what can be decided on in
        // an adjudication is in other layers. Should this layer change meanwhile, its revision tells.
        let decides = matches!(
            request.operation,
            Operation::Accept { .. } | Operation::Reject { .. } | Operation::Withdraw { .. }
        );
        let decidable = match app.store.layer(&key)? {
            Some(state) if decides => app.decidable(&case, &key, &state)?,
            _ => Decidable::default(),
        };
        let state = app.store.operate(&key, request.revision, &request.operation, |state| {
            let around = CaseContext {
                grid: &case.grid,
                images: &|kind| case.image(kind),
                candidates: &decidable.candidates,
                two_visits: key.stage == Stage::Visits,
            };
            apply(&state.layer, state.next_lesion, &request.operation, around)
        })?;
        app.changed();
        app.view(&key, state)
    })
    .await
}

/// The revision that the page shows.
#[derive(Deserialize)]
pub struct Seen {
    revision: u64,
    #[serde(default)]
    done: bool,
}

async fn step(app: Shared, path: (String, String, String), seen: Seen, again: bool) -> Response {
    answer(app, move |app| {
        let key = key(path)?;
        app.check(&key)?;
        let state = app.store.undo(&key, seen.revision, again)?;
        app.changed();
        app.view(&key, state)
    })
    .await
}

/// Takes the last operation back.
pub async fn undo(
    State(app): State<Shared>,
    Path(path): Path<(String, String, String)>,
    Json(seen): Json<Seen>,
) -> Response {
    step(app, path, seen, false).await
}

/// Does again what was taken back.
pub async fn redo(
    State(app): State<Shared>,
    Path(path): Path<(String, String, String)>,
    Json(seen): Json<Seen>,
) -> Response {
    step(app, path, seen, true).await
}

/// Finishes a layer or reopens it. A review is finished when every candidate was decided on.
pub async fn done(
    State(app): State<Shared>,
    Path(path): Path<(String, String, String)>,
    Json(seen): Json<Seen>,
) -> Response {
    answer(app, move |app| {
        let key = key(path)?;
        app.check(&key)?;
        if seen.done
            && key.stage != Stage::Own
            && let Some(state) = app.store.layer(&key)?
        {
            if let (Stage::Visits, Some(visits)) = (key.stage, &app.load(&key.case)?.visits) {
                check_complete(&state.layer, visits)?;
            }
            let view = app.view(&key, state)?;
            let decided = |key: &String| {
                view.candidates.iter().any(|other| other.key == *key && other.verdict.is_some())
            };
            let open = view.candidates.iter().filter(|candidate| {
                candidate.verdict.is_none() && !candidate.rival.as_ref().is_some_and(decided)
            });
            let open = open.count();
            if open > 0 {
                return Err(AnnotateError::refused(format!(
                    "{open} still to be decided on; accept or reject each"
                )));
            }
        }
        let state = app.store.set_done(&key, seen.revision, seen.done)?;
        app.changed();
        app.view(&key, state)
    })
    .await
}

/// Shows a model's candidates, on top of a copy of the own pass, which stays as it is.
pub async fn start_review(
    State(app): State<Shared>,
    Path((case, rater)): Path<(String, String)>,
) -> Response {
    answer(app, move |app| {
        app.may_be(&rater)?;
        let own = LayerKey { case, rater, stage: Stage::Own };
        let loaded = app.load(&own.case)?;
        if loaded.candidates.is_none() {
            return Err(AnnotateError::refused("there are no candidates of a model for this case"));
        }
        let state =
            app.store.layer(&own)?.filter(|state| state.done.is_some()).ok_or_else(|| {
                AnnotateError::refused("the model's candidates are shown once the own pass is done")
            })?;
        let key = LayerKey { stage: Stage::Review, ..own };
        let state = app.store.open_layer(&key, &state.layer, &[])?;
        app.view(&key, state)
    })
    .await
}

/// Puts two raters' marks side by side; what both marked alike is taken over.
pub async fn start_adjudication(
    State(app): State<Shared>,
    Path((case, first, second)): Path<(String, String, String)>,
) -> Response {
    answer(app, move |app| {
        if first == second {
            return Err(AnnotateError::refused("an adjudication is between two raters"));
        }
        let loaded = app.load(&case)?;
        let marks = |rater: &str| {
            finished(&app.store, &case, rater)?.map(|state| state.layer).ok_or_else(|| {
                AnnotateError::refused(format!("{rater} is not done with {case} yet"))
            })
        };
        let (one, other) = (marks(&first)?, marks(&second)?);
        let agreed = compare(&loaded, [&first, &second], [&one, &other]).agreed;
        let key = LayerKey { case, rater: ADJUDICATED.to_owned(), stage: Stage::Adjudication };
        app.store.add_adjudication()?;
        let state = app.store.open_layer(&key, &agreed, &[&first, &second])?;
        if state.sources != [first.clone(), second.clone()] {
            return Err(AnnotateError::refused(format!(
                "this case is being settled between {}",
                state.sources.join(" and ")
            )));
        }
        app.changed();
        app.view(&key, state)
    })
    .await
}
