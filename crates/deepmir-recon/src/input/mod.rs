//! From files to a scan: echoes in radians, echo times, the main field.

mod files;
mod scaling;
mod sidecar;

pub use deepmir_cases::EchoParts;
pub use files::{EchoVolumes, ReadOptions, ScanFiles, ScanInput};
pub use scaling::{HeaderScaling, PhaseRange, PhaseScaling, PhaseUnits};
pub use sidecar::Sidecar;
