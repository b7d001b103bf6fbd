//! Raters, the list of cases, a case's images.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use deepmir_lesion::MarsRegion;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{answer, bytes};
use super::picture::{self, WINDOW};
use super::{App, Shared};
use crate::store::{ADJUDICATED, Stage};
use crate::{AnnotateError, ImageKind};

/// Settings hold keys and a few numbers.
const MOST_SETTINGS_BYTES: usize = 64 << 10;

/// Who is there and what the program is.
pub async fn session(State(app): State<Shared>) -> Response {
    answer(app, |app| {
        let raters = app.store.raters()?;
        let raters: Vec<&String> = raters.iter().filter(|rater| *rater != ADJUDICATED).collect();
        let settings = match &app.rater {
            Some(rater) => app.store.settings(rater)?,
            None => json!({}),
        };
        let regions: Vec<Value> = MarsRegion::ALL
            .iter()
            .map(|region| {
                json!({
                    "key": region.key(),
                    "name": region.name(),
                    "lobe": region.region().name(),
                    "colour": region.colour(),
                })
            })
            .collect();
        Ok(json!({
            "program": concat!("deepmir ", env!("CARGO_PKG_VERSION")),
            "rater": app.rater,
            "raters": raters,
            "settings": settings,
            "regions": regions,
            "results": app.dataset.is_of_results(),
        }))
    })
    .await
}

/// A new rater's name.
#[derive(Deserialize)]
pub struct NewRater {
    id: String,
}

/// Adds a rater, or comes back as one.
pub async fn add_rater(State(app): State<Shared>, Json(rater): Json<NewRater>) -> Response {
    answer(app, move |app| {
        app.may_be(&rater.id)?;
        app.store.add_rater(&rater.id)?;
        app.store.settings(&rater.id)
    })
    .await
}

/// Keeps a rater's settings.
pub async fn set_settings(
    State(app): State<Shared>,
    Path(rater): Path<String>,
    Json(settings): Json<Value>,
) -> Response {
    answer(app, move |app| {
        app.may_be(&rater)?;
        if settings.to_string().len() > MOST_SETTINGS_BYTES {
            return Err(AnnotateError::refused("these settings are too large to be settings"));
        }
        app.store.set_settings(&rater, &settings)
    })
    .await
}

#[derive(Serialize)]
struct Listed {
    id: String,
    /// `unread`, `open`, `done`, `reviewing`, `reviewed`; of results `found`.
    status: &'static str,
    lesions: [usize; 2],
    candidates: bool,
    /// Whether it is two visits, read for what has changed.
    visits: bool,
    /// Raters who finished it.
    finished: Vec<String>,
    adjudicated: bool,
}

/// The cases as a rater sees them: own progress, and who else is done, but nobody's marks.
pub async fn list(State(app): State<Shared>, Path(rater): Path<String>) -> Response {
    answer(app, move |app| {
        let progress = app.store.progress()?;
        let cases = app.dataset.cases.iter().map(|case| {
            let here = || progress.iter().filter(|layer| layer.key.case == case.id);
            let at =
                |stage| here().find(|layer| layer.key.rater == rater && layer.key.stage == stage);
            let first = if case.visits.is_some() { Stage::Visits } else { Stage::Own };
            let (own, review) = (at(first), at(Stage::Review));
            let status = match (own, review) {
                _ if case.result.is_some() => "found",
                (None, _) => "unread",
                (_, Some(review)) if review.done.is_some() => "reviewed",
                (_, Some(_)) => "reviewing",
                (Some(own), None) if own.done.is_some() => "done",
                _ => "open",
            };
            let finished =
                here().filter(|layer| layer.key.stage == Stage::Own && layer.done.is_some());
            let settled = |layer: &&crate::store::Progress| {
                layer.key.stage == Stage::Adjudication && layer.done.is_some()
            };
            Listed {
                id: case.id.clone(),
                status,
                lesions: match &case.result {
                    Some(result) => result.counts,
                    None => review.or(own).map_or([0, 0], |layer| layer.lesions),
                },
                candidates: case.candidates.is_some(),
                visits: case.visits.is_some(),
                finished: finished.map(|layer| layer.key.rater.clone()).collect(),
                adjudicated: here().any(|layer| settled(&layer)),
            }
        });
        Ok(cases.collect::<Vec<_>>())
    })
    .await
}

/// A case's grid and images, without their voxels. Windows are in the steps of the images as sent.
pub async fn case(State(app): State<Shared>, Path(id): Path<String>) -> Response {
    answer(app, move |app| {
        let case = app.load(&id)?;
        let images: Vec<Value> = case
            .images
            .iter()
            .map(|image| {
                json!({
                    "kind": image.kind,
                    "window": WINDOW,
                    "resampled": image.resampled,
                })
            })
            .collect();
        Ok(json!({
            "id": id,
            "shape": case.grid.shape(),
            "spacing_mm": case.grid.voxel_sizes_mm(),
            "affine": case.grid.affine().rows(),
            "orientation": case.orientation.codes(),
            "images": images,
            "model": case.files.result.as_ref().map(|result| &result.model),
            "visits": case.visits.as_ref().map(|visits| {
                let sidecar = &visits.sidecar;
                json!({
                    "baseline": sidecar.baseline.scan,
                    "followup": sidecar.followup.scan,
                    "verdict": sidecar.comparability.verdict,
                    "reasons": sidecar.comparability.reasons,
                    "new_large_findings": sidecar.new_large_findings(),
                })
            }),
        }))
    })
    .await
}

/// An image for the panes, see [`picture`].
pub async fn image(
    State(app): State<Shared>,
    Path((id, kind)): Path<(String, String)>,
) -> Response {
    let image = bytes(app, move |app| encoded(app, &id, &kind)).await;
    image.map_or_else(IntoResponse::into_response, |bytes| {
        ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
    })
}

/// The regions of a case: a byte a voxel in RAS order, 0 or one more than the position in the session's list of regions. JSON
/// with a reason where they are not known, which is no fault.
pub async fn regions(State(app): State<Shared>, Path(id): Path<String>) -> Response {
    let regions = bytes(app, move |app| {
        let case = app.load(&id)?;
        let find = app.find_regions.as_deref();
        let found = find.map_or(Err("not asked for"), |find| case.regions(find));
        Ok(found.map(|map| map.data().to_vec()).map_err(str::to_owned))
    });
    match regions.await {
        Ok(Ok(map)) => ([(header::CONTENT_TYPE, "application/octet-stream")], map).into_response(),
        Ok(Err(reason)) => Json(json!({ "reason": reason })).into_response(),
        Err(fault) => fault.into_response(),
    }
}

fn encoded(app: &App, id: &str, kind: &str) -> Result<Vec<u8>, AnnotateError> {
    let case = app.load(id)?;
    let kind: ImageKind = serde_json::from_value(Value::from(kind)).map_err(|_| {
        AnnotateError::refused(format!("there is no kind of image called {kind:?}"))
    })?;
    let image = case
        .images
        .iter()
        .find(|image| image.kind == kind)
        .ok_or_else(|| AnnotateError::refused(format!("{id} has no {}", kind.name())))?;
    picture::encoded(image)
}
