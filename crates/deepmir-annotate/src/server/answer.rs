//! Answers: JSON, or what went wrong in words.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::Shared;
use crate::AnnotateError;

/// Does blocking work (files, the store) beside the connections and answers with its result.
pub async fn answer<T: Serialize + Send + 'static>(
    app: Shared,
    work: impl FnOnce(&super::App) -> Result<T, AnnotateError> + Send + 'static,
) -> Response {
    bytes(app, work)
        .await
        .map_or_else(IntoResponse::into_response, |value| Json(value).into_response())
}

/// As [`answer`], leaving the form of the result to the caller.
pub async fn bytes<T: Send + 'static>(
    app: Shared,
    work: impl FnOnce(&super::App) -> Result<T, AnnotateError> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(move || work(&app)).await {
        Ok(result) => result.map_err(Fault::from),
        Err(fault) => {
            tracing::error!("internal error: {fault}");
            Err(Fault {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                words: "internal error; the server's own messages say more".to_owned(),
            })
        }
    }
}

/// What went wrong.
pub struct Fault {
    status: StatusCode,
    words: String,
}

impl From<AnnotateError> for Fault {
    fn from(error: AnnotateError) -> Self {
        let status = match &error {
            AnnotateError::Conflict { .. } => StatusCode::CONFLICT,
            AnnotateError::Refused { .. }
            | AnnotateError::Rater { .. }
            | AnnotateError::OtherGrid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!("{error}");
        }
        Self { status, words: error.to_string() }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.words }))).into_response()
    }
}
