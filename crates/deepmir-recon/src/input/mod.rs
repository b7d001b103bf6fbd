//! From files to a scan: echoes in radians, echo times, the main field.

mod agreement;
mod alternation;
mod files;
mod pair;
mod pairing;
mod scaling;
mod sidecar;
mod spread;

pub use deepmir_cases::EchoParts;
pub use files::{EchoVolumes, ReadOptions, ScanFiles, ScanInput};
pub use scaling::{HeaderScaling, PhaseRange, PhaseScaling, PhaseUnits};
pub use sidecar::Sidecar;
