//! Everything that can be set, with its unit and its usual value.

mod draw;
mod lesions;
mod person;
mod scan;
mod validate;

use serde::{Deserialize, Serialize};

pub(crate) use draw::{pick, uniform};

pub use lesions::{CountAndSize, LesionConfig, SessionConfig, VeinConfig};
pub use person::PersonConfig;
pub use scan::{Contents, OutputConfig, ScanConfig, T2wConfig};

/// A range `[lowest, highest]`; a number is drawn from it evenly. Equal ends fix the number.
pub type Range = [f64; 2];

/// What a phantom is and how it is scanned. Read from TOML or JSON; what is left out has its
/// usual value, and unknown names are refused.
///
/// ```
/// use deepmir_phantom::PhantomConfig;
///
/// let mut config = PhantomConfig::default();
/// assert!(config.validate().is_ok());
/// config.scan.field_strength_t = 70.0;
/// let message = config.validate().err().map(|error| error.to_string());
/// assert!(message.is_some_and(|message| message.contains("scan.field_strength_t")));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhantomConfig {
    /// Who lies in the scanner.
    pub person: PersonConfig,
    /// Lesions and what looks like them.
    pub lesions: LesionConfig,
    /// Veins.
    pub veins: VeinConfig,
    /// What changes between sessions.
    pub sessions: SessionConfig,
    /// The gradient-echo scan.
    pub scan: ScanConfig,
    /// The T2-weighted scan.
    pub t2w: T2wConfig,
    /// What is written.
    pub output: OutputConfig,
}
