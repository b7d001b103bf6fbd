//! Why something failed, and the Python exception that says so.

use std::error::Error;
use std::io;

use pyo3::prelude::*;

/// What the Python part makes an exception of.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
}

/// Which exception.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The caller can mend it.
    Input,
    /// A file that is not there.
    NotFound,
    /// A fault of the program.
    Internal,
}

impl Kind {
    /// The class in `deepmir._errors`.
    fn class(self) -> &'static str {
        match self {
            Self::Input => "DeepmirError",
            Self::NotFound => "NotFoundError",
            Self::Internal => "InternalError",
        }
    }
}

impl Failure {
    /// Something that the caller can mend.
    pub fn input(message: impl Into<String>) -> Self {
        Self { kind: Kind::Input, message: message.into() }
    }

    /// A file that is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { kind: Kind::NotFound, message: message.into() }
    }

    /// A fault of the program: a panic at a place in the sources, say.
    pub fn internal(what: &str) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let message = format!(
            "internal error: {what}\nThis is a bug in deepmir {version}; please report it with the call"
        );
        Self { kind: Kind::Internal, message }
    }
}

/// Any error of the library, with its causes.
impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut kind = Kind::Input;
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(error) = cause {
            let system = error.downcast_ref::<io::Error>();
            if system.is_some_and(|error| error.kind() == io::ErrorKind::NotFound) {
                kind = Kind::NotFound;
            }
            cause = error.source();
        }
        Self { kind, message: deepmir_volume::with_causes(&error) }
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| {
            let raised = py.import("deepmir._errors").and_then(|errors| {
                errors.call_method1("of", (failure.kind.class(), failure.message))
            });
            match raised {
                Ok(exception) => PyErr::from_value(exception),
                Err(error) => error,
            }
        })
    }
}
